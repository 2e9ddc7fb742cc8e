/* What one transaction holds of a route (worker/delivery/delivery.h, transaction.h): opening,
 * closing, and the search for a connection. */
#include "worker/delivery/delivery.h"

#include "worker/delivery/maildir.h"
#include "worker/delivery/pool.h"
#include "worker/delivery/transaction.h"

struct delivery *delivery_open(struct routes *r, const struct session *s, const struct route *route)
{
	struct arena *a = &s->tx->arena;
	struct delivery *d = arena_new(a, struct delivery);
	int info = route->set.client_info;

	d->routes = r;
	d->state = &r->states[route->index];
	d->session = s;
	d->serial = ++r->last_serial;
	/* What a connection is told of its client at its start, it is told for good. */
	d->hold = route->set.connection == CONNECTION_HOLD || info == CLIENT_INFO_XCLIENT ||
		  info == CLIENT_INFO_PROXY;
	d->tried = arena_alloc(a, route->host_count * sizeof(bool));
	return d;
}

static void let_go(struct delivery *d, bool polite)
{
	struct hop *hop = d->hop;

	d->hop = NULL;
	if (hop)
		pool_drop(hop, polite);
}

void delivery_close(struct delivery *d)
{
	if (d)
		let_go(d, true);
}

bool delivery_offers_smtputf8(const struct delivery *d)
{
	for (size_t i = 0; !d->state->maildir && i < d->state->host_count; i++) {
		const struct host *h = &d->state->hosts[i];

		if (h->known && !(h->offers & HOP_SMTPUTF8))
			return false;
	}
	return true;
}

enum exchange exchange_of(const struct hop *hop, enum hop_result got)
{
	switch (got) {
	case HOP_OK:
		return EXCHANGE_DONE;
	case HOP_CANCELLED:
	case HOP_OURS:
		return EXCHANGE_ENDED;
	case HOP_SILENT: /* so that not everybody waits for it */
		host_failed(hop->host, hop_result_text(got));
		return EXCHANGE_AGAIN;
	default:
		return EXCHANGE_AGAIN;
	}
}

bool delivery_owns(const struct delivery *d, const struct hop *hop)
{
	return hop->owner == d->serial && hop->transaction && d->taken_count > 0;
}

/* A connection in d->hop: the one that is held, the one that was asked, or one to the first host
 * that gives one. */
static bool find_hop(struct delivery *d, struct host *fresh)
{
	int64_t deadline_us = loop_now_us(d->routes->loop) + d->state->route->set.reply_timeout;
	enum borrow_result got;

	if (!d->hop && d->last && d->taken_count)
		d->hop = pool_borrow_own(d->last, d->serial);
	while (!d->hop) {
		struct host *h = fresh ? fresh : host_choose(d->state, d->tried, d->last);

		if (!h)
			return false;
		got = pool_borrow(h, d->session, d->hold || fresh, deadline_us, &d->hop);
		if (got == BORROW_CANCELLED || got == BORROW_OURS)
			return false;
		if (got != BORROW_OK)
			d->tried[h - d->state->hosts] = true;
		fresh = NULL;
	}
	return true;
}

static void tell(const struct delivery *d, const struct host *h, const struct response *r,
		 struct hop_reply *out)
{
	struct arena *a = &d->session->tx->arena;

	out->code = r->code == 421 ? 451 : r->code;
	memcpy(out->enhanced, r->enhanced, sizeof(out->enhanced));
	out->hop = h->address->name;
	out->text = arena_text(a, text_make(r->text, r->text_n));
}

static void tell_tls(const struct delivery *d, struct hop_reply *out)
{
	out->tls =
	    d->hop->tls[0] ? arena_text(&d->session->tx->arena, text_of(d->hop->tls)) : LIT("");
}

static void finish_hop(struct delivery *d, enum exchange ended)
{
	struct hop *hop = d->hop;

	if (ended != EXCHANGE_DONE) {
		let_go(d, false);
	} else if (d->hold) {
		hop->reused = true;
	} else {
		d->hop = NULL;
		pool_give(hop);
	}
}

void delivery_exchange(struct delivery *d, exchange_fn fn, void *arg, struct hop_reply *out)
{
	struct host *fresh = NULL;
	struct response r;

	*out = (struct hop_reply){0};
	memset(d->tried, 0, d->state->host_count * sizeof(bool));
	while (find_hop(d, fresh)) {
		struct host *h = d->hop->host;
		bool reused = d->hop->reused;
		uint64_t heard = d->hop->conn.bytes_in;
		enum exchange ended;

		response_start(&r);
		ended = fn(d, d->hop, arg, &r);
		tell_tls(d, out);
		/* Closed before it said anything to us: it was so already when we took it. */
		reused = reused && (heard == d->hop->conn.bytes_in || r.code == 421);
		finish_hop(d, ended);
		out->hop = h->address->name;
		if (ended == EXCHANGE_LOST || ended == EXCHANGE_ENDED)
			return;
		if (r.code)
			tell(d, h, &r, out);
		d->last = ended == EXCHANGE_AGAIN ? NULL : h;
		if (ended != EXCHANGE_AGAIN)
			return;
		fresh = reused ? h : NULL;
		if (fresh)
			pool_forget_idle(h);
		else
			d->tried[h - d->state->hosts] = true;
	}
}
