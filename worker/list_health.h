/* Whether the DNS lists may be believed: asks each one's test points (RFC 5782 5 and 7) at the
 * start and every few minutes, and puts what they say where policy/dnsbl.h finds it.  One worker of
 * the machine does it for all. */
#ifndef WORKER_LIST_HEALTH_H
#define WORKER_LIST_HEALTH_H

#include "policy/world.h"
#include "worker/io/loop.h"

struct config;
struct list_health;
struct resolver;

/* NULL where the configuration has no lists.  All that is given outlives it. */
struct list_health *list_health_start(struct loop *l, struct resolver *r, const struct world *w,
				      const struct config *c);
/* NULL is harmless. */
void list_health_stop(struct list_health *h);

#endif
