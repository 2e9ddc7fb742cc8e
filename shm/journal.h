/* The `events` environment: what the keeper keeps of what the workers told it.  The keeper writes,
 * the tool and the status page read. */
#ifndef SHM_JOURNAL_H
#define SHM_JOURNAL_H

#include "shm/event.h"
#include "shm/lists.h"
#include "shm/store.h"

/* The keeper: applies one event within a transaction (store_write).  What it reads of an event:
 *
 *   INCIDENT  `incident`, its id; all of it is kept
 *   REPEAT    `incident`, and `count`: that many times more (without it: once)
 *   HIT       `tag`: the id of the list's entry; `count` as above
 *   LIMIT     `limit`, `unit`, `key`: whose window was full
 *   BLOCK     `check`, `key` and `until`: by what, whom, and to when
 *   VERIFIED  see shm/verified.h
 *
 * Others are for the log alone, and what lacks these fields is passed over.  Incidents and blocks
 * may be applied twice; counts rely on the position that stands in the same transaction. */
int journal_apply(MDB_txn *txn, const struct event_view *v, const void *bytes, size_t n);

/* Within the same transaction, after the last event: the oldest incidents go when the environment
 * nears its cap. */
int journal_make_room(MDB_txn *txn);

/* How far the ring of process slot p has been read: written in the same transaction.  `boot_id` is
 * the segment's: its positions mean nothing in another.  get: MDB_NOTFOUND. */
int journal_position_put(MDB_txn *txn, unsigned p, uint64_t boot_id, uint64_t position);
int journal_position_get(struct store *st, unsigned p, uint64_t boot_id, uint64_t *position);

/* One incident: the event's bytes (copied to out, EVENT_MAX) and how often it came again, and when
 * last (0: never again). */
struct incident {
	uint64_t id;
	uint64_t repeats;
	int64_t last_wall_us;
	size_t n;
	unsigned char bytes[EVENT_MAX];
};
enum answer incident_find(struct store *st, uint64_t id, struct incident *out);
/* Newest first, until fn returns non-zero, which is then returned. */
int incident_each(struct store *st, int (*fn)(const struct incident *i, void *arg), void *arg);

struct hits {
	uint64_t count;
	int64_t last_wall_us;
};
enum answer hits_find(struct store *st, uint64_t entry_id, struct hits *out);

/* Limits that fired in the last 24 hours, blocks in force: each as its newest event.  What it
 * points to is good until fn returns. */
struct noted {
	struct text key; /* the event's `key` */
	uint64_t count;  /* how often it fired in that time; of a block, how often it was renewed */
	struct event_view event;
};
int limits_each(struct store *st, int (*fn)(const struct noted *n, void *arg), void *arg);
int blocks_each(struct store *st, int64_t now_wall_us, int (*fn)(const struct noted *n, void *arg),
		void *arg);
/* Is the client (as of the event's `key`) blocked by that check? */
enum answer blocks_find(struct store *st, struct text check, struct text key, int64_t now_wall_us);
int blocks_del(struct store *st, struct text check, struct text key); /* MDB_NOTFOUND */

/* Removes what is over: incidents older than the days kept (0: none by age), limits of yesterday,
 * ended blocks and answers about addresses, positions in segments that are long gone; at most `max`
 * of each; how many, or -1.
 */
int journal_expire(struct store *st, int64_t now_wall_us, unsigned incident_days, unsigned max);

#endif
