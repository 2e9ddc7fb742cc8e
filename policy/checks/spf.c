/* SPF (RFC 7208): may this client send for the sender's domain?
 *
 * Judged when the message is there; at RCPT only where the record passes nobody, or where the
 * option `at` wants it.  Forwarded mail fails here through no fault of its sender's: a DKIM
 * signature of the sender's domain, or of the author's, saves it, and so does a trusted forwarder
 * (of check "dmarc"); where nobody can tell whether there is one the check is undecided. */
#include "policy/spf.h"
#include "policy/check.h"
#include "policy/dmarc.h"
#include "policy/forwarders.h"
#include "policy/message/author.h"

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
			      const struct spf_result *r, struct text facts)
{
	struct verdict v =
	    reject(r->code == SPF_PERMERROR ? REPLY_SPF_PERMERROR : REPLY_SPF, LIT(""), facts);

	if (set->spf.explanation && !text_empty(r->explanation))
		v.quoted = fact(s, "%.*s explains: %.*s", TEXT(r->domain), TEXT(r->explanation));
	return v;
}

/* ---- What saves it */

static enum answer is_of_either(const struct session *s, struct text domain, struct text author)
{
	const struct text sender = s->tx->null_sender ? LIT("") : s->tx->from.domain;
	enum answer a = ANSWER_NO;

	if (text_empty(domain))
		return a;
	if (!text_empty(sender) && domain_is_valid(sender))
		a = dmarc_aligned(s, sender, domain);
	if (a != ANSWER_YES && !text_empty(author)) {
		const enum answer b = dmarc_aligned(s, author, domain);

		a = b == ANSWER_NO ? a : b;
	}
	return a;
}

/* YES: *by is "the signature of example.org". */
static enum answer is_signed(const struct session *s, struct text *by)
{
	const struct dkim_result *r = dkim_of(s);
	const struct author from = author_of(s->tx->header, &s->tx->arena);
	const struct text author = from.status == AUTHOR_ONE ? from.domain : LIT("");
	enum answer best = r->judged ? ANSWER_NO : ANSWER_UNKNOWN;

	for (size_t i = 0; i < r->count; i++) {
		const struct dkim_signature *g = &r->signatures[i];
		const bool unsure = g->code == DKIM_TEMPERROR || g->code == DKIM_UNDECIDED;
		enum answer a;

		if (g->code != DKIM_PASS && !unsure)
			continue;
		a = is_of_either(s, g->domain, author);
		if (a == ANSWER_YES && !unsure) {
			*by = fact(s, "the signature of %.*s", TEXT(g->domain));
			return ANSWER_YES;
		}
		if (a != ANSWER_NO)
			best = ANSWER_UNKNOWN;
	}
	return best;
}

/* At RCPT there is no message yet, but perhaps a forwarder's name. */
static enum answer is_saved(const struct session *s, const struct settings *set, struct text *by)
{
	const enum answer forwarded = forwarders_vouch(s, set, by);
	enum answer is;

	if (forwarded == ANSWER_YES || s->rcpt || !set->spf.unless_dkim)
		return forwarded;
	is = is_signed(s, by);
	return is == ANSWER_NO ? forwarded : is;
}

/* A message that would be refused. */
static struct verdict unless_saved(const struct session *s, const struct settings *set,
				   const struct spf_result *r)
{
	struct text facts = facts_of(s, r), by;

	switch (is_saved(s, set, &by)) {
	case ANSWER_YES:
		return pass_because(fact(s, "%.*s; saved by %.*s", TEXT(facts), TEXT(by)));
	case ANSWER_NO:
		if (!s->rcpt && set->spf.unless_dkim)
			facts = fact(s, "%.*s; DKIM doesn't save it: %.*s", TEXT(facts),
				     TEXT(dkim_summary(s)));
		return refusal(s, set, r, facts);
	case ANSWER_UNKNOWN:
		break;
	}
	return no_answer(set->spf.temperror,
			 fact(s,
			      "%.*s; nobody can tell whether a signature or a forwarder saves it",
			      TEXT(facts)));
}

static struct verdict judge_sender(const struct session *s, const struct settings *set,
				   const struct spf_result *r)
{
	if (r->code == SPF_UNDECIDED || r->code == SPF_TEMPERROR)
		return unknown(s, set, r);
	if (!is_refused(set, r->code))
		return pass_because(facts_of(s, r));
	return unless_saved(s, set, r);
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
	v = refusal(s, set, r, facts_of(s, r));
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
