/* The anti-virus engine's opinion of the message.
 *
 * Only a real signature is what its reply says; each other kind of match has a mode and a reply of
 * its own, and so has what could not be looked at whole.  A name that the administrator ignores
 * (`gatepost signature ignore NAME`) is as if it hadn't matched.  The name never goes to the
 * client: it would tell an author which part of the work to change.
 *
 * What is ours (an inspector died, no answer in time) is 451, so that nothing passes unscanned;
 * that there is no database at all passes unless `required` says otherwise. */
#include "policy/antivirus.h"
#include "policy/check.h"
#include "policy/listed.h"

/* What the matches come to: the one that refuses, the one that would, and all of them as facts. */
struct findings {
	const struct session *s;
	const struct settings *set;
	const struct scan_match *enforced, *noted, *limits, *time;
	struct text facts;
};

static enum check_mode mode_of(const struct settings *set, enum scan_kind kind)
{
	const struct antivirus_settings *a = &set->antivirus;

	switch (kind) {
	case SCAN_PUA:
		return (enum check_mode)a->unwanted;
	case SCAN_PHISHING:
		return (enum check_mode)a->phishing;
	case SCAN_MACROS:
		return (enum check_mode)a->macros;
	case SCAN_BROKEN:
		return (enum check_mode)a->broken;
	case SCAN_HEURISTIC:
		return (enum check_mode)a->heuristics;
	case SCAN_ENCRYPTED:
		return (enum check_mode)a->encrypted;
	default:
		return MODE_ENFORCE;
	}
}

static enum reply_id reply_of(enum scan_kind kind)
{
	switch (kind) {
	case SCAN_PUA:
		return REPLY_ANTIVIRUS_UNWANTED;
	case SCAN_PHISHING:
		return REPLY_ANTIVIRUS_PHISHING;
	case SCAN_MACROS:
		return REPLY_ANTIVIRUS_MACROS;
	case SCAN_ENCRYPTED:
		return REPLY_ANTIVIRUS_ENCRYPTED;
	case SCAN_BROKEN:
	case SCAN_HEURISTIC:
		return REPLY_ANTIVIRUS_SUSPICIOUS;
	default:
		return REPLY_ANTIVIRUS;
	}
}

static void add_fact(struct findings *f, const struct scan_match *m, const char *more)
{
	f->facts = fact(f->s, "%.*s%s%s %.*s%s", TEXT(f->facts), text_empty(f->facts) ? "" : ", ",
			scan_kind_name(m->kind), TEXT(m->name), more);
}

static void weigh(struct findings *f, const struct scan_match *m)
{
	const enum check_mode mode = mode_of(f->set, m->kind);
	struct list_entry entry;

	if (mode == MODE_OFF)
		return;
	/* A list that can't be read ignores nothing. */
	if (signature_ignored(f->s, m->name, &entry) == ANSWER_YES) {
		add_fact(f, m, fact(f->s, " (ignored by %s)", entry.by).p);
		return;
	}
	add_fact(f, m, "");
	if (m->kind == SCAN_LIMITS)
		f->limits = m;
	else if (m->kind == SCAN_TIME)
		f->time = m;
	else if (mode == MODE_MONITOR)
		f->noted = f->noted ? f->noted : m;
	else if (!f->enforced || m->kind < f->enforced->kind)
		f->enforced = m;
}

static struct verdict refusal(const struct findings *f, const struct scan_match *m)
{
	struct verdict v = reject(reply_of(m->kind), LIT(""), f->facts);

	v.remedy = fact(f->s, "signature ignore %.*s", TEXT(m->name));
	return v;
}

/* It passes, and the log says that nobody has looked. */
static struct verdict not_scanned(struct text facts)
{
	struct verdict v = undecided(facts);

	v.not_inspected = true;
	return v;
}

static struct verdict limits_exceeded(const struct findings *f)
{
	switch (f->set->antivirus.limits) {
	case LIMITS_PASS:
		return not_scanned(f->facts);
	case LIMITS_DEFER:
		return deferred(DEFERRAL_LOCAL, f->facts);
	default:
		return reject(REPLY_UNINSPECTED, LIT(""), f->facts);
	}
}

static struct verdict judge(const struct session *s, const struct settings *set,
			    const struct scan_result *r)
{
	struct findings f = {.s = s, .set = set};
	struct verdict v;

	for (size_t i = 0; i < r->match_count; i++)
		weigh(&f, &r->matches[i]);
	if (f.enforced)
		return refusal(&f, f.enforced);
	if (f.limits)
		return limits_exceeded(&f);
	if (f.time)
		return deferred(DEFERRAL_LOCAL, f.facts);
	if (!f.noted)
		return text_empty(f.facts) ? pass() : pass_because(f.facts);
	v = refusal(&f, f.noted);
	v.noted = true;
	return v;
}

struct verdict check_antivirus(const struct session *s, const struct settings *set)
{
	struct scan_result r = {.code = SCAN_FAILED};

	s->world.ops->scan(s->world.self, s, &r);
	switch (r.code) {
	case SCAN_DONE:
		return judge(s, set, &r);
	case SCAN_ABSENT:
		return set->antivirus.required ? deferred(DEFERRAL_LOCAL, r.reason)
					       : not_scanned(r.reason);
	case SCAN_KILLER:
		if (set->antivirus.killers == KILLERS_REFUSE)
			return reject(REPLY_UNINSPECTABLE, LIT(""), r.reason);
		break;
	case SCAN_FAILED:
		break;
	}
	return deferred(DEFERRAL_LOCAL, r.reason);
}
