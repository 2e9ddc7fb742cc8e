/* The parts of the journal (internal to it).
 *
 *   DB_INCIDENTS     wall time (8 bytes, big-endian), id (8) -> the event
 *   DB_INCIDENT_IDS  id (8) -> struct incident_record
 *   DB_HITS          id of an entry (8) -> struct hits
 *   DB_LIMITS        hour (8), limit NUL unit NUL key -> struct noted_head, the event
 *   DB_BLOCKS        check NUL key -> struct noted_head, the event
 *   DB_BLOCK_ENDS    until (8), check NUL key -> nothing
 *   DB_VERIFIED, DB_VERIFIED_ENDS: verified.c
 *   DB_POSITIONS     segment (8), process slot (8) -> struct position
 *
 * Whatever goes by age begins with a time, so that the oldest is the first. */
#ifndef SHM_JOURNAL_PARTS_H
#define SHM_JOURNAL_PARTS_H

#include "shm/journal.h"

/* Keys of people's making are cut here (LMDB takes 511 bytes). */
#define NOTED_KEY_MAX 400

struct noted_head {
	uint64_t count;
	int64_t until_wall_us;  /* of a block */
	uint32_t key_n, unused; /* the last bytes of the database's key are the event's */
};

/* journal_noted.c: keys that may begin with a time, and values. */
enum { NOTED_STAMP = 8 };

struct noted_key {
	size_t n;
	char b[NOTED_STAMP + NOTED_KEY_MAX];
};
void noted_key_begin(struct noted_key *k, uint64_t stamp);
/* What does not fit is cut; how much stands there. */
size_t noted_key_add(struct noted_key *k, struct text t);
struct text noted_key_text(const struct noted_key *k);

struct noted_value {
	size_t n;
	char b[sizeof(struct noted_head) + EVENT_MAX];
};
struct text noted_value_text(struct noted_value *value, const struct noted_head *head,
			     struct text bytes);
bool noted_head_read(struct text value, struct noted_head *head);
/* Zero if there is none. */
int noted_head_get(MDB_txn *txn, enum store_db db, struct text key, struct noted_head *head);
/* A text field of an event, empty if it has none. */
struct text noted_text(const struct event_view *v, enum event_field f);
/* fn with what a record holds. */
int noted_show(struct text key, struct text value, uint64_t count,
	       int (*fn)(const struct noted *n, void *arg), void *arg);

int incidents_apply(MDB_txn *txn, const struct event_view *v, struct text bytes);
int incidents_apply_repeat(MDB_txn *txn, const struct event_view *v);
int limits_apply(MDB_txn *txn, const struct event_view *v, struct text bytes);
int verified_apply(MDB_txn *txn, const struct event_view *v);
int blocks_apply(MDB_txn *txn, const struct event_view *v, struct text bytes);

/* journal_oldest.c: removes the records of `db`, whose keys begin with a number of 8 bytes (a
 * moment), from the lowest to `last`, at most `max`; and of `beside` (STORE_DBS: none) what the
 * rest of such a key names.  *done is raised by how many. */
int journal_forget(MDB_txn *txn, enum store_db db, enum store_db beside, int64_t last, unsigned max,
		   unsigned *done);

/* Remove what is older than `before`, at most `max`; *done is raised by how many. */
int incidents_expire(MDB_txn *txn, int64_t before_wall_us, unsigned max, unsigned *done);
int limits_expire(MDB_txn *txn, int64_t before_wall_us, unsigned max, unsigned *done);
/* By the moment at which they end. */
int verified_expire(MDB_txn *txn, int64_t before_wall_us, unsigned max, unsigned *done);
int blocks_expire(MDB_txn *txn, int64_t before_wall_us, unsigned max, unsigned *done);

/* The number in a field, or `otherwise`. */
int64_t journal_number(const struct event_view *v, enum event_field f, int64_t otherwise);

#endif
