/* The test points of DNS lists, by a timer: nobody waits for them. */
#include "worker/list_health.h"

#include "policy/check.h"
#include "policy/dnsbl.h"
#include "shm/base/clock.h"
#include "worker/io/dns.h"

#include <stdlib.h>

/* How often answers are looked for while a question is out, and a list that is off is asked. */
#define LOOK_US (SECOND_US / 20)
#define OFF_US  (30 * SECOND_US)
/* One time without an answer may be ours: it is asked again so soon before it is believed. */
#define AGAIN_US (5 * SECOND_US)
/* Past the resolver's own time-out. */
#define GRACE_US SECOND_US

struct probe {
	const struct dnsbl *list;
	struct dns_query *must, *must_not;
	bool asking;
	int64_t next_us; /* to ask again; while asking: to give up */
	unsigned silent; /* times in a row */
};

struct list_health {
	struct loop *loop;
	struct resolver *resolver;
	const struct world *world;
	const struct config *config;
	struct timer timer;
	size_t count;
	struct probe probes[];
};

static struct dns_query *ask(struct list_health *h, const struct dnsbl *d, bool must)
{
	char name[DNS_NAME_SIZE];

	return dns_start(h->resolver, dnsbl_test_name(d, must, name), DNS_A);
}

static void begin(struct list_health *h, struct probe *p)
{
	p->must = ask(h, p->list, true);
	p->must_not = ask(h, p->list, false);
	p->asking = true;
	p->next_us = loop_now_us(h->loop) + h->config->global.dns_timeout + GRACE_US;
}

static void forget(struct probe *p)
{
	dns_free(p->must);
	dns_free(p->must_not);
	p->must = p->must_not = NULL;
	p->asking = false;
}

static int64_t at_most(int64_t us, int64_t interval_us)
{
	return us < interval_us ? us : interval_us;
}

static void conclude(struct list_health *h, struct probe *p, enum dnsbl_state state)
{
	const int64_t interval_us = h->config->base.dnsbl.health_interval;
	int64_t wait_us = interval_us;

	p->silent = state == DNSBL_SILENT ? p->silent + 1 : 0;
	if (p->silent == 1 && dnsbl_state(h->world, p->list) == DNSBL_GOOD) {
		wait_us = at_most(AGAIN_US, interval_us);
	} else {
		/* It outlives a worker that takes its time to come back. */
		dnsbl_set_state(h->world, p->list, state, 3 * interval_us + 300 * SECOND_US);
		if (state != DNSBL_GOOD)
			wait_us = at_most(OFF_US, interval_us);
	}
	p->next_us = loop_now_us(h->loop) + wait_us;
}

static void look(struct list_health *h, struct probe *p)
{
	static const struct dns_answer no_answer = {.status = DNS_TIMEOUT};
	const struct dns_answer *must = p->must ? dns_peek(p->must) : &no_answer;
	const struct dns_answer *must_not = p->must_not ? dns_peek(p->must_not) : &no_answer;
	enum dnsbl_state state;

	if ((!must || !must_not) && loop_now_us(h->loop) < p->next_us)
		return;
	state = dnsbl_judge(must ? must : &no_answer, must_not ? must_not : &no_answer);
	forget(p);
	conclude(h, p, state);
}

static void on_time(void *arg)
{
	struct list_health *h = arg;
	const int64_t now_us = loop_now_us(h->loop);
	int64_t next_us = NEVER_US;

	for (size_t i = 0; i < h->count; i++) {
		struct probe *p = &h->probes[i];
		int64_t at_us;

		if (p->asking)
			look(h, p);
		else if (now_us >= p->next_us)
			begin(h, p);
		at_us = p->asking ? now_us + LOOK_US : p->next_us;
		next_us = at_us < next_us ? at_us : next_us;
	}
	timer_set(h->loop, &h->timer, next_us, on_time, h);
}

struct list_health *list_health_start(struct loop *l, struct resolver *r, const struct world *w,
				      const struct config *c)
{
	struct list_health *h;

	if (c->dnsbl_count == 0 || check_mode(CHECK_dnsbl, &c->base) == MODE_OFF)
		return NULL;
	h = calloc(1, sizeof(*h) + c->dnsbl_count * sizeof(h->probes[0]));
	if (!h)
		abort();
	h->loop = l;
	h->resolver = r;
	h->world = w;
	h->config = c;
	for (size_t i = 0; i < c->dnsbl_count; i++) {
		if (c->dnsbls[i].set.mode != MODE_OFF)
			h->probes[h->count++].list = &c->dnsbls[i];
	}
	timer_set(l, &h->timer, loop_now_us(l), on_time, h);
	return h;
}

void list_health_stop(struct list_health *h)
{
	if (!h)
		return;
	timer_clear(h->loop, &h->timer);
	for (size_t i = 0; i < h->count; i++)
		forget(&h->probes[i]);
	free(h);
}
