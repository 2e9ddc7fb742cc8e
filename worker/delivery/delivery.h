/* Handing a message on: to next hops over SMTP and LMTP, or to a Maildir.
 *
 * A slow client never holds a next hop's connection: on a `pooled` route one is borrowed for a
 * question (MAIL and RCPT in one write) and given back, and borrowed again for the delivery.  If
 * nobody has used it in between, its transaction is still open and only the message is missing;
 * else RSET, MAIL, RCPT and DATA go out in one write.  A `hold` route keeps one connection from the
 * first RCPT to the end.
 *
 * Nothing here answers the client: a struct hop_reply says what the hop said, and the session turns
 * it into a reply.  No answer (code 0) is always 451. */
#ifndef WORKER_DELIVERY_DELIVERY_H
#define WORKER_DELIVERY_DELIVERY_H

#include "policy/session.h"
#include "shm/segment.h"
#include "worker/delivery/payload.h"
#include "worker/io/loop.h"

/* All routes of a worker: pools of connections, which hosts are down, Maildirs (opened before the
 * worker drops root, since a path below /root could not be opened later). */
struct routes;
struct routes *routes_open(struct loop *loop, const struct config *config, struct offload *offload,
			   struct process_slot *metrics, struct buf *err);
void routes_close(struct routes *r);

/* What one transaction holds of a route; opened at its first recipient. */
struct delivery;
struct delivery *delivery_open(struct routes *r, const struct session *s,
			       const struct route *route);
/* Gives back or closes what it holds.  NULL is allowed.  Safe at any moment of a session's end. */
void delivery_close(struct delivery *d);

/* Is this recipient (with the transaction's sender and parameters) accepted?  YES 2xx, NO 5xx,
 * UNKNOWN 4xx or no answer.  Maildir: YES unless it can't be written. `deadline_us` bounds the wait
 * for a place in the pool; route settings bound the rest. */
enum answer delivery_ask(struct delivery *d, const struct recipient *r, struct hop_reply *out);

/* The same as a bounce would ask it, with the null sender and nothing of the client, so that the
 * answer is about the recipient alone.  The transaction is not gone on with.  False: it is
 * the null sender that is refused. */
bool delivery_ask_anonymously(struct delivery *d, const struct recipient *r, struct hop_reply *out);

/* What the hop's EHLO said when a connection was last opened: false only if it is known to lack it.
 */
bool delivery_offers_smtputf8(const struct delivery *d);

/* Delivers to all of tx->recipients (by LMTP there must be one only: its replies after the data,
 * one a recipient, couldn't be told; RFC 2033 4.2).  Out: the hop's reply; code 2xx: the message is
 * safe there.  A recipient that has our 250 and is refused now: the message is not completed; out
 * is the hop's own reply with one recipient, else no answer (451). */
void delivery_send(struct delivery *d, const struct payload *p, struct hop_reply *out);

/* For status: how many hosts of a route are up now. */
unsigned routes_hosts_up(const struct routes *r, const struct route *route);

#endif
