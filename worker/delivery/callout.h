/* A conversation with a stranger's mail server, to learn whether it takes mail for an address.
 * Nothing is kept of the connection.
 *
 * Who names the server is whoever writes the domain's DNS, so: only addresses that policy has let
 * through, never one of this machine's own, nothing said but EHLO, MAIL, RCPT, RSET and QUIT, and
 * one deadline for all. */
#ifndef WORKER_DELIVERY_CALLOUT_H
#define WORKER_DELIVERY_CALLOUT_H

#include "policy/callout.h"
#include "worker/delivery/delivery.h"

/* Yields.  The outcomes of *c are filled in.  With c->route it is that route's hosts that are
 * asked, by their pool of connections. */
void callout_run(struct routes *r, const struct session *s, struct callout *c);

#endif
