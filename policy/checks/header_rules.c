/* A header field matches one of the rules of the configuration (sections header-rule). */
#include "policy/check.h"
#include "policy/message/rfc2047.h"
#include "policy/patterns.h"

/* Longer values are cut; so is what is shown of one. */
enum { VALUE_MAX = 8192, SHOWN_MAX = 100 };

static bool looks_at(const struct header_rule *rule, struct text name)
{
	const struct text_list *fields = &rule->set.field;

	for (size_t i = 0; i < fields->n; i++) {
		if (text_eq(fields->v[i], LIT("*")) || text_ieq(fields->v[i], name))
			return true;
	}
	return false;
}

static struct verdict matched(const struct session *s, const struct header_rule *rule,
			      const struct header_field *field, struct text value)
{
	const struct text facts =
	    fact(s, "header-rule \"%.*s\" matches %.*s: %.*s", TEXT(rule->set.name),
		 TEXT(field->name), (int)(value.n < SHOWN_MAX ? value.n : SHOWN_MAX), value.p);
	const bool defer = rule->set.action == HEADER_RULE_DEFER;
	struct verdict v =
	    refuse_by_policy(defer ? REPLY_HEADER_RULE_DEFER : REPLY_HEADER_RULE, LIT(""), facts);

	v.noted = rule->set.action == HEADER_RULE_NOTE;
	return v;
}

/* `decoded` holds the values that were asked for so far: rules look at the same few fields. */
static struct text value_of(const struct session *s, struct text *decoded, size_t i)
{
	if (!decoded[i].p)
		decoded[i] =
		    rfc2047_decode(s->tx->header->fields[i].body, VALUE_MAX, &s->tx->arena);
	return decoded[i];
}

/* Each field of that name: which of two a mail program shows is not known. */
static struct verdict judge(const struct session *s, const struct header_rule *rule,
			    struct text *decoded)
{
	const struct header *h = s->tx->header;
	struct verdict v = pass();

	for (size_t i = 0; i < h->count; i++) {
		struct text value;

		if (!looks_at(rule, h->fields[i].name))
			continue;
		value = value_of(s, decoded, i);
		switch (patterns_match(rule->patterns, value, NULL)) {
		case PATTERN_MATCH:
			return matched(s, rule, &h->fields[i], value);
		case PATTERN_UNDECIDED:
			v = undecided(fact(s, "header-rule \"%.*s\" took too long on %.*s",
					   TEXT(rule->set.name), TEXT(h->fields[i].name)));
			break;
		default:
			break;
		}
	}
	return v;
}

/* The first rule that refuses or defers decides; else what was only noted, or is not known, is
 * said. */
struct verdict check_header_rules(const struct session *s, const struct settings *set)
{
	const struct config *c = s->config;
	struct verdict said = pass();
	struct text *decoded;

	(void)set;
	if (!s->tx->header || c->header_rule_count == 0)
		return pass();
	decoded = arena_alloc(&s->tx->arena, (s->tx->header->count + 1) * sizeof(*decoded));
	for (size_t i = 0; i < c->header_rule_count; i++) {
		const struct verdict v = judge(s, &c->header_rules[i], decoded);

		if (v.outcome == OUTCOME_REFUSE && !v.noted)
			return v;
		if (said.outcome == OUTCOME_PASS)
			said = v;
	}
	return said;
}
