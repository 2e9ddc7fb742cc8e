/* The connections to one host (worker/delivery/pool.h). */
#include "worker/delivery/pool.h"

#include "shm/base/clock.h"
#include "worker/io/task.h"

#include <stdlib.h>

/* What stands idle above max-idle is kept for so long: between two bursts, not for good. */
#define EXCESS_IDLE_US SECOND_US

/* On the stack of the task that waits. */
struct pool_waiter {
	struct pool_waiter *next;
	struct task *task;
	bool done;       /* taken out of the queue, with one of: */
	struct hop *hop; /* a connection; */
	bool down;       /* nothing, for the host is down; */
			 /* else the right to open one, counted already */
};

/* ---- The idle ones: newest first, so that those which aren't needed grow old */

static void idle_unlink(struct host *h, struct hop *hop)
{
	if (hop->newer)
		hop->newer->older = hop->older;
	if (hop->older)
		hop->older->newer = hop->newer;
	if (h->newest == hop)
		h->newest = hop->older;
	if (h->oldest == hop)
		h->oldest = hop->newer;
	hop->newer = hop->older = NULL;
	h->idle--;
}

static struct hop *idle_pop_oldest(struct host *h)
{
	struct hop *hop = h->oldest;

	idle_unlink(h, hop);
	return hop;
}

static int64_t idle_end_us(const struct host *h)
{
	bool excess = h->idle > (uint64_t)h->route->set.max_idle;

	return h->oldest->idle_since_us + (excess ? EXCESS_IDLE_US : h->route->set.idle_timeout);
}

static void idle_expire(void *arg)
{
	struct host *h = arg;
	int64_t now_us = loop_now_us(h->routes->loop);

	while (h->oldest && idle_end_us(h) <= now_us)
		pool_drop(idle_pop_oldest(h), true);
	if (h->oldest)
		timer_set(h->routes->loop, &h->timer, idle_end_us(h), idle_expire, h);
}

static void idle_link(struct host *h, struct hop *hop)
{
	hop->idle_since_us = loop_now_us(h->routes->loop);
	hop->newer = NULL;
	hop->older = h->newest;
	if (h->newest)
		h->newest->newer = hop;
	else
		h->oldest = hop;
	h->newest = hop;
	h->idle++;
	/* Moved only when it must fire earlier: a timer that fires for nothing is cheap. */
	if (!timer_is_set(&h->timer) || h->idle == (uint64_t)h->route->set.max_idle + 1)
		timer_set(h->routes->loop, &h->timer, idle_end_us(h), idle_expire, h);
}

/* Neither closed by the peer nor with something to say that nobody has asked for (a 421). */
static bool idle_is_sound(struct hop *hop)
{
	if (!conn_input_may_come(&hop->conn) && !hop->conn.watch.hangup)
		return true;
	return conn_await_input(&hop->conn, 0) == CONN_TIMEOUT;
}

static struct hop *idle_take(struct host *h)
{
	while (h->newest) {
		struct hop *hop = h->newest;

		idle_unlink(h, hop);
		if (idle_is_sound(hop))
			return hop;
		pool_drop(hop, false);
	}
	return NULL;
}

struct hop *pool_borrow_own(struct host *h, uint64_t owner)
{
	struct hop *hop = h->newest;

	while (hop && hop->owner != owner)
		hop = hop->older;
	if (!hop)
		return NULL;
	idle_unlink(h, hop);
	if (idle_is_sound(hop))
		return hop;
	pool_drop(hop, false);
	return NULL;
}

void pool_forget_idle(struct host *h)
{
	while (h->oldest)
		pool_drop(idle_pop_oldest(h), true);
	timer_clear(h->routes->loop, &h->timer);
}

/* ---- The queue */

static void queue_add(struct host *h, struct pool_waiter *w)
{
	*(h->last_waiter ? &h->last_waiter->next : &h->first_waiter) = w;
	h->last_waiter = w;
}

static struct pool_waiter *queue_pop(struct host *h)
{
	struct pool_waiter *w = h->first_waiter;

	if (!w)
		return NULL;
	h->first_waiter = w->next;
	if (!h->first_waiter)
		h->last_waiter = NULL;
	w->done = true;
	task_wake(w->task);
	return w;
}

static void queue_remove(struct host *h, struct pool_waiter *gone)
{
	struct pool_waiter *before = NULL;

	for (struct pool_waiter *w = h->first_waiter; w; before = w, w = w->next) {
		if (w != gone)
			continue;
		*(before ? &before->next : &h->first_waiter) = w->next;
		if (h->last_waiter == w)
			h->last_waiter = before;
		return;
	}
}

static unsigned places(const struct host *h)
{
	unsigned most = (unsigned)h->route->set.max_connections;

	if (loop_now_us(h->routes->loop) < h->narrow_until_us && h->narrow < most)
		return h->narrow;
	return most;
}

