/* Judging and charging rate limits. */
#include "policy/limits.h"

#include "shm/base/clock.h"

#include <inttypes.h>
#include <stdio.h>

/* --- whom it counts */

static bool key_of_client(const struct session *s, const struct limit *l, struct buf *key)
{
	bool v4 = ip_is4(&s->client);
	unsigned bits = v4 ? l->bits4 : l->bits6;
	struct ip masked;

	if (bits == 0 || client_is_proxy(s))
		return false;
	if (v4)
		bits += 96;
	masked = ip_mask(&s->client, bits);
	buf_put(key, masked.b, sizeof(masked.b));
	buf_char(key, (char)bits);
	return true;
}

static void put_lower(struct buf *key, struct text t)
{
	size_t at = key->n;

	buf_text(key, t);
	text_lower(text_make(key->p + at, key->n - at), key->p + at);
}

static struct text without_tag(const struct session *s, struct text local)
{
	struct text delimiter = s->config->global.recipient_delimiter;
	size_t at;

	if (text_empty(delimiter))
		return local;
	at = text_find(local, delimiter.p[0]);
	return at > 0 ? text_make(local.p, at) : local;
}

static bool key_of_sender(const struct session *s, struct buf *key)
{
	if (!s->tx || s->tx->null_sender)
		return false;
	put_lower(key, without_tag(s, s->tx->from.local));
	buf_char(key, '@');
	buf_text(key, s->tx->from.domain);
	return true;
}

static bool key_of_text(struct buf *key, struct text t)
{
	put_lower(key, t);
	return !text_empty(t);
}

static const struct mailbox *recipient_mailbox(const struct session *s)
{
	if (s->rcpt)
		return &s->rcpt->mailbox;
	return s->tx && s->tx->recipient_count ? &s->tx->recipients[0].mailbox : NULL;
}

bool limit_key(const struct session *s, const struct limit *l, char dst[LIMIT_KEY_MAX],
	       struct text *out)
{
	struct buf key = buf_over(dst, LIMIT_KEY_MAX);
	const struct mailbox *to;
	bool counts = false;

	switch (l->by) {
	case LIMIT_BY_CLIENT:
		counts = key_of_client(s, l, &key);
		break;
	case LIMIT_BY_SENDER:
		counts = key_of_sender(s, &key);
		break;
	case LIMIT_BY_SENDER_DOMAIN:
		counts = s->tx && !s->tx->null_sender && key_of_text(&key, s->tx->from.domain);
		break;
	case LIMIT_BY_RECIPIENT_DOMAIN:
		to = recipient_mailbox(s);
		counts = to && key_of_text(&key, to->domain);
		break;
	case LIMIT_BY_LOGIN:
		counts = key_of_text(&key, s->login);
		break;
	}
	*out = buf_view(&key);
	return counts;
}

struct text limit_space(const struct limit *l, enum limit_unit unit, const struct rate *r,
			char dst[LIMIT_SPACE_MAX])
{
	struct buf b = buf_over(dst, LIMIT_SPACE_MAX);
	char digits[24];
	char *p = digits + sizeof(digits);

	/* By hand: printf costs more than all the rest of a judgement. */
	for (int64_t n = r->period_us / SECOND_US; n > 0 || p == digits + sizeof(digits); n /= 10)
		*--p = (char)('0' + n % 10);
	buf_put(&b, l->set.name.p, l->set.name.n < 100 ? l->set.name.n : 100);
	buf_char(&b, ' ');
	buf_text(&b, text_of(limit_unit_name(unit)));
	buf_char(&b, ' ');
	buf_put(&b, p, (size_t)(digits + sizeof(digits) - p));
	buf_char(&b, 's');
	return buf_view(&b);
}

/* --- what is counted when */

static bool first_of_its_domain(const struct session *s)
{
	const struct transaction *tx = s->tx;

	for (size_t i = 0; i < tx->recipient_count; i++) {
		if (text_ieq(tx->recipients[i].mailbox.domain, s->rcpt->mailbox.domain))
			return false;
	}
	return true;
}

/* A message counts once, and once for each domain that it goes to. */
static bool new_message(const struct session *s, const struct limit *l)
{
	return l->by == LIMIT_BY_RECIPIENT_DOMAIN ? first_of_its_domain(s)
						  : !s->tx->charged_message;
}

