/* Asking about an address: remembered, on its way, limited, asked (policy/verify.h). */
#include "policy/verify.h"

#include "policy/check.h"
#include "policy/mark.h"
#include "shm/base/clock.h"
#include "shm/segment.h"

#include <stdio.h>

enum { RANDOM_LETTERS = 16, TARGET_BITS4 = 128, TARGET_BITS6 = 64 };

struct inquiry {
	const struct session *s;
	const struct verify_rules *rules;
	struct text key, target;
	struct text note_key; /* "@target" */
	bool discerns;        /* the target has shown that it doesn't take any address */
	struct callout *c;
};

static int64_t wall_now(const struct inquiry *q)
{
	return q->s->world.ops->wall_us(q->s->world.self);
}

static void count(const struct inquiry *q, enum metric m)
{
	q->s->world.ops->count(q->s->world.self, m, 1);
}

/* ---- in words ---- */

static struct text reply_text(const struct inquiry *q, const struct verified *v)
{
	if (v->code == 0)
		return fact(q->s, "%s: %s", v->hop, v->text);
	return fact(q->s, "%s said %d %s%s%s", v->hop, v->code, v->enhanced,
		    v->enhanced[0] ? " " : "", v->text);
}

static struct text ago(const struct inquiry *q, const struct verified *v)
{
	const int64_t s = (wall_now(q) - v->asked_wall_us) / SECOND_US;

	if (s < 120)
		return fact(q->s, "%lld s ago", (long long)(s > 0 ? s : 0));
	if (s < 7200)
		return fact(q->s, "%lld min ago", (long long)s / 60);
	return fact(q->s, "%lld h ago", (long long)s / 3600);
}

/* ---- what is known without asking ---- */

static bool remembered(struct inquiry *q, struct verify_result *out)
{
	const struct world *w = &q->s->world;
	struct verified v;

	if (w->ops->verified(w->self, q->rules->kind, q->key, &v) == ANSWER_YES &&
	    (v.what == VERIFIED_TAKES || v.what == VERIFIED_REFUSES)) {
		count(q, METRIC_verify_remembered);
		*out = (struct verify_result){
		    {v.what == VERIFIED_TAKES ? VERIFY_TAKES : VERIFY_REFUSES, v},
		    fact(q->s, "%.*s, asked %.*s", TEXT(reply_text(q, &v)), TEXT(ago(q, &v)))};
		return true;
	}
	if (w->ops->verified(w->self, q->rules->kind, q->note_key, &v) != ANSWER_YES)
		return false;
	q->discerns = v.what == VERIFIED_DISCERNS;
	if (v.what != VERIFIED_ANYTHING && v.what != VERIFIED_NO_NULL)
		return false;
	count(q, METRIC_verify_remembered);
	*out = (struct verify_result){
	    {VERIFY_ANYTHING, v},
	    fact(q->s, "%.*s is not asked: %s %s, noticed %.*s", TEXT(q->target), v.hop,
		 v.what == VERIFIED_ANYTHING ? "takes any address" : "refuses the null sender",
		 TEXT(ago(q, &v)))};
	return true;
}

static uint64_t busy_tag(const struct inquiry *q, struct text key)
{
	return q->s->world.ops->counter_tag(q->s->world.self, TABLE_MARK, LIT(VERIFY_BUSY), key.p,
					    key.n);
}

/* What came of the last time, if that is a short while ago and was of no use. */
static bool is_busy(const struct inquiry *q, struct text key, struct verify_result *out)
{
	const uint64_t mark = q->rules->retry_us > 0 ? mark_read(q->s, busy_tag(q, key)) : 0;

	if (mark == 0)
		return false;
	*out = (struct verify_result){
	    {.said = (enum verify_said)(mark - 1)},
	    fact(q->s, "%.*s %s a short while ago", TEXT(key),
		 mark - 1 == VERIFY_DECLINES ? "was declined" : "had no answer")};
	return true;
}

