/* TLS to a next hop: whether it is wanted, and the way there. */
#ifndef WORKER_DELIVERY_HOP_SECURE_H
#define WORKER_DELIVERY_HOP_SECURE_H

#include "worker/delivery/hop.h"

/* What the route's hosts need for TLS; before the worker drops root.  False: err says why. */
struct route_state;
bool route_secure_open(struct route_state *rs, struct buf *err);
void route_secure_close(struct route_state *rs);

/* Nothing is said to this host without TLS. */
bool host_must_be_secure(const struct host *h);
/* After a handshake that failed, where that is allowed: plain for a while. */
void host_go_plain(struct host *h, const char *why);

/* Each yields.  HOP_INSECURE: there is no TLS, h->tls_failure says why, and the connection is of no
 * more use.
 *
 * TLS from the first byte, where the host wants it so. */
enum hop_result hop_secure_first(struct hop *h);
/* After EHLO: STARTTLS, where it is wanted and isn't on already.  HOP_OK with TLS on: what the host
 * had said before counts no more (RFC 3207 4.2), and EHLO is to be said again. */
enum hop_result hop_starttls(struct hop *h, struct response *r);

#endif
