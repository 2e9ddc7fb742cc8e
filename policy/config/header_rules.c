/* Rules on header fields: which fields, and patterns that compile. */
#include "policy/config/internal.h"
#include "policy/message/header.h"

static void check_fields(struct loading *l, const struct raw_section *s,
			 const struct header_rule *rule)
{
	const struct text_list *fields = &rule->set.field;

	if (fields->n == 0)
		config_mistake(
		    l, s->line,
		    "header-rule \"%.*s\" looks at no field: field = { \"Subject\" }, or \"*\"",
		    TEXT(s->title));
	for (size_t i = 0; i < fields->n; i++) {
		if (!header_name_valid(fields->v[i]))
			config_mistake(l, raw_line(s, "field"),
				       "header-rule \"%.*s\": field: \"%.*s\" is no name of a "
				       "header field",
				       TEXT(s->title), TEXT(fields->v[i]));
	}
}

static void compile(struct loading *l, const struct raw_section *s, struct header_rule *rule)
{
	const struct text_list *patterns = &rule->set.pattern;

	rule->patterns = config_new_patterns(l);
	if (patterns->n == 0)
		config_mistake(l, s->line, "header-rule \"%.*s\" has no pattern", TEXT(s->title));
	config_add_patterns(l, rule->patterns, patterns, s, "pattern", s->line);
}

void config_resolve_header_rules(struct loading *l)
{
	const struct group_row *g = config_group("header_rule");
	struct config *c = l->config;

	c->header_rules =
	    arena_alloc(l->arena, (config_count_sections(l, g) + 1) * sizeof(*c->header_rules));
	for (struct raw_section *s = NULL; (s = config_next_section(l, g, s));) {
		struct header_rule *rule = &c->header_rules[c->header_rule_count++];

		config_fill(l, g, s, &rule->set, false);
		rule->set.name = s->title;
		check_fields(l, s, rule);
		compile(l, s, rule);
	}
}
