/* The `events` environment: what the keeper keeps of what the workers told it.  The keeper writes,
 * the tool and the status page read. */
#ifndef SHM_JOURNAL_H
#define SHM_JOURNAL_H

#include "shm/event.h"
#include "shm/lists.h"
#include "shm/store.h"

/* The keeper: applies one event within a transaction of its own making (store_write): incidents and
 * repeats by id, hits by entry, limits that fired, blocks.  Idempotent. */
int journal_apply(MDB_txn *txn, const struct event_view *v, const void *bytes, size_t n);

/* How far the ring of process slot p has been read: written in the same transaction. */
int journal_position_put(MDB_txn *txn, unsigned p, uint64_t boot_id, uint64_t position);
int journal_position_get(struct store *st, unsigned p, uint64_t boot_id, uint64_t *position);

/* One incident: the event's bytes (copied to out, EVENT_MAX) and how often it came again, and when last. */
struct incident {
	uint64_t id;
	uint64_t repeats;
	int64_t last_wall_us;
	size_t n;
	unsigned char bytes[EVENT_MAX];
};
enum answer incident_find(struct store *st, uint64_t id, struct incident *out);
/* Newest first, until fn returns non-zero. */
int incident_each(struct store *st, int (*fn)(const struct incident *i, void *arg), void *arg);

struct hits {
	uint64_t count;
	int64_t last_wall_us;
};
enum answer hits_find(struct store *st, uint64_t entry_id, struct hits *out);

/* Limits that fired lately, blocks in force: each as its newest event. */
struct noted {
	struct text key;
	uint64_t count;
	struct event_view event;
};
int limits_each(struct store *st, int (*fn)(const struct noted *n, void *arg), void *arg);
int blocks_each(struct store *st, int64_t now_wall_us, int (*fn)(const struct noted *n, void *arg), void *arg);
int blocks_del(struct store *st, struct text key);

/* Removes what is older than the days kept, or the oldest when the map nears its cap; how many. */
int journal_expire(struct store *st, int64_t now_wall_us, unsigned incident_days, unsigned max);

#endif