/* How much of a unit the moment asks for; 0: nothing. */
static uint64_t amount_asked(const struct session *s, const struct limit *l, enum limit_unit unit,
			     enum limit_moment moment)
{
	switch (moment) {
	case MOMENT_CONNECT:
		return unit == UNIT_CONNECTIONS;
	case MOMENT_MAIL:
		if (l->by != LIMIT_BY_LOGIN || unit == UNIT_CONNECTIONS)
			return 0;
		return unit == UNIT_BYTES ? s->tx->declared_size : 1;
	case MOMENT_RCPT:
		if (unit == UNIT_MESSAGES)
			return new_message(s, l);
		if (unit == UNIT_BYTES)
			return s->tx->charged_message ? 0 : s->tx->declared_size;
		return unit == UNIT_RECIPIENTS;
	case MOMENT_MESSAGE:
		return unit == UNIT_BYTES ? s->tx->size : 0;
	}
	return 0;
}

/* Bytes are judged at RCPT by what SIZE= says, and charged by what came. */
static bool is_charged(enum limit_unit unit, enum limit_moment moment)
{
	return moment == MOMENT_MESSAGE || unit != UNIT_BYTES;
}

/* --- the walk over all windows that hold */

struct window {
	const struct limit *limit;
	const struct rate *rate;
	enum limit_unit unit;
	struct text key;
	uint64_t tag, amount;
	int64_t now_us;
};

typedef void window_fn(const struct session *s, const struct window *w, void *arg);

static void each_unit(const struct session *s, const struct limit *l, enum limit_moment moment,
		      struct window *w, window_fn *fn, void *arg)
{
	char space[LIMIT_SPACE_MAX];

	for (int unit = 0; unit < UNIT_COUNT; unit++) {
		const struct rate_list *windows = l->windows[unit];

		if (!windows || windows->n == 0)
			continue;
		w->unit = (enum limit_unit)unit;
		w->amount = amount_asked(s, l, w->unit, moment);
		if (w->amount == 0)
			continue;
		for (size_t i = 0; i < windows->n; i++) {
			struct text name = limit_space(l, w->unit, &windows->v[i], space);

			w->rate = &windows->v[i];
			w->tag = s->world.ops->counter_tag(s->world.self, TABLE_GCRA, name,
							   w->key.p, w->key.n);
			fn(s, w, arg);
		}
	}
}

static bool holds_here(const struct session *s, const struct limit *l)
{
	if (s->own && !l->set.own && l->by != LIMIT_BY_LOGIN)
		return false;
	return l->listeners >> s->listener->index & 1;
}

static bool wants_every_domain(const struct limit *l, enum limit_moment moment)
{
	return l->by == LIMIT_BY_RECIPIENT_DOMAIN && moment == MOMENT_MESSAGE;
}

static bool domain_seen(const struct transaction *tx, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (text_ieq(tx->recipients[i].mailbox.domain, tx->recipients[n].mailbox.domain))
			return true;
	}
	return false;
}

static void each_domain(const struct session *s, struct window *w, enum limit_moment moment,
			window_fn *fn, void *arg)
{
	const struct transaction *tx = s->tx;
	char key[LIMIT_KEY_MAX];

	for (size_t i = 0; i < tx->recipient_count; i++) {
		struct buf b = buf_over(key, sizeof(key));

		if (domain_seen(tx, i) || !key_of_text(&b, tx->recipients[i].mailbox.domain))
			continue;
		w->key = buf_view(&b);
		each_unit(s, w->limit, moment, w, fn, arg);
	}
}

static void each_window(const struct session *s, enum limit_moment moment, window_fn *fn, void *arg)
{
	struct window w = {.now_us = s->world.ops->boot_us(s->world.self)};
	char key[LIMIT_KEY_MAX];

	for (size_t i = 0; i < s->config->limit_count; i++) {
		w.limit = &s->config->limits[i];
		if (!holds_here(s, w.limit))
			continue;
		if (wants_every_domain(w.limit, moment))
			each_domain(s, &w, moment, fn, arg);
		else if (limit_key(s, w.limit, key, &w.key))
			each_unit(s, w.limit, moment, &w, fn, arg);
	}
}

