/* The resolver: queries, who waits for them, and which channel carries them.
 *
 * c-ares closes a channel's sockets when nothing is in flight, and keeps them as long as something
 * is: under load one port for hours, which somebody who forges answers would only have to find
 * once.  So there are several channels: each carries a share of questions and then rests until it
 * is empty, and begins again with a new port. */
#include "worker/io/dns.h"

#include "worker/io/dns_cache.h"
#include "worker/io/dns_channel.h"
#include "worker/io/dns_message.h"
#include "worker/io/task.h"

#include <assert.h>
#include <stdlib.h>

enum {
	CHANNELS = 4,
	SHARE = 64, /* questions of one port */
	/* The first server has let so many questions in a row wait: another is asked first. */
	STRIKES = 3,
	MAX_QUERIES = 8192,
};

struct resolver {
	struct loop *loop;
	struct dns_channel channels[CHANNELS];
	size_t current;
	struct dns_servers servers;
	size_t first; /* the server to ask first */
	unsigned strikes;
	int64_t timeout_us;
	size_t in_flight, max_queries;
	struct dns_cache *cache; /* NULL: none */
};

struct dns_query {
	struct resolver *resolver;
	struct dns_channel *channel;
	struct task *waiter;
	int64_t deadline_us;
	bool in_flight; /* c-ares will call back */
	bool forgotten; /* and nobody else cares */
	uint8_t *wire;  /* the answer, unread */
	size_t wire_n;
	struct dns_answer *read; /* ... and read; NULL where it is shared: */
	struct dns_cached *cached;
	enum dns_status failure; /* where there is none of them */
	uint16_t type;
	size_t name_n;
	char name[]; /* without its final dot */
};

/* ---- Failures have no content, so they are made once */

static const struct dns_answer *failed(enum dns_status status)
{
	static const struct dns_answer answers[] = {
	    [DNS_NXDOMAIN] = {.status = DNS_NXDOMAIN},   [DNS_TIMEOUT] = {.status = DNS_TIMEOUT},
	    [DNS_SERVFAIL] = {.status = DNS_SERVFAIL},   [DNS_REFUSED] = {.status = DNS_REFUSED},
	    [DNS_MALFORMED] = {.status = DNS_MALFORMED}, [DNS_OURS] = {.status = DNS_OURS},
	};

	return &answers[status];
}

/* Of several servers c-ares keeps nothing of a SERVFAIL or REFUSED: when all have said so, what is
 * left is its initial "connection refused". */
static enum dns_status failure_of(int ares_status, size_t servers)
{
	switch (ares_status) {
	case ARES_ESERVFAIL:
		return DNS_SERVFAIL;
	case ARES_EREFUSED:
	case ARES_ENOTIMP:
	case ARES_EFORMERR:
		return DNS_REFUSED;
	case ARES_EBADRESP:
		return DNS_MALFORMED;
	case ARES_ENOMEM:
	case ARES_EBADQUERY:
	case ARES_EDESTRUCTION:
	case ARES_ECANCELLED:
		return DNS_OURS;
	case ARES_ECONNREFUSED:
		return servers > 1 ? DNS_SERVFAIL : DNS_TIMEOUT;
	default: /* nobody listens, or nobody answers */
		return DNS_TIMEOUT;
	}
}

/* ---- Opening */

static bool take_servers(struct resolver *r, const struct resolver_options *o, struct buf *err)
{
	for (size_t i = 0; i < o->server_count && r->servers.n < DNS_SERVERS_MAX; i++) {
		const size_t n = r->servers.n;

		if (!ip_parse_port(o->servers[i], 53, &r->servers.v[n].ip, &r->servers.v[n].port)) {
			buf_printf(err, "\"%.*s\" is no address of a resolver",
				   TEXT(o->servers[i]));
			return false;
		}
		r->servers.n++;
	}
	if (r->servers.n > 0 || dns_servers_of_system(&r->servers))
		return true;
	buf_printf(err, "cannot find out which resolvers this machine uses");
	return false;
}

struct resolver *resolver_open(struct loop *l, const struct resolver_options *o, struct buf *err)
{
	struct resolver *r = NULL;
	bool ok = ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS;

	if (ok)
		r = calloc(1, sizeof(*r));
	if (!r) {
		buf_printf(err, "no memory for the resolver");
		return NULL;
	}
	r->loop = l;
	r->timeout_us = o->timeout_us;
	r->max_queries = o->max_queries ? o->max_queries : MAX_QUERIES;
	ok = take_servers(r, o, err);
	for (size_t i = 0; ok && i < CHANNELS; i++) {
		ok = dns_channel_open(&r->channels[i], l, &r->servers, r->timeout_us);
		if (!ok)
			buf_printf(err, "cannot start c-ares");
	}
	if (ok && o->cache_entries > 0) {
		r->cache = dns_cache_new(o->cache_entries);
		ok = r->cache != NULL;
		if (!ok)
			buf_printf(err, "no memory for answers");
	}
	if (ok)
		return r;
	resolver_close(r);
	return NULL;
}

void resolver_close(struct resolver *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < CHANNELS; i++)
		dns_channel_close(&r->channels[i]);
	assert(r->in_flight == 0);
	ares_library_cleanup();
	dns_cache_free(r->cache);
	free(r);
}

size_t resolver_in_flight(const struct resolver *r)
{
	return r->in_flight;
}

/* ---- Asking */

static struct dns_channel *pick_channel(struct resolver *r)
{
	struct dns_channel *c = &r->channels[r->current];

