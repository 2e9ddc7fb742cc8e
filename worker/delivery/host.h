/* The hosts of a worker's routes: which are up, and what is remembered of each.  The connections
 * are pool.h's. */
#ifndef WORKER_DELIVERY_HOST_H
#define WORKER_DELIVERY_HOST_H

#include "shm/base/log.h"
#include "worker/delivery/delivery.h"
#include "worker/delivery/hop.h"
#include "worker/io/tls_client.h"

#include <sys/socket.h>

struct maildir;
struct pool_waiter;

struct host {
	struct routes *routes;
	const struct route *route;
	const struct hop_address *address;
	struct sockaddr_storage sa;
	socklen_t sa_len;

	bool failed;           /* the last attempt to open a connection did */
	int64_t down_until_us; /* passed over until then */
	bool told;             /* ... and the log says so */
	struct log_limit log;

	bool known;      /* an EHLO has been read */
	unsigned offers; /* what the last one said */

	SSL_CTX *tls; /* the route's; NULL: never TLS */
	struct tls_peer peer;
	int64_t plain_until_us; /* its TLS has failed, and plain will do */
	struct log_limit tls_log;

	/* The pool. */
	struct hop *newest, *oldest; /* idle connections */
	unsigned idle, open;         /* open: idle, borrowed, and being opened */
	struct pool_waiter *first_waiter, *last_waiter;
	struct timer timer;      /* closes the oldest idle ones */
	unsigned narrow;         /* the hop has said that it takes no more than so many ... */
	int64_t narrow_until_us; /* ... and we believe it until then */
};

struct route_state {
	const struct route *route;
	struct host *hosts;
	size_t host_count;
	size_t turn;  /* of round-robin */
	SSL_CTX *tls; /* NULL: never */
	struct maildir *maildir;
};

struct routes {
	struct loop *loop;
	const struct config *config;
	struct offload *offload;
	struct process_slot *metrics; /* may be NULL */
	struct route_state *states;   /* by route->index */
	uint64_t last_serial;         /* of a delivery */
	char hostname[256];           /* what EHLO says */
};

/* The host to try next, of those that aren't marked in `tried`; NULL: none is up.  `last` (may be
 * NULL) answered this transaction before and goes before the others.  A host whose
 * time of being down is over is given to one caller each retry-down, until it works. */
struct host *host_choose(struct route_state *rs, const bool *tried, const struct host *last);
void host_worked(struct host *h);
/* `why` is for the log. */
void host_failed(struct host *h, const char *why);
bool host_is_up(const struct host *h);

void host_count_metric(const struct host *h, enum metric m);

#endif
