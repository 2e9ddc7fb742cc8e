/* The connections to one host: borrowed, given back, kept for a while, bounded in number.
 *
 * Who finds no place waits in a queue, and what is given back goes to the one who has waited
 * longest. One task borrows a connection; it must give it or drop it. */
#ifndef WORKER_DELIVERY_POOL_H
#define WORKER_DELIVERY_POOL_H

#include "worker/delivery/host.h"

enum borrow_result {
	BORROW_OK,
	BORROW_DOWN,     /* the host can't be reached or does not serve us: it is marked as down */
	BORROW_NO_PLACE, /* all its connections are in use, for as long as one may wait */
	BORROW_CANCELLED,
	BORROW_OURS, /* no memory, no descriptors */
};

/* An idle connection, a new one, or, by `deadline_us`, one that somebody gives back.  `fresh`: only
 * a new one will do.  Yields. */
enum borrow_result pool_borrow(struct host *h, const struct session *s, bool fresh,
			       int64_t deadline_us, struct hop **out);
/* The idle connection on which `owner` has a transaction open (hop->owner), if nobody has borrowed
 * it since; else NULL.  Never waits. */
struct hop *pool_borrow_own(struct host *h, uint64_t owner);
/* Gives back: all replies have been read.  Takes a transaction that is open (RSET goes before the
 * next). */
void pool_give(struct hop *hop);
/* Closes and frees. `polite`: all replies have been read, so it gets a QUIT. */
void pool_drop(struct hop *hop, bool polite);
/* Closes the idle ones: the host has closed one behind our back, so the others are suspect. */
void pool_forget_idle(struct host *h);

#endif
