/* RCPT: where the verdicts of connection, HELO and MAIL are spoken, and the recipient is judged.
 *
 * In table order, the first check that refuses and is `enforce` for this recipient decides; what
 * later ones would have said is noted, but those that ask the world (the DNS, limits, the next hop)
 * or remember the attempt (greylist) aren't run any more. */
#include "policy/decide.h"
#include "policy/dictionary.h"
#include "policy/early.h"
#include "policy/host.h"
#include "policy/limits.h"
#include "policy/walk.h"
#include "shm/segment.h"

static bool costs_a_question(enum check_id id)
{
	switch (id) {
	case CHECK_dnsbl:
	case CHECK_sender_verify:
	case CHECK_rate_limit:
	case CHECK_recipient_verify:
	case CHECK_sender_callout:
	case CHECK_greylist:
	case CHECK_spf:
		return true;
	default:
		return false;
	}
}

static bool judges_recipient(enum check_id id)
{
	/* A record that passes nobody: no signature is waited for. */
	return check_row(id)->phase <= PHASE_RCPT || id == CHECK_spf;
}

/* The check that decides against the recipient, or -1. */
static int find_refusal(struct session *s, const struct recipient *r)
{
	int64_t now_us = 0;
	int decided = -1;

	for (unsigned id = 0; id < CHECK_COUNT; id++) {
		if (!judges_recipient(id))
			continue;
		if (decided >= 0 && costs_a_question(id)) {
			s->runs[id] = (struct check_run){0};
			continue;
		}
		if (walk_verdict(s, id, r->settings, r->is_role, &now_us) &&
		    walk_refuses(s, id, r->settings) && decided < 0)
			decided = (int)id;
	}
	return decided;
}

/* While the hop or the DNS was asked other sessions have run, so the limits are judged once more;
 * from there to the charge nothing yields. */
static bool limits_filled_meanwhile(struct session *s, const struct recipient *r)
{
	int64_t now_us = 0;

	if ((run_outcome(&s->runs[CHECK_recipient_verify]) == OUTCOME_NOT_RUN &&
	     run_outcome(&s->runs[CHECK_sender_callout]) == OUTCOME_NOT_RUN &&
	     run_outcome(&s->runs[CHECK_spf]) == OUTCOME_NOT_RUN) ||
	    run_outcome(&s->runs[CHECK_rate_limit]) != OUTCOME_PASS || !s->config->limit_count)
		return false;
	return walk_verdict(s, CHECK_rate_limit, r->settings, r->is_role, &now_us) &&
	       walk_refuses(s, CHECK_rate_limit, r->settings);
}

/* A recipient that doesn't exist may be the one that makes it a dictionary attack. */
static struct decision refuse_unknown(struct session *s, const struct recipient *r, int decided)
{
	const struct verdict *v = s->runs[decided].verdict;
	struct dictionary_block b;

	if (!v->no_such_recipient || s->runs[decided].unsure ||
	    walk_skips(s, CHECK_dictionary_attack, r->is_role) ||
	    !dictionary_note(s, r->settings, false, &b))
		return decide_refusal(s, (enum check_id)decided, v, PHASE_RCPT);
	walk_keep(s, CHECK_dictionary_attack, r->settings,
		  reject(REPLY_DICTIONARY_ATTACK, LIT(""), dictionary_fact(s, &b)));
	if (!walk_refuses(s, CHECK_dictionary_attack, r->settings))
		return decide_refusal(s, (enum check_id)decided, v, PHASE_RCPT);

	struct decision d = decide_refusal(s, CHECK_dictionary_attack,
					   s->runs[CHECK_dictionary_attack].verdict, PHASE_RCPT);
	d.close = true;
	d.closing = REPLY_DICTIONARY_CLOSING;
	return d;
}

/* The next hop has been asked by now, so what it offers is known (RFC 6531 3.2). */
static bool hop_carries(const struct session *s, const struct recipient *r)
{
	if (!r->route || (!r->mailbox.utf8 && !s->tx->from.utf8))
		return true;
	return s->world.ops->hop_carries_utf8(s->world.self, s, r);
}

static struct decision accept_recipient(struct session *s, const struct recipient *r)
{
	struct dictionary_block unused;

	if (run_outcome(&s->runs[CHECK_rate_limit]) == OUTCOME_PASS)
		limits_charge(s, MOMENT_RCPT);
	s->tx->charged_message = true;
	dictionary_note(s, r->settings, true, &unused);
	s->world.ops->count(s->world.self, METRIC_recipients_accepted, 1);
	return decide_pass();
}

struct decision engine_rcpt(struct session *s, struct recipient *r)
{
	struct decision d;
	int decided;

	s->rcpt = r;
	early_rcpt(s, r->settings);
	/* Bans and exemptions of any check may be by name. */
	host_learn(s, r->settings);
	decided = find_refusal(s, r);
	if (decided < 0 && limits_filled_meanwhile(s, r))
		decided = CHECK_rate_limit;
	/* From here to the charge nothing yields. */
	if (decided < 0 && !hop_carries(s, r)) {
		d = engine_reply(s, REPLY_NEEDS_SMTPUTF8);
	} else if (decided < 0) {
		d = accept_recipient(s, r);
	} else {
		d = refuse_unknown(s, r, decided);
		if (decided == CHECK_bounce_recipients)
			s->tx->poisoned = true;
	}
	s->rcpt = NULL;
	return d;
}
