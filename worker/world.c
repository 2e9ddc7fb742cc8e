/* policy/world.h over LMDB and the segment. */
#include "worker/world.h"

#include "shm/base/clock.h"
#include "shm/base/log.h"
#include "shm/keeper.h"
#include "worker/delivery/callout.h"
#include "worker/smtp/archives.h"
#include "worker/smtp/dkim.h"
#include "worker/smtp/inspection.h"
#include "worker/smtp/scan.h"
#include "worker/smtp/session.h"

#include <stdlib.h>

static int64_t boot_us(void *self)
{
	(void)self;
	return clock_boot_us();
}

static int64_t wall_us(void *self)
{
	(void)self;
	return clock_wall_us();
}

static uint64_t random_bits(void *self)
{
	uint64_t v;

	(void)self;
	arc4random_buf(&v, sizeof(v));
	return v;
}

static void count(void *self, unsigned metric, uint64_t n)
{
	struct worker_world *w = self;

	metric_add(&w->seg->processes[w->process], (enum metric)metric, n);
}

static bool looks_up(struct worker_world *w)
{
	count(w, METRIC_store_lookups, 1);
	return w->lists_open;
}

static enum answer ban(void *self, enum list_key kind, const struct ip *ip, struct text key,
		       struct list_entry *out)
{
	struct worker_world *w = self;

	if (!looks_up(w))
		return ANSWER_UNKNOWN;
	return bans_find(&w->lists, kind, ip, key, clock_wall_us(), out);
}

static enum answer exemption(void *self, const char *check, enum list_key kind, const struct ip *ip,
			     struct text key, struct list_entry *out)
{
	struct worker_world *w = self;

	if (!looks_up(w))
		return ANSWER_UNKNOWN;
	return exemptions_find(&w->lists, check, kind, ip, key, clock_wall_us(), out);
}

static bool no_exemptions(void *self)
{
	struct worker_world *w = self;

	return w->lists_open && exemptions_none(&w->lists);
}

static enum answer recipient(void *self, struct text domain, struct text local)
{
	struct worker_world *w = self;

	if (!looks_up(w))
		return ANSWER_UNKNOWN;
	return recipients_find(&w->lists, domain, local, w->delimiter);
}

static enum answer hop_takes(void *self, const struct session *s, const struct recipient *r,
			     struct hop_reply *out)
{
	struct delivery *d = smtp_transaction_delivery(smtp_session_of(s), r->route);

	count(self, METRIC_hop_questions, 1);
	*out = (struct hop_reply){0};
	return d ? delivery_ask(d, r, out) : ANSWER_UNKNOWN;
}

static bool hop_carries_utf8(void *self, const struct session *s, const struct recipient *r)
{
	const struct delivery *d = smtp_transaction_delivery(smtp_session_of(s), r->route);

	(void)self;
	return !d || delivery_offers_smtputf8(d);
}

static void dns_ask(void *self, const struct session *s, struct text name, uint16_t type)
{
	(void)self;
	lookups_start(smtp_session_of(s), name, type);
}

static const struct dns_answer *dns_answer(void *self, const struct session *s, struct text name,
					   uint16_t type)
{
	(void)self;
	return lookups_await(smtp_session_of(s), name, type);
}

static void spf(void *self, const struct session *s, enum spf_identity identity,
		struct spf_result *out)
{
	(void)self;
	smtp_ask_spf(smtp_session_of(s), identity, out);
}

static void dkim(void *self, const struct session *s, struct dkim_result *out)
{
	(void)self;
	smtp_ask_dkim(smtp_session_of(s), out);
}

static void scan(void *self, const struct session *s, struct scan_result *out)
{
	(void)self;
	smtp_scan(smtp_session_of(s), out);
}

static void archives(void *self, const struct session *s, const struct archives_request *rq,
		     struct archives_facts *out)
{
	(void)self;
	smtp_ask_archives(smtp_session_of(s), rq, out);
}

