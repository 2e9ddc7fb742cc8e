/* The resolver of a worker: many questions at once, none of which holds up anybody but the task
 * that awaits it.
 *
 * c-ares moves the bytes on the worker's loop (retries, several servers, TCP where an answer was
 * cut), ldns builds the questions and reads the answers.  A query is begun at once and awaited when
 * its answer is needed; it may be forgotten at any time.  All of it belongs to the loop's thread.
 */
#ifndef WORKER_IO_DNS_H
#define WORKER_IO_DNS_H

#include "shm/base/dns.h"
#include "worker/io/loop.h"

struct resolver;
struct dns_query;

struct resolver_options {
	/* As ip_parse_port() takes them; none: those of /etc/resolv.conf. */
	const struct text *servers;
	size_t server_count;
	/* For one question with its retries. */
	int64_t timeout_us;
	/* Questions in flight, beyond which new ones are answered with DNS_OURS; 0: a default. */
	size_t max_queries;
	/* Answers to remember for some seconds; 0: none. */
	size_t cache_entries;
};

/* Reads /etc/resolv.conf where it needs to, and opens no socket: call it before privileges are
 * dropped.  NULL with a message. */
struct resolver *resolver_open(struct loop *l, const struct resolver_options *o, struct buf *err);
/* Nobody may be awaiting; every query has been freed.  NULL is harmless. */
void resolver_close(struct resolver *r);
/* Questions that are out now, forgotten ones included. */
size_t resolver_in_flight(const struct resolver *r);

/* Asks for `type` (enum dns_type, or any other) at `name`, which is copied.  Never waits.  NULL
 * where there is no memory or too much is in flight; such a query may be awaited and freed too. */
struct dns_query *dns_start(struct resolver *r, struct text name, uint16_t type);

/* Yields until there is an answer, until the query's own time is over, or until deadline_us.  The
 * answer lives until dns_free(); never NULL.  One task a query.  After DNS_TIMEOUT for the sake of
 * deadline_us it may be awaited again. */
const struct dns_answer *dns_await(struct dns_query *q, int64_t deadline_us);

/* What dns_await() would return at once, or NULL: it isn't there yet. */
const struct dns_answer *dns_peek(struct dns_query *q);

/* Was it this that was asked?  Names are compared without regard to case and final dot. */
bool dns_query_is(const struct dns_query *q, struct text name, uint16_t type);

/* Forgets the query, answered or not; nobody may be awaiting it.  NULL is harmless. */
void dns_free(struct dns_query *q);

#endif
