/* The keeper saves the counters that must outlive a restart, and brings them back at its start; and
 * the blocks, which stand in the journal as well, from there: the counters' file is a minute old
 * when all was killed. */
#include "shm/base/clock.h"
#include "shm/journal.h"
#include "shm/journal_parts.h"
#include "shm/keeper_parts.h"
#include "shm/snapshot.h"

#include <errno.h>
#include <string.h>

enum { SAVE_EVERY_S = 60, COMPLAIN_EVERY_S = 600 };

bool keeper_counters_restore(struct keeper *k)
{
	const bool is_first = atomic_load(&k->seg->header->counters_restored) == 0;
	const long n = snapshot_restore(k->seg, k->options->state_dir);

	if (n > 0)
		log_info("%ld counters and blocks of the last run are in force again", n);
	if (n < 0)
		log_error("cannot read state-dir/counters: %s; limits and blocks start anew",
			  strerror(errno));
	k->snapshot_at_us = clock_mono_us() + SAVE_EVERY_S * SECOND_US;
	return is_first;
}

struct restore {
	struct table *table;
	int64_t now_wall_us, now_us;
	long restored;
};

static int restore_block(const struct noted *n, void *arg)
{
	struct restore *r = arg;
	const uint64_t tag = (uint64_t)journal_number(&n->event, FIELD_tag, 0);
	const uint64_t mark = (uint64_t)journal_number(&n->event, FIELD_mark, 0);
	const int64_t until = journal_number(&n->event, FIELD_until, 0);
	int64_t left_us = until - r->now_wall_us;

	if (tag >> 62 != TABLE_MARK || mark == 0 || table_mark_read(r->table, tag, r->now_us) != 0)
		return 0;
	/* Never longer than it was meant to be, wherever the clock was set to meanwhile. */
	if (left_us > until - n->event.wall_us)
		left_us = until - n->event.wall_us;
	if (left_us > 0) {
		table_mark_set(r->table, tag, mark, left_us, r->now_us);
		r->restored++;
	}
	return 0;
}

void keeper_blocks_restore(struct keeper *k)
{
	struct restore r = {&k->seg->table, clock_wall_us(), clock_boot_us(), 0};
	int rc = k->events_open ? blocks_each(&k->events, r.now_wall_us, restore_block, &r) : 0;

	if (rc != 0)
		log_error("cannot read the blocks of the last run: %s", store_error(rc));
	if (r.restored > 0)
		log_info("%ld more blocks of the last run are in force again", r.restored);
}

void keeper_counters_save(struct keeper *k, int64_t now_mono_us)
{
	uint64_t held;

	if (snapshot_save(k->seg, k->options->state_dir) < 0 &&
	    log_allowed(&k->unsaved, COMPLAIN_EVERY_S * SECOND_US, &held))
		log_error(
		    "cannot write state-dir/counters: %s; a restart would forget limits and blocks",
		    strerror(errno));
	k->snapshot_at_us = now_mono_us + SAVE_EVERY_S * SECOND_US;
}
