/* What one transaction holds of a route, and how its two questions (delivery_ask, delivery_send)
 * find a connection, try again and fail over. */
#ifndef WORKER_DELIVERY_TRANSACTION_H
#define WORKER_DELIVERY_TRANSACTION_H

#include "worker/delivery/dialogue.h"
#include "worker/delivery/host.h"

struct delivery {
	struct routes *routes;
	struct route_state *state;
	const struct session *session;
	bool hold;         /* one connection for the whole transaction */
	struct hop *hop;   /* borrowed now; a held one stays here between two calls */
	bool *tried;       /* by host: not again in this call */
	struct host *last; /* that answered this transaction before: asked first, so that a
			      question and its delivery meet the same host */

	/* The recipients that were accepted in the transaction which a question has left open, on
	 * the connection that is held or on one that is idle in the pool with our serial: if nobody
	 * has borrowed it since, the next question or the delivery goes on there, and the hop need
	 * not judge the recipients twice. */
	uint64_t serial;
	struct text *taken;
	size_t taken_count, taken_capacity;
};

/* How an exchange on a connection ended. */
enum exchange {
	EXCHANGE_DONE,  /* answered; hop and we are in step */
	EXCHANGE_CLOSE, /* answered, but the connection can't be used any more */
	EXCHANGE_AGAIN, /* not answered and surely not accepted: may be said again elsewhere */
	EXCHANGE_LOST,  /* not answered and perhaps accepted */
	EXCHANGE_ENDED, /* not answered, and no use in trying elsewhere: cancelled, or our own fault
			 */
};

/* One exchange: on EXCHANGE_DONE and _CLOSE `r` is the hop's reply, on _AGAIN it may be (a 421). */
typedef enum exchange (*exchange_fn)(struct delivery *d, struct hop *hop, void *arg,
				     struct response *r);

/* Runs `fn` on a connection, and again on others as long as that is safe and there are hosts. `out`
 * is the reply, or code 0. */
void delivery_exchange(struct delivery *d, exchange_fn fn, void *arg, struct hop_reply *out);

/* The transaction with those recipients is open on this connection. */
bool delivery_owns(const struct delivery *d, const struct hop *hop);

/* What a broken dialogue means, as long as the end of the message has not been sent. */
enum exchange exchange_of(const struct hop *hop, enum hop_result got);

#endif
