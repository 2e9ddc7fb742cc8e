/* The subject, decoded (RFC 2047), matches one of the patterns of `subject.patterns-file` or
 * `patterns`. */
#include "policy/check.h"
#include "policy/message/rfc2047.h"
#include "policy/patterns.h"

/* What a mail program shows of one; longer ones are cut. */
enum { SUBJECT_MAX = 4096, SHOWN_MAX = 100 };

static struct verdict match(const struct session *s, const struct settings *set, struct text body)
{
	struct text subject = rfc2047_decode(body, SUBJECT_MAX, &s->tx->arena);
	struct text where = LIT("");

	switch (patterns_match(set->subject_patterns, subject, &where)) {
	case PATTERN_MATCH:
		return refuse_by_policy(REPLY_PROHIBITED_SUBJECT, LIT(""),
					fact(s, "pattern of %.*s matches: %.*s", TEXT(where),
					     (int)(subject.n < SHOWN_MAX ? subject.n : SHOWN_MAX),
					     subject.p));
	case PATTERN_UNDECIDED:
		return undecided(fact(s, "pattern of %.*s took too long", TEXT(where)));
	default:
		return pass();
	}
}

struct verdict check_subject(const struct session *s, const struct settings *set)
{
	const struct header_field *f = NULL;
	struct verdict v = pass();

	if (!s->tx->header || !set->subject_patterns || patterns_count(set->subject_patterns) == 0)
		return pass();
	/* Every one of them: which of two a mail program shows is not known. */
	while ((f = header_find(s->tx->header, LIT("Subject"), f))) {
		struct verdict one = match(s, set, f->body);

		if (one.outcome == OUTCOME_REFUSE)
			return one;
		if (one.outcome == OUTCOME_UNDECIDED)
			v = one;
	}
	return v;
}