static void set_busy(const struct inquiry *q, struct text key, enum verify_said said)
{
	if (q->rules->retry_us > 0)
		mark_set(q->s, busy_tag(q, key), (uint64_t)said + 1, q->rules->retry_us);
}

/* ---- how often a target may be asked ---- */

struct charge {
	const struct rate *rate;
	int64_t now_us;
};

static uint64_t charge_change(uint64_t old, void *arg)
{
	const struct charge *c = arg;

	return rate_charge(c->rate, old, 1, c->now_us);
}

/* By its name, and by the address of its first server: many domains may have one in common. */
static size_t rate_tags(const struct inquiry *q, uint64_t tags[2])
{
	const struct world *w = &q->s->world;
	const struct text space = q->rules->kind == VERIFIED_SENDER ? LIT("verify sender rate")
								    : LIT("verify recipient rate");
	struct ip ip;

	tags[0] = w->ops->counter_tag(w->self, TABLE_GCRA, space, q->target.p, q->target.n);
	if (q->c->target_count == 0)
		return 1;
	ip = q->c->targets[0].ip;
	ip = ip_mask(&ip, ip_is4(&ip) ? TARGET_BITS4 : TARGET_BITS6);
	tags[1] = w->ops->counter_tag(w->self, TABLE_GCRA, space, ip.b, sizeof(ip.b));
	return 2;
}

static bool may_ask(const struct inquiry *q)
{
	const struct world *w = &q->s->world;
	struct charge charge = {q->rules->rate, w->ops->boot_us(w->self)};
	uint64_t tags[2];
	const size_t n = rate_tags(q, tags);

	for (size_t i = 0; i < n; i++) {
		if (!rate_allows(charge.rate, w->ops->counter_read(w->self, tags[i]), 1,
				 charge.now_us, NULL))
			return false;
	}
	for (size_t i = 0; i < n; i++)
		w->ops->counter_update(w->self, tags[i], charge_change, &charge);
	return true;
}

/* ---- what is remembered of an answer ---- */

static void __attribute__((noinline))
emit(const struct inquiry *q, struct text key, const struct verified *v)
{
	struct event e;

	verified_event(&e, q->rules->kind, key, v);
	q->s->world.ops->emit(q->s->world.self, &e);
}

/* An answer with VERIFIED_NOTHING is for the log alone. */
static void remember(const struct inquiry *q, struct text key, struct verified *v,
		     enum verified_what what)
{
	v->what = what;
	v->until_wall_us = 0;
	if (what != VERIFIED_NOTHING)
		v->until_wall_us =
		    v->asked_wall_us + (what == VERIFIED_REFUSES || what == VERIFIED_NO_NULL
					    ? q->rules->negative_us
					    : q->rules->positive_us);
	emit(q, key, v);
}

static struct verified found(const struct inquiry *q, const struct callout_reply *r)
{
	struct verified v = {.code = r->code, .asked_wall_us = wall_now(q)};

	memcpy(v.enhanced, r->enhanced, sizeof(v.enhanced));
	memcpy(v.hop, q->c->hop, sizeof(v.hop));
	if (r->code)
		memcpy(v.text, r->text, sizeof(v.text));
	else
		snprintf(v.text, sizeof(v.text), "%s", q->c->why ? q->c->why : "no answer");
	return v;
}

/* Taken: and what of an address that nobody has? */
static enum verify_said judge_taken(const struct inquiry *q, struct verified *v)
{
	const struct callout *c = q->c;
	struct verified note = found(q, &c->second);

	if (c->second.code / 100 == 2) {
		remember(q, q->note_key, &note, VERIFIED_ANYTHING);
		*v = note;
		return VERIFY_ANYTHING;
	}
	if (c->second.code / 100 == 5 && callout_refusal(&c->second) != CALLOUT_OTHER)
		remember(q, q->note_key, &note, VERIFIED_DISCERNS);
	remember(q, q->key, v, VERIFIED_TAKES);
	return VERIFY_TAKES;
}

static enum verify_said judge_refused(const struct inquiry *q, struct verified *v)
{
	const struct callout *c = q->c;
	const enum callout_refusal why = callout_refusal(&c->first);