/* --- judging */

/* "100" and "1h", as configured. */
static void values_of(const struct session *s, const struct window *w, struct text values[2])
{
	char number[24], period[24];

	if (w->unit == UNIT_BYTES)
		size_format(w->rate->n, number);
	else
		snprintf(number, sizeof(number), "%" PRIu64, w->rate->n);
	duration_format(w->rate->period_us, period);
	values[0] = arena_text(check_arena(s), text_of(number));
	values[1] = arena_text(check_arena(s), text_of(period));
}

static struct text who_text(const struct session *s, const struct window *w)
{
	struct net net;
	char shown[NET_TEXT_MAX];

	if (w->limit->by != LIMIT_BY_CLIENT)
		return arena_text(check_arena(s), w->key);
	net.bits = (uint8_t)w->key.p[w->key.n - 1];
	net.ip = ip_mask(&s->client, net.bits);
	return arena_text(check_arena(s), text_of(net_format(&net, shown)));
}

static void __attribute__((noinline)) note_fired(const struct session *s, const struct window *w,
						 struct text who, struct text rate, uint64_t used)
{
	struct event e;

	event_begin(&e, EVENT_LIMIT, s->world.ops->wall_us(s->world.self));
	event_text(&e, FIELD_limit, w->limit->set.name);
	event_text(&e, FIELD_unit, text_of(limit_unit_name(w->unit)));
	event_text(&e, FIELD_key, who);
	event_text(&e, FIELD_text, rate);
	event_int(&e, FIELD_count, (int64_t)used);
	event_int(&e, FIELD_tag, (int64_t)w->tag);
	event_text(&e, FIELD_session, text_of(s->id));
	event_ip(&e, FIELD_client, &s->client);
	s->world.ops->emit(s->world.self, &e);
}

static const enum reply_id replies[UNIT_COUNT] = {
    [UNIT_CONNECTIONS] = REPLY_RATE_LIMIT_CONNECTIONS,
    [UNIT_MESSAGES] = REPLY_RATE_LIMIT,
    [UNIT_RECIPIENTS] = REPLY_RATE_LIMIT_RECIPIENTS,
    [UNIT_BYTES] = REPLY_RATE_LIMIT_BYTES,
};

static void judge_window(const struct session *s, const struct window *w, void *arg)
{
	struct verdict *v = arg;
	uint64_t tat = s->world.ops->counter_read(s->world.self, w->tag);
	struct text values[2], who, rate;
	int64_t retry_us;
	uint64_t used;

	if (rate_allows(w->rate, tat, w->amount, w->now_us, &retry_us))
		return;
	values_of(s, w, values);
	who = who_text(s, w);
	rate = fact(s, "%.*s/%.*s", TEXT(values[0]), TEXT(values[1]));
	used = rate_used(w->rate, tat, w->now_us);
	note_fired(s, w, who, rate, used);
	if (v->outcome == OUTCOME_REFUSE)
		return;
	*v = refuse_by_policy(
	    replies[w->unit], values[0],
	    fact(s, "limit %.*s: %.*s has used %" PRIu64 " of %.*s %s, free in %" PRId64 " s",
		 TEXT(w->limit->set.name), TEXT(who), used, TEXT(rate), limit_unit_name(w->unit),
		 (retry_us + SECOND_US - 1) / SECOND_US));
	v->values[1] = values[1];
}

struct verdict limits_judge(const struct session *s, enum limit_moment moment)
{
	struct verdict v = pass();

	if (s->config->limit_count)
		each_window(s, moment, judge_window, &v);
	return v;
}

/* --- charging */

static uint64_t charge_change(uint64_t old, void *arg)
{
	const struct window *w = arg;

	return rate_charge(w->rate, old, w->amount, w->now_us);
}

static void charge_window(const struct session *s, const struct window *w, void *arg)
{
	struct window copy = *w;

	if (is_charged(w->unit, *(const enum limit_moment *)arg))
		s->world.ops->counter_update(s->world.self, w->tag, charge_change, &copy);
}

void limits_charge(const struct session *s, enum limit_moment moment)
{
	if (s->config->limit_count)
		each_window(s, moment, charge_window, &moment);
}