	if (c->in_flight > 0 && c->taken < SHARE && c->first == r->first)
		return c;
	for (size_t i = 0; i < CHANNELS && c->in_flight > 0; i++) {
		r->current = (r->current + 1) % CHANNELS;
		c = &r->channels[r->current];
	}
	if (c->in_flight > 0)
		return c; /* all are busy: this one goes on */
	c->taken = 0;
	if (c->first != r->first)
		dns_channel_set_first(c, &r->servers, r->first);
	return c;
}

/* A first server that is dead costs every question its first try: another is asked first then. */
static void judge_server(struct resolver *r, const struct dns_channel *c, int status, int timeouts)
{
	if (c->first != r->first || status != ARES_SUCCESS)
		return;
	if (timeouts == 0) {
		r->strikes = 0;
	} else if (r->servers.n > 1 && ++r->strikes >= STRIKES) {
		r->strikes = 0;
		r->first = (r->first + 1) % r->servers.n;
	}
}

static void query_delete(struct dns_query *q)
{
	free(q->wire);
	free(q->read);
	dns_cached_drop(q->cached);
	free(q);
}

/* Called by c-ares on the loop's stack, or within dns_start(): keeps the bytes and wakes. */
static void on_answer(void *arg, int status, int timeouts, unsigned char *abuf, int alen)
{
	struct dns_query *q = arg;

	q->in_flight = false;
	q->channel->in_flight--;
	q->resolver->in_flight--;
	judge_server(q->resolver, q->channel, status, timeouts);
	if (q->forgotten) {
		query_delete(q);
		return;
	}
	q->failure = failure_of(status, q->resolver->servers.n);
	if (status == ARES_SUCCESS && abuf && alen > 0) {
		q->failure = DNS_OURS;
		q->wire = malloc((size_t)alen);
		if (q->wire) {
			memcpy(q->wire, abuf, (size_t)alen);
			q->wire_n = (size_t)alen;
		}
	}
	if (q->waiter)
		task_wake(q->waiter);
}

static struct text query_name(const struct dns_query *q)
{
	return text_make(q->name, q->name_n);
}

static struct text without_final_dot(struct text name)
{
	if (name.n > 0 && name.p[name.n - 1] == '.')
		name.n--;
	return name;
}

static struct dns_query *query_new(struct resolver *r, struct text name, uint16_t type)
{
	struct dns_query *q = calloc(1, sizeof(*q) + name.n + 1);

	if (!q)
		return NULL;
	q->resolver = r;
	q->type = type;
	q->deadline_us = loop_now_us(r->loop) + r->timeout_us;
	q->name_n = name.n;
	memcpy(q->name, name.p, name.n);
	return q;
}

/* False: no memory, or too much is in flight. */
static bool send_query(struct dns_query *q)
{
	struct resolver *r = q->resolver;
	uint8_t *wire = NULL;
	uint16_t id;
	size_t n;

	arc4random_buf(&id, sizeof(id));
	if (r->in_flight < r->max_queries)
		wire = dns_message_ask(query_name(q), q->type, id, &n);
	if (!wire)
		return false;
	q->channel = pick_channel(r);
	q->in_flight = true;
	r->in_flight++;
	dns_channel_send(q->channel, wire, n, on_answer, q);
	free(wire);
	return true;
}

struct dns_query *dns_start(struct resolver *r, struct text name, uint16_t type)
{
	struct dns_query *q;

	name = without_final_dot(name);
	/* What is no name isn't kept, however long it is: nothing is known to be there. */
	const bool ok = dns_name_ok(name);
	q = query_new(r, ok ? name : (struct text){"", 0}, type);
	if (!q)
		return NULL;
	if (!ok) {
		q->failure = DNS_NXDOMAIN;
		return q;
	}
	if (r->cache)
		q->cached = dns_cache_find(r->cache, name, type, loop_now_us(r->loop));
	if (q->cached || send_query(q))
		return q;
	query_delete(q);
	return NULL;
}

bool dns_query_is(const struct dns_query *q, struct text name, uint16_t type)
{
	return q && q->type == type && text_ieq(query_name(q), without_final_dot(name));
}

/* ---- Awaiting */

static void read_answer(struct dns_query *q)
{
	struct resolver *r = q->resolver;

	q->read = dns_message_read(q->wire, q->wire_n, query_name(q), q->type);
	free(q->wire);
	q->wire = NULL;
	if (q->read && r->cache)
		q->cached =
		    dns_cache_put(r->cache, query_name(q), q->type, q->read, loop_now_us(r->loop));
	if (q->cached)
		q->read = NULL;
}

const struct dns_answer *dns_peek(struct dns_query *q)
{
	if (!q)
		return failed(DNS_OURS);
	if (q->wire)
		read_answer(q);
	if (q->cached)
		return q->cached->answer;
	if (q->read)
		return q->read;
	if (!q->in_flight)
		return failed(q->failure);
	return loop_now_us(q->resolver->loop) >= q->deadline_us ? failed(DNS_TIMEOUT) : NULL;
}

const struct dns_answer *dns_await(struct dns_query *q, int64_t deadline_us)
{
	const struct dns_answer *a = dns_peek(q);
	enum wake wake = WAKE_READY;

	if (a)
		return a;
	assert(!q->waiter);
	q->waiter = task_current();
	if (deadline_us > q->deadline_us)
		deadline_us = q->deadline_us;
	while (q->in_flight && wake == WAKE_READY)
		wake = task_park(deadline_us);
	q->waiter = NULL;
	if (!q->in_flight)
		return dns_peek(q);
	return failed(wake == WAKE_CANCELLED ? DNS_OURS : DNS_TIMEOUT);
}

void dns_free(struct dns_query *q)
{
	if (!q)
		return;
	assert(!q->waiter);
	if (q->in_flight)
		q->forgotten = true;
	else
		query_delete(q);
}
