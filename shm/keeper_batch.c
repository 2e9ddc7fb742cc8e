/* One batch of events: out of the rings, into the log, into the journal in one transaction, and
 * only then is their room given back.
 *
 * Killed before the commit, the batch is read again and its lines stand twice in the log; killed
 * after it, the positions that were committed with it say where to go on.  A journal that cannot be
 * written costs the incidents, never the log nor the workers' room. */
#include "shm/base/clock.h"
#include "shm/journal.h"
#include "shm/keeper_parts.h"

#include <inttypes.h>

enum { COMPLAIN_EVERY_S = 60 };

/* ---- out of the rings ---- */

static bool has_room(const struct keeper_batch *b)
{
	return b->n < BATCH_RECORDS && b->used < BATCH_BYTES;
}

static void say_senseless(struct keeper *k, unsigned p)
{
	uint64_t held;

	if (log_allowed(&k->senseless, COMPLAIN_EVERY_S * SECOND_US, &held))
		log_error(
		    "the ring of process slot %u held bytes that make no sense: skipped (%" PRIu64
		    " such before)",
		    p, held);
}

static void take_from(struct keeper *k, unsigned p)
{
	struct keeper_batch *b = &k->batch;
	uint64_t position = k->position[p];
	int i;

	for (i = 0; i < BATCH_OF_RING && has_room(b); i++) {
		long n = ring_read(&k->seg->rings[p], &position, b->bytes + b->used, EVENT_MAX);

		if (n < 0)
			say_senseless(k, p);
		if (n <= 0)
			break;
		if (n > EVENT_MAX)
			continue; /* no event is that long */
		b->records[b->n++] = (struct keeper_record){(uint32_t)b->used, (uint32_t)n};
		b->used += (size_t)n;
	}
	b->more = b->more || i == BATCH_OF_RING;
	b->touched[p] = position != k->position[p];
	b->end[p] = position;
}

static void take(struct keeper *k)
{
	k->batch.n = 0;
	k->batch.used = 0;
	k->batch.more = false;
	for (unsigned i = 0; i < SEGMENT_PROCESSES; i++)
		take_from(k, (k->first_ring + i) % SEGMENT_PROCESSES);
	k->first_ring = (k->first_ring + 1) % SEGMENT_PROCESSES;
}

/* ---- into the journal ---- */

static int apply(MDB_txn *txn, void *arg)
{
	const struct keeper *k = arg;
	const struct keeper_batch *b = &k->batch;
	uint64_t segment = (uint64_t)k->seg->header->started_wall_us;
	int rc = 0;

	for (unsigned i = 0; i < b->n && rc == 0; i++) {
		const unsigned char *bytes = b->bytes + b->records[i].offset;
		struct event_view v;

		if (event_parse(bytes, b->records[i].n, &v))
			rc = journal_apply(txn, &v, bytes, b->records[i].n);
	}
	for (unsigned p = 0; p < SEGMENT_PROCESSES && rc == 0; p++) {
		if (b->touched[p])
			rc = journal_position_put(txn, p, segment, b->end[p]);
	}
	return rc == 0 ? journal_make_room(txn) : rc;
}

static int make_room(MDB_txn *txn, void *arg)
{
	(void)arg;
	return journal_make_room(txn);
}

static void keep(struct keeper *k)
{
	uint64_t held;
	int rc = store_write(&k->events, apply, k);

	/* full at its cap: pages that went may still be held for a reader that has died */
	if (rc == MDB_MAP_FULL) {
		store_clear_dead_readers(&k->events);
		store_write(&k->events, make_room, NULL);
		rc = store_write(&k->events, apply, k);
	}
	if (rc == 0)
		return;
	if (log_allowed(&k->unwritten, COMPLAIN_EVERY_S * SECOND_US, &held))
		log_error(
		    "cannot keep incidents in state-dir/events: %s; mail and log go on (%" PRIu64
		    " batches lost before)",
		    store_error(rc), held);
	if (rc != MDB_MAP_FULL)
		keeper_stores_drop_events(k);
}

/* ---- the round ---- */

static void release(struct keeper *k)
{
	for (unsigned p = 0; p < SEGMENT_PROCESSES; p++) {
		if (!k->batch.touched[p])
			continue;
		k->position[p] = k->batch.end[p];
		ring_release(&k->seg->rings[p], k->batch.end[p]);
	}
}

bool keeper_drain(struct keeper *k)
{
	take(k);
	keeper_log(&k->batch, k->options->log_json);
	if (k->events_open && k->batch.n > 0)
		keep(k);
	release(k);
	return k->batch.more || !has_room(&k->batch);
}