	if (why == CALLOUT_NO_SUCH_ADDRESS ||
	    (why == CALLOUT_PERHAPS && (text_empty(c->if_unclear) || c->second.code / 100 == 2))) {
		remember(q, q->key, v, VERIFIED_REFUSES);
		return VERIFY_REFUSES;
	}
	remember(q, q->key, v, VERIFIED_NOTHING);
	set_busy(q, q->key, VERIFY_DECLINES);
	return VERIFY_DECLINES;
}

static enum verify_said judge(const struct inquiry *q, struct verified *v)
{
	const struct callout *c = q->c;
	const int class = c->first.code / 100;

	if (c->stage == CALLOUT_RCPT && class == 2)
		return judge_taken(q, v);
	if (c->stage == CALLOUT_RCPT && class == 5)
		return judge_refused(q, v);
	if (c->stage == CALLOUT_MAIL && class == 5) {
		remember(q, q->note_key, v, VERIFIED_NO_NULL);
		return VERIFY_ANYTHING;
	}
	remember(q, q->key, v, VERIFIED_NOTHING);
	count(q, METRIC_verify_unanswered);
	const enum verify_said said = class == 4 ? VERIFY_LATER : VERIFY_SILENT;

	/* An address that is put off, or a target that nobody reaches. */
	if (!c->ours)
		set_busy(q, c->stage >= CALLOUT_MAIL && class == 4 ? q->key : q->target, said);
	return said;
}

/* ---- asking ---- */

/* A local part that nobody has. */
static struct text nobody(const struct inquiry *q)
{
	static const char letters[] = "0123456789abcdefghjkmnpqrstvwxyz";
	uint64_t bits = q->s->world.ops->random(q->s->world.self);
	char name[RANDOM_LETTERS + 1] = {0};

	for (unsigned i = 0; i < RANDOM_LETTERS; i++, bits = bits >> 4 | bits << 60)
		name[i] = letters[bits & 31];
	return fact(q->s, "%s@%.*s", name, TEXT(q->target));
}

static struct verify_answer ask(const struct inquiry *q)
{
	const struct world *w = &q->s->world;
	struct verify_answer a = {.said = VERIFY_TOO_OFTEN,
				  .found = {.asked_wall_us = wall_now(q)}};

	if (!may_ask(q))
		return a;
	count(q, METRIC_verify_asked);
	w->ops->call_out(w->self, q->s, q->c);
	a.found = found(q, &q->c->first);
	a.said = judge(q, &a.found);
	return a;
}

static struct text words(const struct inquiry *q, const struct verify_answer *a)
{
	const struct text reply = reply_text(q, &a->found);

	switch (a->said) {
	case VERIFY_TOO_OFTEN:
		return fact(q->s, "%.*s has been asked as often as it may be", TEXT(q->target));
	case VERIFY_ANYTHING:
		return fact(q->s, "%.*s: it %s, so its word means nothing", TEXT(reply),
			    a->found.what == VERIFIED_ANYTHING ? "takes any address"
							       : "refuses the null sender");
	case VERIFY_DECLINES:
		return fact(q->s, "%.*s: perhaps not for the address' sake", TEXT(reply));
	default:
		return reply;
	}
}

struct verify_result verify(const struct session *s, const struct verify_rules *rules,
			    struct text address_key, struct text target, struct callout *c)
{
	const struct world *w = &s->world;
	struct inquiry q = {.s = s, .rules = rules, .key = address_key, .target = target, .c = c};
	struct verify_result r;

	q.note_key = fact(s, "@%.*s", TEXT(target));
	if (remembered(&q, &r) || is_busy(&q, q.target, &r) || is_busy(&q, q.key, &r))
		return r;
	if (!w->ops->verify_join(w->self, s, rules->kind, q.key, rules->wait_us, &r.answer)) {
		if (!q.discerns)
			c->if_taken = nobody(&q);
		r.answer = ask(&q);
		w->ops->verify_end(w->self, s, &r.answer);
	}
	r.facts = words(&q, &r.answer);
	return r;
}