/* Where places are free, those who have waited longest may open connections. */
static void queue_serve(struct host *h)
{
	while (h->first_waiter && h->open < places(h)) {
		queue_pop(h);
		h->open++;
	}
}

static void place_free(struct host *h)
{
	h->open--;
	queue_serve(h);
}

/* The host is down: nobody need wait for it. */
static void queue_send_away(struct host *h)
{
	struct pool_waiter *w;

	while ((w = queue_pop(h)))
		w->down = true;
}

/* ---- Borrowing */

void pool_drop(struct hop *hop, bool polite)
{
	struct host *h = hop->host;

	hop_shut(hop, polite);
	free(hop);
	place_free(h);
}

void pool_give(struct hop *hop)
{
	struct host *h = hop->host;
	struct pool_waiter *w;

	hop->reused = true;
	if (conn_buffered(&hop->conn) || hop->conn.error) {
		pool_drop(hop, false);
		return;
	}
	conn_discard_input(&hop->conn); /* and the buffer */
	w = queue_pop(h);
	if (w)
		w->hop = hop;
	else if (h->route->set.max_idle == 0 || h->open > places(h))
		pool_drop(hop, true);
	else
		idle_link(h, hop);
	queue_serve(h);
}

/* The hop has refused one more connection while others are open: it has a limit of its own, and
 * isn't down.  True if the caller should wait for one of them. */
static bool narrow_down(struct host *h, const struct response *r)
{
	if (r->code / 100 != 4 || h->open < 2)
		return false;
	h->narrow = h->open - 1;
	h->narrow_until_us = loop_now_us(h->routes->loop) + h->route->set.retry_down;
	return true;
}

/* Opens a connection in a place that is counted already.  BORROW_NO_PLACE: wait for another. */
static enum borrow_result open_new(struct host *h, const struct session *s, struct hop **out)
{
	struct hop *hop = calloc(1, sizeof(*hop));
	enum hop_result got = HOP_OURS;
	enum borrow_result answer = BORROW_DOWN;
	struct response r;
	char why[128];
	int error = 0;

	if (hop) {
		hop->host = h;
		got = hop_open(hop, s, &r, &error);
	}
	if (got == HOP_OK) {
		host_worked(h);
		*out = hop;
		return BORROW_OK;
	}
	const char *no_tls = hop ? hop->tls_failure : NULL;

	free(hop);
	if (got == HOP_CANCELLED || got == HOP_OURS) {
		answer = got == HOP_OURS ? BORROW_OURS : BORROW_CANCELLED;
	} else if (narrow_down(h, &r)) {
		answer = BORROW_NO_PLACE;
	} else {
		struct buf b = buf_over(why, sizeof(why));

		if (r.code)
			buf_printf(&b, "%d %.*s", r.code, (int)r.text_n, r.text);
		else if (got == HOP_INSECURE)
			buf_printf(&b, "no TLS: %s", no_tls);
		else
			buf_printf(&b, "%s", error ? strerrordesc_np(error) : hop_result_text(got));
		host_failed(h, why);
		queue_send_away(h);
	}
	place_free(h);
	return answer;
}

/* Waits its turn.  BORROW_OK: with a connection in *out, or, where that is NULL, with a place. */
static enum borrow_result wait_turn(struct host *h, int64_t deadline_us, struct hop **out)
{
	struct pool_waiter w = {.task = task_current()};
	enum wake wake = WAKE_READY;

	queue_add(h, &w);
	while (!w.done && wake == WAKE_READY)
		wake = task_park(deadline_us);
	if (!w.done) {
		queue_remove(h, &w);
		return wake == WAKE_TIMEOUT ? BORROW_NO_PLACE : BORROW_CANCELLED;
	}
	if (w.down)
		return BORROW_DOWN;
	if (wake == WAKE_CANCELLED || task_is_cancelled(w.task)) {
		if (w.hop)
			pool_give(w.hop);
		else
			place_free(h);
		return BORROW_CANCELLED;
	}
	*out = w.hop;
	return BORROW_OK;
}

enum borrow_result pool_borrow(struct host *h, const struct session *s, bool fresh,
			       int64_t deadline_us, struct hop **out)
{
	enum borrow_result got;

	for (;;) {
		*out = NULL;
		if (!h->first_waiter && !fresh && (*out = idle_take(h)))
			return BORROW_OK;
		if (fresh && h->open >= places(h) && h->oldest)
			pool_drop(idle_pop_oldest(h), true);
		if (h->open < places(h) && !h->first_waiter) {
			h->open++;
		} else {
			got = wait_turn(h, deadline_us, out);
			if (got != BORROW_OK)
				return got;
			if (*out && !fresh && idle_is_sound(*out))
				return BORROW_OK;
			if (*out) { /* its place is ours now */
				hop_shut(*out, fresh);
				free(*out);
			}
		}
		got = open_new(h, s, out);
		if (got != BORROW_NO_PLACE)
			return got;
	}
}
