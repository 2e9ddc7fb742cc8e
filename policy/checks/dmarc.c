/* DMARC (RFC 9989): does the author's domain vouch for the message, and if not, what does it want?
 *
 * Most receivers that refuse by p=reject alone lose mail of mailing lists (RFC 9989 5.4), so a
 * failure is only marked unless a recipient domain wants it refused, and a trusted forwarder saves
 * it there.  An edge has no folder for what is to be quarantined: Authentication-Results says so to
 * whoever has one.
 *
 * Where readers could be shown another author than the one who is judged, there is nobody to judge:
 * the option `ambiguous-from`. */
#include "policy/dmarc.h"
#include "policy/check.h"
#include "policy/forwarders.h"
#include "shm/segment.h"

static struct text facts_of(const struct session *s, const struct dmarc_result *r)
{
	if (text_empty(r->domain))
		return fact(s, "%s: %.*s", dmarc_code_name(r->code), TEXT(r->reason));
	if (r->code == DMARC_PASS)
		return fact(s, "pass %.*s: aligned %.*s, p=%s", TEXT(r->domain),
			    TEXT(r->aligned_by), dmarc_policy_name(r->policy));
	if (r->code == DMARC_FAIL)
		return fact(s, "fail %.*s: %.*s, p=%s of %.*s", TEXT(r->domain), TEXT(r->reason),
			    dmarc_policy_name(r->policy), TEXT(r->found_at));
	return fact(s, "%s %.*s: %.*s", dmarc_code_name(r->code), TEXT(r->domain), TEXT(r->reason));
}

/* Nothing could be refused where it is only marked. */
static struct verdict unknown(const struct settings *set, struct text facts)
{
	return set->dmarc.policy == DMARC_MARK ? undecided(facts)
					       : no_answer(set->dmarc.unknown, facts);
}

static struct verdict judge_failure(const struct session *s, const struct settings *set,
				    struct dmarc_result *r)
{
	struct text facts = facts_of(s, r), by;

	if (r->policy == DMARC_POLICY_NONE)
		return pass_because(facts);
	switch (forwarders_vouch(s, set, &by)) {
	case ANSWER_YES:
		r->override = fact(s, "trusted_forwarder: %.*s", TEXT(by));
		s->world.ops->count(s->world.self, METRIC_dmarc_overridden, 1);
		return pass_because(fact(s, "%.*s; %.*s", TEXT(facts), TEXT(r->override)));
	case ANSWER_UNKNOWN:
		if (r->policy == DMARC_POLICY_REJECT)
			return unknown(set,
				       fact(s, "%.*s; perhaps a trusted forwarder's", TEXT(facts)));
		break;
	default:
		break;
	}
	if (r->policy == DMARC_POLICY_REJECT && set->dmarc.policy == DMARC_REJECT)
		return reject(REPLY_DMARC, LIT(""), facts);
	return pass_because(fact(s, "%.*s; marked", TEXT(facts)));
}

/* Who the author is can't be said. */
static struct verdict judge_author(const struct session *s, const struct settings *set,
				   const struct dmarc_result *r)
{
	const int option =
	    author_is_ambiguous(r->author) ? set->dmarc.ambiguous_from : set->dmarc.doubtful_from;
	struct verdict v;

	if (option == MODE_OFF)
		return pass_because(facts_of(s, r));
	v = reject(REPLY_AMBIGUOUS_FROM, LIT(""), facts_of(s, r));
	v.noted = option == MODE_MONITOR;
	return v;
}

struct verdict check_dmarc(const struct session *s, const struct settings *set)
{
	struct dmarc_result *r = dmarc_of(s);

	switch (r->code) {
	case DMARC_FAIL:
		return judge_failure(s, set, r);
	case DMARC_TEMPERROR:
		return unknown(set, facts_of(s, r));
	case DMARC_PERMERROR:
		return judge_author(s, set, r);
	default:
		return pass_because(facts_of(s, r));
	}
}
