/* The next hop refuses the recipient.  It is asked, live, where nobody nearer knows: `recipients =
 * live`, a list that could not answer (or whose answer was overruled), and always for a Maildir,
 * which costs nothing.  With `recipients = verify` it (or the hosts of another route, where the
 * next hop takes everything) is asked as a bounce would, and the answer is remembered. */
#include "policy/check.h"
#include "policy/verify.h"

#include <stdio.h>

/* Our own list was asked and knows the recipient. */
static bool list_knows(const struct session *s)
{
	return run_outcome(&s->runs[CHECK_unknown_recipient]) == OUTCOME_PASS;
}

/* `unknown-recipient.unknown = pass`: a list that can't answer lets the recipient pass, unasked. */
static bool unknown_passes(const struct session *s, const struct settings *set)
{
	return run_outcome(&s->runs[CHECK_unknown_recipient]) == OUTCOME_UNDECIDED &&
	       set->unknown_recipient.unknown == UNKNOWN_PASS;
}

static bool must_ask(const struct session *s, const struct settings *set)
{
	const struct recipient *r = s->rcpt;

	if (!r->route)
		return false;
	if (r->route->host_count > 0 && r->route->hosts[0].kind == HOP_MAILDIR)
		return true;
	if (!r->domain || r->domain->set.recipients == RECIPIENTS_LIVE || r->domain->verify_route)
		return true;
	if (r->domain->set.recipients == RECIPIENTS_ANY)
		return false;
	return !list_knows(s) && !unknown_passes(s, set);
}

/* Enhanced codes that are worth passing on: of the address, of a disabled mailbox, of policy. */
static bool keeps_enhanced(const char *e)
{
	return !strncmp(e, "5.1.", 4) || !strcmp(e, "5.2.1") || !strncmp(e, "5.7.", 4);
}

/* Does the hop say that there is no such address?  Quota or policy say nothing of that. */
static bool says_nonexistent(const struct hop_reply *h)
{
	if (h->enhanced[0])
		return !strcmp(h->enhanced, "5.1.1") || !strcmp(h->enhanced, "5.1.0") ||
		       !strcmp(h->enhanced, "5.1.6");
	return h->code == 550 || h->code == 551 || h->code == 553;
}

static struct text said(const struct session *s, const struct hop_reply *h)
{
	return fact(s, "%.*s said %d %s%s%.*s", TEXT(h->hop), h->code, h->enhanced,
		    h->enhanced[0] ? " " : "", TEXT(h->text));
}

static struct verdict refused(const struct session *s, const struct hop_reply *h)
{
	struct verdict v;

	/* Not the recipient is refused, but the way to write it (RFC 6531 3.5). */
	if (!strcmp(h->enhanced, "5.6.7"))
		return reject(REPLY_NEEDS_SMTPUTF8, LIT(""), said(s, h));
	v = reject(REPLY_RECIPIENT_UNVERIFIED, LIT(""), said(s, h));

	v.hop_code = h->code;
	v.hop_text = h->text;
	v.no_such_recipient = says_nonexistent(h);
	if (keeps_enhanced(h->enhanced))
		memcpy(v.hop_enhanced, h->enhanced, sizeof(v.hop_enhanced));
	return v;
}

static struct text silence(const struct session *s, const struct hop_reply *h)
{
	/* Why each of them isn't stands in the log. */
	if (text_empty(h->hop))
		return fact(s, "no host of route %.*s is up", TEXT(s->rcpt->route->set.name));
	return fact(s, "no answer from %.*s", TEXT(h->hop));
}

static struct verdict put_off(const struct session *s, const struct hop_reply *h)
{
	struct verdict v;

	if (h->code == 0)
		return deferred(DEFERRAL_HOP_AWAY, silence(s, h));
	/* 5xx below 550 are about our command or our connection ("530 STARTTLS first"), 421 about
	 * the hop's: not about the recipient. */
	if (h->code < 400 || h->code > 499 || h->code == 421)
		return deferred(DEFERRAL_HOP_AWAY, said(s, h));
	v = deferred(DEFERRAL_HOP_SAID, said(s, h));
	v.hop_code = h->code;
	v.hop_text = h->text;
	memcpy(v.hop_enhanced, h->enhanced, sizeof(v.hop_enhanced));
	return v;
}

static struct hop_reply hop_reply(const struct session *s, const struct verified *v)
{
	struct arena *a = &s->tx->arena;
	struct hop_reply h = {.code = v->code};

	memcpy(h.enhanced, v->enhanced, sizeof(h.enhanced));
	h.text = arena_text(a, text_of(v->text));
	h.hop = arena_text(a, text_of(v->hop));
	return h;
}

static struct verdict judge_final(const struct session *s, const struct verify_result *r)
{
	const struct hop_reply h = hop_reply(s, &r->answer.found);
	struct verdict v = h.code >= 550 && h.code <= 559 ? refused(s, &h) : put_off(s, &h);

	v.facts = r->facts;
	return v;
}

static struct verdict judge(const struct session *s, const struct verify_result *r)
{
	struct hop_reply h;

	switch (r->answer.said) {
	case VERIFY_TAKES:
		return pass_because(r->facts);
	case VERIFY_ANYTHING:
		return pass_because(r->facts);
	case VERIFY_REFUSES:
	case VERIFY_DECLINES:
		return judge_final(s, r);
	case VERIFY_TOO_OFTEN:
		return deferred(DEFERRAL_LOCAL, r->facts);
	default:
		h = hop_reply(s, &r->answer.found);
		return put_off(s, &h);
	}
}

static struct verify_result ask_once(const struct session *s, const struct settings *set)
{
	const struct recipient_verify_settings *o = &set->recipient_verify;
	const struct recipient *r = s->rcpt;
	const struct verify_rules rules = {
	    .kind = VERIFIED_RECIPIENT,
	    .positive_us = o->positive,
	    .negative_us = o->negative,
	    .rate = &o->rate,
	    .wait_us = r->domain->verify_route->set.reply_timeout,
	};
	struct callout c = {.address = r->mailbox.whole, .route = r->domain->verify_route};

	return verify(s, &rules, mailbox_key(&r->mailbox, &s->tx->arena), r->mailbox.domain, &c);
}

/* Hosts that refuse the null sender can only be asked live, and only where they are the next hop.
 */
static bool can_ask_once(const struct recipient *r, const struct verify_result *result)
{
	return result->answer.said != VERIFY_ANYTHING ||
	       result->answer.found.what != VERIFIED_NO_NULL || r->domain->verify_route != r->route;
}

struct verdict check_recipient_verify(const struct session *s, const struct settings *set)
{
	struct hop_reply h = {0};
	struct verify_result once;

	if (!must_ask(s, set))
		return pass();
	if (s->rcpt->domain && s->rcpt->domain->verify_route) {
		once = ask_once(s, set);
		if (can_ask_once(s->rcpt, &once))
			return judge(s, &once);
	}
	switch (s->world.ops->hop_takes(s->world.self, s, s->rcpt, &h)) {
	case ANSWER_YES:
		return pass_because(LIT("the next hop takes it"));
	case ANSWER_NO:
		return h.code >= 550 && h.code <= 559 ? refused(s, &h) : put_off(s, &h);
	default:
		return put_off(s, &h);
	}
}
