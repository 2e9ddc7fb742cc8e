/* The engine, phase by phase; RCPT has a file of its own (engine_rcpt.c), and so have the replies
 * that need no check (engine_reply.c). */
#include "policy/engine.h"

#include "policy/decide.h"
#include "policy/early.h"
#include "policy/limits.h"
#include "policy/walk.h"
#include "shm/segment.h"

/* Limits at a moment that isn't RCPT, judged as the check rate-limit: its mode, its exemptions. */
static bool limits_refuse(struct session *s, const struct settings *set, enum limit_moment moment)
{
	if (check_mode(CHECK_rate_limit, set) == MODE_OFF) {
		s->runs[CHECK_rate_limit] = (struct check_run){0};
		return false;
	}
	walk_keep(s, CHECK_rate_limit, set, limits_judge(s, moment));
	return walk_refuses(s, CHECK_rate_limit, set);
}

/* A window that was full isn't charged, though an exemption or monitor mode let the attempt pass:
 * its bucket says what was within the limit. */
static void limits_charge_if_judged(const struct session *s, enum limit_moment moment)
{
	if (run_outcome(&s->runs[CHECK_rate_limit]) == OUTCOME_PASS)
		limits_charge(s, moment);
}

static struct decision refuse(struct session *s, enum check_id id, enum phase phase)
{
	return decide_refusal(s, id, s->runs[id].verdict, phase);
}

/* The block to speak of in the greeting: short of resources, none is spent on those who would be
 * refused anyway.  -1: none. */
static int block_under_stress(struct session *s, const struct settings *set)
{
	if (!s->under_stress)
		return -1;
	if (s->listener->set.auth == LISTENER_AUTH_REQUIRED &&
	    walk_refuses_now(s, CHECK_auth_block, set))
		return CHECK_auth_block;
	return walk_refuses_now(s, CHECK_dictionary_attack, set) ? CHECK_dictionary_attack : -1;
}

struct decision engine_connect(struct session *s)
{
	const struct settings *set = &s->config->base;
	const struct verdict *ban;
	int block;

	if (!s->runs)
		s->runs = arena_alloc(s->arena, CHECK_COUNT * sizeof(*s->runs));
	walk_phase(s, PHASE_CONNECT);
	ban = s->runs[CHECK_banned_client].verdict;
	if (ban && ban->at_connect && walk_refuses(s, CHECK_banned_client, set))
		return refuse(s, CHECK_banned_client, PHASE_CONNECT);
	block = block_under_stress(s, set);
	if (block >= 0)
		return refuse(s, (enum check_id)block, PHASE_CONNECT);
	if (limits_refuse(s, set, MOMENT_CONNECT))
		return refuse(s, CHECK_rate_limit, PHASE_CONNECT);
	limits_charge_if_judged(s, MOMENT_CONNECT);
	s->runs[CHECK_rate_limit] = (struct check_run){0};
	early_connect(s);
	return decide_pass();
}

void engine_helo(struct session *s)
{
	early_helo(s);
	walk_phase(s, PHASE_HELO);
}

struct decision engine_mail(struct session *s)
{
	const struct settings *set = &s->config->base;

	s->rcpt = NULL;
	walk_phase(s, PHASE_MAIL);
	if (walk_refuses(s, CHECK_no_helo, set))
		return refuse(s, CHECK_no_helo, PHASE_MAIL);
	if (walk_refuses(s, CHECK_sender_login, set))
		return refuse(s, CHECK_sender_login, PHASE_MAIL);
	if (!text_empty(s->login) && limits_refuse(s, set, MOMENT_MAIL))
		return refuse(s, CHECK_rate_limit, PHASE_MAIL);
	early_mail(s);
	return decide_pass();
}

/* Content is judged by the settings of the recipients' group, which are one. */
static const struct settings *message_settings(const struct session *s)
{
	return s->tx->recipient_count ? s->tx->recipients[0].settings : &s->config->base;
}

static bool all_roles(const struct transaction *tx)
{
	for (size_t i = 0; i < tx->recipient_count; i++) {
		if (!tx->recipients[i].is_role)
			return false;
	}
	return tx->recipient_count > 0;
}

/* A bounce whose second recipient was refused, else the first one would get what the second was
 * spared.  It is judged anew for those who would get it: mail to postmaster alone goes on, and
 * exemptions may be unreadable by now, or readable again. */
struct decision engine_data(struct session *s)
{
	const struct settings *set = message_settings(s);
	const enum check_id id = CHECK_bounce_recipients;

	if (!s->tx->poisoned || check_mode(id, set) == MODE_OFF ||
	    walk_skips(s, id, all_roles(s->tx)))
		return decide_pass();
	s->rcpt = NULL;
	walk_keep(s, id, set,
		  reject(REPLY_BOUNCE_RECIPIENTS, LIT(""),
			 LIT("the transaction had a second recipient")));
	return walk_refuses(s, id, set) ? refuse(s, id, PHASE_DATA) : decide_pass();
}

static bool judges_message(enum check_id id, const struct settings *set)
{
	/* Its option `author` looks at From:. */
	if (id == CHECK_banned_domain)
		return set->banned_domain.author;
	return check_row(id)->phase == PHASE_MESSAGE;
}

/* Not asked where the message is refused anyway. */
static bool is_costly(enum check_id id)
{
	return id == CHECK_antivirus;
}

struct decision engine_message(struct session *s)
{
	const struct settings *set = message_settings(s);
	bool roles = all_roles(s->tx);
	int64_t now_us = 0;
	int decided = -1;

	s->rcpt = NULL;
	if (limits_refuse(s, set, MOMENT_MESSAGE))
		return refuse(s, CHECK_rate_limit, PHASE_MESSAGE);
	if (!walk_skips(s, CHECK_dmarc, roles))
		early_message(s, set);
	for (unsigned id = 0; id < CHECK_COUNT; id++) {
		if (!judges_message(id, set))
			continue;
		/* The verdict at MAIL was without the message. */
		s->runs[id] = (struct check_run){0};
		if (decided >= 0 && is_costly(id))
			continue;
		if (walk_verdict(s, id, set, roles, &now_us) && walk_refuses(s, id, set) &&
		    decided < 0)
			decided = (int)id;
	}
	return decided < 0 ? decide_pass() : refuse(s, (enum check_id)decided, PHASE_MESSAGE);
}

void engine_end_transaction(struct session *s)
{
	if (s->runs)
		walk_forget(s, PHASE_MAIL);
}

void engine_accepted(struct session *s)
{
	const struct world *w = &s->world;

	limits_charge_if_judged(s, MOMENT_MESSAGE);
	s->auth_attempts = 0;
	w->ops->count(w->self, METRIC_messages_accepted, 1);
	w->ops->count(w->self, METRIC_bytes_accepted, s->tx->size);
}
