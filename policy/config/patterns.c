/* Regular expressions that the configuration holds, compiled. */
#include "policy/patterns.h"
#include "policy/config/internal.h"

#include <stdlib.h>

struct pattern_list *config_new_patterns(struct loading *l)
{
	struct config *c = l->config;

	c->patterns =
	    reallocarray(c->patterns, c->pattern_count + 1, sizeof(struct pattern_list *));
	if (!c->patterns)
		abort();
	c->patterns[c->pattern_count] = patterns_new();
	return c->patterns[c->pattern_count++];
}

static void add_pattern(struct loading *l, struct pattern_list *list, struct text pattern,
			struct text file, int line)
{
	struct text where = arena_printf(l->arena, "%.*s:%d", TEXT(file), line);
	struct pattern_error error;

	if (line < 0)
		where = LIT("the command line");
	if (!patterns_add(list, pattern, where, &error))
		config_mistake_in(l, file, line, "pattern \"%.*s\": %s at offset %zu",
				  TEXT(pattern), error.message, error.offset);
}

static void add_pattern_file(struct loading *l, struct pattern_list *list,
			     const struct file_text *file)
{
	struct text rest = file->content, line;

	for (int number = 1; rest.n > 0; number++) {
		text_split(rest, '\n', &line, &rest);
		line = text_trim(line);
		if (line.n > 0 && line.p[0] != '#')
			add_pattern(l, list, line, file->path, number);
	}
}

/* Where the values of an option stand, one by one; NULL: it isn't set in this section. */
static const struct raw_option *option_of(const struct raw_section *section, const char *name)
{
	const struct group_row *g = section ? section->group : NULL;

	for (size_t i = 0; g && i < g->count; i++) {
		if (strcmp(g->rows[i].name, name) == 0)
			return section->options[i];
	}
	return NULL;
}

void config_add_patterns(struct loading *l, struct pattern_list *list,
			 const struct text_list *patterns, const struct raw_section *section,
			 const char *name, int fallback_line)
{
	const struct raw_option *o = option_of(section, name);

	for (size_t i = 0; i < patterns->n; i++)
		add_pattern(l, list, patterns->v[i], l->path,
			    o ? o->values[i].line : fallback_line);
}

void config_compile(struct loading *l, struct settings *set, const struct raw_section *section)
{
	struct pattern_list *list = config_new_patterns(l);

	set->subject_patterns = list;
	add_pattern_file(l, list, &set->subject.patterns_file);
	/* of an option that the domain has from the base, the line is the base's */
	config_add_patterns(l, list, &set->subject.patterns, section, "patterns",
			    set->subject.line);
}
