/* Running checks, and modes and exemptions. */
#include "policy/walk.h"

#include "policy/listed.h"
#include "shm/segment.h"

bool walk_skips(const struct session *s, enum check_id id, bool is_role)
{
	switch (check_row(id)->who) {
	case WHO_STRANGER:
		return s->own || is_role;
	case WHO_SENDER:
		return is_role;
	default:
		return false;
	}
}

enum check_mode walk_mode(const struct session *s, enum check_id id, const struct settings *set)
{
	enum check_mode mode = check_mode(id, set);

	if (check_row(id)->who == WHO_PROTOCOL)
		return MODE_ENFORCE;
	if (mode == MODE_ENFORCE && s->config->global.mode == RUN_MONITOR &&
	    id != CHECK_recipient_verify)
		return MODE_MONITOR;
	return mode;
}

/* What nearly every check says nearly always: one for all. */
static const struct verdict plain_pass = {.outcome = OUTCOME_PASS};

struct check_run *walk_keep(struct session *s, enum check_id id, const struct settings *set,
			    struct verdict v)
{
	bool plain = v.outcome == OUTCOME_PASS && text_empty(v.facts);
	struct check_run *run = &s->runs[id];
	struct verdict *kept = NULL;

	if (!plain) {
		kept = arena_new(check_arena(s), struct verdict);
		*kept = v;
	}
	*run = (struct check_run){
	    .verdict = plain ? &plain_pass : kept,
	    .settings = set,
	    .mode = (unsigned char)walk_mode(s, id, set),
	    .in_transaction = s->tx && !plain,
	};
	if (v.outcome == OUTCOME_UNDECIDED)
		s->world.ops->count(s->world.self, METRIC_undecided, 1);
	return run;
}

/* One reading of the clock a check: where one ends the next begins. */
static struct check_run *run_check(struct session *s, enum check_id id, const struct settings *set,
				   int64_t *now_us)
{
	int64_t start_us = *now_us ? *now_us : s->world.ops->boot_us(s->world.self);
	struct verdict v = check_row(id)->run(s, set);
	struct check_run *run = walk_keep(s, id, set, v);

	*now_us = s->world.ops->boot_us(s->world.self);
	run->us = (uint32_t)(*now_us - start_us);
	return run;
}

static void forget(struct session *s, enum check_id id)
{
	s->runs[id] = (struct check_run){0};
}

static void run_or_forget(struct session *s, enum check_id id, int64_t *now_us)
{
	const struct settings *set = &s->config->base;

	if (walk_mode(s, id, set) == MODE_OFF || walk_skips(s, id, false))
		forget(s, id);
	else
		run_check(s, id, set, now_us);
}

void walk_phase(struct session *s, enum phase phase)
{
	int64_t now_us = 0;

	for (unsigned id = 0; id < CHECK_COUNT; id++) {
		if (check_row(id)->phase == phase)
			run_or_forget(s, id, &now_us);
	}
}

void walk_forget(struct session *s, enum phase from)
{
	int64_t now_us = 0;

	for (unsigned id = 0; id < CHECK_COUNT; id++) {
		if (check_row(id)->phase >= from)
			forget(s, id);
		else if (s->runs[id].in_transaction)
			run_or_forget(s, id, &now_us);
		else
			s->runs[id].fate = FATE_STANDS;
	}
}

static bool is_kept(const struct check_run *run, enum check_id id, const struct settings *set)
{
	return check_row(id)->phase < PHASE_RCPT && run->verdict &&
	       check_same_options(id, run->settings, set);
}

struct check_run *walk_verdict(struct session *s, enum check_id id, const struct settings *set,
			       bool is_role, int64_t *now_us)
{
	struct check_run *run = &s->runs[id];

	if (walk_mode(s, id, set) == MODE_OFF || walk_skips(s, id, is_role)) {
		if (check_row(id)->phase >= PHASE_RCPT)
			forget(s, id);
		run->fate = FATE_SKIPPED;
		return NULL;
	}
	return is_kept(run, id, set) ? run : run_check(s, id, set, now_us);
}

static bool is_refusal(const struct verdict *v)
{
	return v->outcome == OUTCOME_REFUSE ||
	       (v->outcome == OUTCOME_UNDECIDED && v->deferral != DEFERRAL_NONE);
}

/* For the incident, which outside of a transaction doesn't say it. */
static void note_exemption(struct transaction *tx, enum check_id id, const char *key)
{
	if (!tx->exempt_by)
		tx->exempt_by = arena_alloc(&tx->arena, CHECK_COUNT * sizeof(*tx->exempt_by));
	tx->exempt_by[id] = arena_text(&tx->arena, text_of(key)).p;
}

/* No exemption opens a relay; there would be no route for it either. */
static enum answer is_exempt(struct session *s, enum check_id id)
{
	struct list_entry entry;
	enum answer a;

	if (check_row(id)->who == WHO_PROTOCOL)
		return ANSWER_NO;
	a = exemption_find(s, id, &entry);
	if (a == ANSWER_YES && s->tx)
		note_exemption(s->tx, id, entry.key);
	return a;
}

bool walk_refuses(struct session *s, enum check_id id, const struct settings *set)
{
	struct check_run *run = &s->runs[id];
	enum answer exempt;

	run->mode = (unsigned char)walk_mode(s, id, set);
	run->fate = FATE_STANDS;
	run->unsure = false;
	if (!run->verdict || !is_refusal(run->verdict))
		return false;
	exempt = is_exempt(s, id);
	if (exempt == ANSWER_YES) {
		run->fate = FATE_EXEMPT;
		return false;
	}
	if (run->mode == MODE_ENFORCE && !run->verdict->noted) {
		run->unsure = exempt == ANSWER_UNKNOWN;
		return true;
	}
	run->fate = FATE_WAIVED;
	s->world.ops->count(s->world.self, METRIC_would_refuse, 1);
	return false;
}

bool walk_refuses_now(struct session *s, enum check_id id, const struct settings *set)
{
	int64_t now_us = 0;

	return walk_verdict(s, id, set, false, &now_us) && walk_refuses(s, id, set);
}
