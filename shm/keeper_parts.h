/* The parts of the keeper (internal to it). */
#ifndef SHM_KEEPER_PARTS_H
#define SHM_KEEPER_PARTS_H

#include "shm/base/log.h"
#include "shm/event.h"
#include "shm/keeper.h"
#include "shm/store.h"

enum {
	BATCH_RECORDS = 1024,
	BATCH_BYTES = 256 * 1024,
	BATCH_LINES = 64 * 1024,
	BATCH_OF_RING = 256, /* of one ring in one batch, so that none waits for a loud one */
};

struct keeper_record {
	uint32_t offset, n;
};

/* What one round takes out of the rings, and how far that brings each of them. */
struct keeper_batch {
	struct keeper_record records[BATCH_RECORDS];
	unsigned n;
	size_t used;
	bool more; /* a ring gave its share, and has more */
	bool touched[SEGMENT_PROCESSES];
	uint64_t end[SEGMENT_PROCESSES];
	unsigned char bytes[BATCH_BYTES + EVENT_MAX];
	char lines[BATCH_LINES]; /* of the log, on their way out */
};

struct keeper {
	struct segment *seg;
	const struct keeper_options *options;
	struct store lists, events;
	bool lists_open, events_open;
	uint64_t position[SEGMENT_PROCESSES];
	unsigned first_ring; /* of the next batch */
	int64_t open_at_us, expire_at_us, readers_at_us, snapshot_at_us, orphaned_at_us;
	struct log_limit senseless, unwritten, unopened, unexpired, unsaved;
	struct keeper_batch batch;
};

/* keeper_batch.c: one batch from the rings to the log and the journal.  True if it was a full one.
 */
bool keeper_drain(struct keeper *k);
static inline bool keeper_found_any(const struct keeper *k)
{
	return k->batch.n > 0;
}

/* keeper_log.c: the batch's lines. */
void keeper_log(struct keeper_batch *b, bool json);

/* keeper_stores.c: what is done by timer: opening what isn't open, expiry, dead readers. */
void keeper_stores_tend(struct keeper *k, int64_t now_mono_us);
/* Where each ring was left, by this keeper's predecessor or the one before. */
void keeper_stores_positions(struct keeper *k);
/* Something is wrong with events/: it is opened anew after a while. */
void keeper_stores_drop_events(struct keeper *k);
void keeper_stores_close(struct keeper *k);

/* keeper_counters.c: counters over a restart (shm/snapshot.h). */
/* True: this is the first keeper of the segment, and nothing of the last run is in it but these. */
bool keeper_counters_restore(struct keeper *k);
/* The blocks that are listed and yet not in force. */
void keeper_blocks_restore(struct keeper *k);
void keeper_counters_save(struct keeper *k, int64_t now_mono_us);

#endif
