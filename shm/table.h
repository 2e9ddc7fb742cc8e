/* The counter table: rate limits, unknown recipients, concurrent sessions, repeated incidents.
 *
 * An entry is 16 bytes: a 64-bit tag (SipHash of the key; its top two bits are the kind) and a
 * 64-bit value.  A bucket is a cache line of four; a key has two candidate buckets.  Every change
 * is one 16-byte compare-and-swap, no lock at all.  Full buckets evict what expires first; live
 * session counts are never evicted.  Time is CLOCK_BOOTTIME in us.
 *
 * The stated error: a writer killed at any instruction costs at most its own update, which then was
 * either made or not made; no other count changes.  A key never has two values: see "Claiming" in
 * table.c.  What is lost by design: a key that was evicted starts again from 0, and two keys
 * with the same 62 bits of hash share one count.  Up to a third full, practically nothing is
 * evicted before its time (1 key in a million); half full 1 in 30,000; at 60 % 1 in 2,000. */
#ifndef SHM_TABLE_H
#define SHM_TABLE_H

#include "shm/base/siphash.h"
#include "shm/base/text.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* How a value is read.  Bit 63 of a value is the table's own. */
enum table_kind {
	TABLE_GCRA = 0,  /* theoretical arrival time, us */
	TABLE_COUNT = 1, /* end of the period in ms << 20 | count (saturating) */
	TABLE_LIVE = 2,  /* a count of things that exist now: never evicted while it is above 0 */
	TABLE_MARK = 3, /* end of life in minutes << 40 | 40 bits that mean something to the user */
};

struct table_entry {
	_Atomic uint64_t tag; /* 0: free */
	_Atomic uint64_t value;
};

struct table_bucket {
	struct table_entry entries[4];
} __attribute__((aligned(64)));

struct table {
	struct table_bucket *buckets;
	uint64_t bucket_count; /* a power of two, 2 .. 2^31 */
	struct siphash_key key;
};

/* The tag of a key, never 0: `space` names what is counted ("client messages 1m"), so that equal
 * keys of different limits differ. */
uint64_t table_tag(const struct table *t, enum table_kind kind, struct text space, const void *key,
		   size_t n);

/* The value, or 0 if the key isn't there.  Works on a read-only mapping. */
uint64_t table_read(const struct table *t, uint64_t tag);

/* Replaces the value by change(value, arg), atomically; a missing key starts from 0, and a key
 * whose new value is 0 is freed.  `change` may be called several times and must depend on its
 * arguments alone (what it notes in `arg` at its last call is of the change that was made).
 * Returns the new value (at most 2^63-1).  `now_us` tells which entries are dead
 * and may be taken.  Where both buckets are full of live counts nothing is stored and change(0,
 * arg) is returned. */
uint64_t table_update(struct table *t, uint64_t tag, uint64_t (*change)(uint64_t old, void *arg),
		      void *arg, int64_t now_us);

/* Forgets a key (`gatepost limits reset`, a lifted block). */
void table_forget(struct table *t, uint64_t tag);

/* TABLE_LIVE: +1 / -1 (stops at 0); the count after it. */
uint64_t table_live_add(struct table *t, uint64_t tag, int delta, int64_t now_us);

/* TABLE_COUNT: adds n within the period that is running, or opens a new one of `period_us`; the
 * count after it, which stops at 1,048,575. */
uint32_t table_count_add(struct table *t, uint64_t tag, uint32_t n, int64_t period_us,
			 int64_t now_us);
uint32_t table_count_read(const struct table *t, uint64_t tag, int64_t now_us);

/* TABLE_MARK: sets 40 bits until now + life, rounded up to a full minute; reads them (0: none or
 * over). */
void table_mark_set(struct table *t, uint64_t tag, uint64_t bits40, int64_t life_us,
		    int64_t now_us);
uint64_t table_mark_read(const struct table *t, uint64_t tag, int64_t now_us);

#endif
