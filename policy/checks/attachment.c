/* A file in the message, or in an archive of it, has a name on the list of extensions, or is a
 * program by its content; or the message's structure exceeds what can be inspected. */
#include "policy/attachment.h"

/* What was found so far; the worst is said. */
struct search {
	const struct session *s;
	const struct settings *set;
	struct verdict worst;
};

/* Whether an administrator has allowed one of its names. */
static bool judge_names(struct search *q, const struct mime_part *p)
{
	bool allowed = false;

	for (const struct mime_text *name = p->names; name; name = name->next) {
		struct extension e;
		const enum name_answer a = attachment_name(q->s, q->set, name->t, &e);

		allowed = allowed || a == NAME_ALLOWED;
		if (a == NAME_REFUSED)
			attachment_keep_worst(
			    &q->worst, reject(REPLY_ATTACHMENT, LIT(""),
					      fact(q->s, "a file with the extension %s: %.*s", e.s,
						   TEXT(attachment_shown(q->s, name->t)))));
		else if (a == NAME_UNSURE)
			attachment_keep_worst(
			    &q->worst,
			    deferred(
				DEFERRAL_LOCAL,
				fact(q->s, "exemptions can't be read; else: extension %s", e.s)));
	}
	return allowed;
}

/* A script is a program once it is a file: a text that begins like one is read, not run. */
static bool is_program(const struct mime_part *p, enum mime_kind *kind)
{
	*kind = mime_part_program(p);
	if (*kind == MIME_UNKNOWN)
		return false;
	return *kind != MIME_SCRIPT || p->names != NULL;
}

static void judge_content(struct search *q, const struct mime_part *p)
{
	const int mode = q->set->attachment.content;
	const struct text name = p->names ? p->names->t : LIT("without a name");
	enum mime_kind kind;
	struct verdict v;

	if (mode == MODE_OFF || !is_program(p, &kind))
		return;
	v = reject(REPLY_ATTACHMENT_CONTENT, LIT(""),
		   fact(q->s, "a program by its content (%s): %.*s", mime_kind_name(kind),
			TEXT(attachment_shown(q->s, name))));
	v.noted = mode == MODE_MONITOR;
	attachment_keep_worst(&q->worst, v);
}

/* What was not read through may hold anything. */
static void judge_limits(struct search *q, const struct mime_facts *parts)
{
	struct text facts;

	if (parts->limits == 0)
		return;
	facts = fact(q->s, "not inspected: %s", mime_limit_text(parts->limits));
	switch (q->set->attachment.limits) {
	case LIMITS_REFUSE:
		attachment_keep_worst(&q->worst, reject(REPLY_UNINSPECTED, LIT(""), facts));
		break;
	case LIMITS_DEFER:
		attachment_keep_worst(&q->worst, deferred(DEFERRAL_LOCAL, facts));
		break;
	default:
		attachment_keep_worst(&q->worst, undecided(facts));
	}
}

struct verdict check_attachment(const struct session *s, const struct settings *set)
{
	struct search q = {.s = s, .set = set, .worst = pass()};
	const struct mime_facts *parts = s->tx->parts;

	if (!parts)
		return pass();
	for (size_t i = 0; i < parts->count && !attachment_refuses(&q.worst); i++) {
		if (!judge_names(&q, &parts->parts[i]) && !attachment_refuses(&q.worst))
			judge_content(&q, &parts->parts[i]);
	}
	if (!attachment_refuses(&q.worst))
		attachment_keep_worst(&q.worst, attachment_archives(s, set));
	judge_limits(&q, parts);
	if (q.worst.outcome == OUTCOME_UNDECIDED && q.worst.deferral == DEFERRAL_NONE)
		q.worst.not_inspected = true;
	if (q.worst.outcome == OUTCOME_PASS && parts->opaque)
		return pass_not_inspected(
		    fact(s, "not inspected: %s", mime_opaque_text(parts->opaque)));
	return q.worst;
}
