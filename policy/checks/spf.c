/* SPF (RFC 7208): may this client send for the sender's domain?
 *
 * Judged when the message is there; at RCPT only where the record passes nobody, or where the
 * option `at` wants it.  Forwarded mail fails here through no fault of its sender's, and
 * signatures, which would save it, aren't verified: so the check only monitors unless the
 * configuration says else. */
#include "policy/spf.h"
#include "policy/check.h"

static struct text facts_of(const struct session *s, const struct spf_result *r)
{
	const bool explained = !text_empty(r->explanation);

	return fact(s, "%s %.*s: %s, %.*s%s%.*s%s", spf_identity_name(r->identity), TEXT(r->domain),
		    r->code == SPF_UNDECIDED ? "undecided" : spf_code_name(r->code),
		    TEXT(r->reason), explained ? "; it explains: \"" : "", TEXT(r->explanation),
		    explained ? "\"" : "");
}

static bool is_refused(const struct settings *set, enum spf_code code)
{
	const struct text name = text_of(spf_code_name(code));

	for (size_t i = 0; i < set->spf.refuse.n; i++) {
		if (text_eq(set->spf.refuse.v[i], name))
			return true;
	}
	return false;
}

static struct verdict unknown(const struct session *s, const struct settings *set,
			      const struct spf_result *r)
{
	if (set->spf.temperror == SPF_TEMPERROR_PASS)
		return undecided(facts_of(s, r));
	return deferred(r->code == SPF_TEMPERROR ? DEFERRAL_DNS : DEFERRAL_LOCAL, facts_of(s, r));
}

static struct verdict refusal(const struct session *s, const struct settings *set,
			      const struct spf_result *r)
{
	struct verdict v = reject(r->code == SPF_PERMERROR ? REPLY_SPF_PERMERROR : REPLY_SPF,
				  LIT(""), facts_of(s, r));

	if (set->spf.explanation && !text_empty(r->explanation))
		v.quoted = fact(s, "%.*s explains: %.*s", TEXT(r->domain), TEXT(r->explanation));
	return v;
}

static struct verdict judge_sender(const struct session *s, const struct settings *set,
				   const struct spf_result *r)
{
	if (r->code == SPF_UNDECIDED || r->code == SPF_TEMPERROR)
		return unknown(s, set, r);
	if (!is_refused(set, r->code))
		return pass_because(facts_of(s, r));
	return refusal(s, set, r);
}

/* For the null sender it is the same identity. */
static struct verdict judge_helo(const struct session *s, const struct settings *set)
{
	const struct spf_result *r;
	struct verdict v;

	if (set->spf.helo == MODE_OFF || s->tx->null_sender || text_empty(s->helo))
		return pass();
	r = spf_of(s, SPF_HELO);
	if (r->code != SPF_FAIL)
		return pass();
	v = refusal(s, set, r);
	v.noted = set->spf.helo == MODE_MONITOR;
	return v;
}

struct verdict check_spf(const struct session *s, const struct settings *set)
{
	const struct spf_result *r = spf_of(s, SPF_MAILFROM);
	struct verdict v, helo;

	/* At RCPT. */
	if (s->rcpt && !r->passes_nobody && set->spf.at == SPF_AT_DATA)
		return pass();
	v = judge_sender(s, set, r);
	if (v.outcome != OUTCOME_PASS)
		return v;
	helo = judge_helo(s, set);
	return helo.outcome == OUTCOME_PASS ? v : helo;
}
