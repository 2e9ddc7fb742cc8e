/* What happened in the last minute: the keeper notes the sums of all metrics now and then, and who
 * wants to know subtracts. */
#ifndef SHM_RATES_H
#define SHM_RATES_H

#include "shm/segment.h"

/* The keeper, in each round: notes the sums if the last note is ten seconds old. */
void rates_note(struct segment *seg, int64_t now_boot_us);

/* How much each metric grew over the last minute, or since the start if that was later; how long
 * that was (0: not known, since no keeper has noted anything for a minute). */
int64_t rates_last_minute(const struct segment *seg, int64_t now_boot_us,
			  uint64_t grown[METRIC_COUNT]);

#endif
