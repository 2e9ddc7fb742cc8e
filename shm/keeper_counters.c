/* The keeper saves the counters that must outlive a restart, and brings them back at its start. */
#include "shm/base/clock.h"
#include "shm/keeper_parts.h"
#include "shm/snapshot.h"

#include <errno.h>
#include <string.h>

enum { SAVE_EVERY_S = 60, COMPLAIN_EVERY_S = 600 };

void keeper_counters_restore(struct keeper *k)
{
	const long n = snapshot_restore(k->seg, k->options->state_dir);

	if (n > 0)
		log_info("%ld counters and blocks of the last run are in force again", n);
	if (n < 0)
		log_error("cannot read state-dir/counters: %s; limits and blocks start anew",
			  strerror(errno));
	k->snapshot_at_us = clock_mono_us() + SAVE_EVERY_S * SECOND_US;
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