static enum answer verified(void *self, enum verified_kind kind, struct text key,
			    struct verified *out)
{
	struct worker_world *w = self;

	if (!w->events_open)
		return ANSWER_UNKNOWN;
	return verified_find(&w->events, kind, key, clock_wall_us(), out);
}

static bool verify_join(void *self, const struct session *s, enum verified_kind kind,
			struct text key, int64_t wait_us, struct verify_answer *out)
{
	(void)self;
	return verification_join(smtp_session_of(s), kind, key, wait_us, out);
}

static void verify_end(void *self, const struct session *s, const struct verify_answer *a)
{
	(void)self;
	verification_end(smtp_session_of(s), a);
}

static void call_out(void *self, const struct session *s, struct callout *c)
{
	(void)self;
	callout_run(smtp_session_of(s)->server->routes, s, c);
}

static uint64_t counter_tag(void *self, enum table_kind kind, struct text space, const void *key,
			    size_t n)
{
	struct worker_world *w = self;

	return table_tag(&w->seg->table, kind, space, key, n);
}

static uint64_t counter_read(void *self, uint64_t tag)
{
	struct worker_world *w = self;

	return table_read(&w->seg->table, tag);
}

static uint64_t counter_update(void *self, uint64_t tag,
			       uint64_t (*change)(uint64_t old, void *arg), void *arg)
{
	struct worker_world *w = self;

	return table_update(&w->seg->table, tag, change, arg, clock_boot_us());
}

static void counter_forget(void *self, uint64_t tag)
{
	struct worker_world *w = self;

	table_forget(&w->seg->table, tag);
}

static void emit(void *self, const struct event *e)
{
	struct worker_world *w = self;
	const bool matters = event_matters(event_kind(e));

	if (!ring_push(&w->seg->rings[w->process], e->bytes, e->n,
		       matters ? RING_MATTERS : RING_AUDIT))
		count(self, METRIC_events_dropped, 1);
	keeper_wake(w->seg);
}

static const struct world_ops ops = {
    .boot_us = boot_us,
    .wall_us = wall_us,
    .random = random_bits,
    .ban = ban,
    .exemption = exemption,
    .no_exemptions = no_exemptions,
    .recipient = recipient,
    .hop_takes = hop_takes,
    .hop_carries_utf8 = hop_carries_utf8,
    .dns_start = dns_ask,
    .dns_await = dns_answer,
    .spf = spf,
    .dkim = dkim,
    .scan = scan,
    .archives = archives,
    .verified = verified,
    .verify_join = verify_join,
    .verify_end = verify_end,
    .call_out = call_out,
    .counter_tag = counter_tag,
    .counter_read = counter_read,
    .counter_update = counter_update,
    .counter_forget = counter_forget,
    .emit = emit,
    .count = count,
};

struct world worker_world_make(struct worker_world *self)
{
	return (struct world){.ops = &ops, .self = self};
}

static void open_store(struct worker_world *w, struct store *st, enum store_name name, bool *open,
		       struct log_limit *limit)
{
	char message[256];
	struct buf err = buf_over(message, sizeof(message));
	uint64_t held;

	if (*open)
		return;
	*open = store_open(st, w->state_dir, name, STORE_READ, &err) == 0;
	if (!*open && log_allowed(limit, 60 * SECOND_US, &held))
		log_warn("%s: what it says is unknown until it can be opened", message);
}

void worker_world_open(struct worker_world *w)
{
	static struct log_limit lists, events;

	open_store(w, &w->lists, STORE_LISTS, &w->lists_open, &lists);
	open_store(w, &w->events, STORE_EVENTS, &w->events_open, &events);
}

void worker_world_close(struct worker_world *w)
{
	if (w->lists_open)
		store_close(&w->lists);
	if (w->events_open)
		store_close(&w->events);
	w->lists_open = w->events_open = false;
}
