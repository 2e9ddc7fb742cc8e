/* Concurrent sessions, counted so that a killed worker's share is given back.
 *
 * The stated error: a worker killed between marking a tag in its slot and changing the count costs
 * one count of that key, downwards: a count too low heals when it comes to 0, one too high never
 * would. */
#ifndef SHM_SLOTS_H
#define SHM_SLOTS_H

#include "shm/segment.h"

/* Takes a slot of process `p` for a session whose client counts under up to two tags (TABLE_LIVE;
 * 0: none), raises their counts and returns the slot's number, or -1 if max_sessions (at most
 * SEGMENT_SESSIONS_PER_PROCESS) are taken.  `counts` (may be NULL) gets the counts after it.  Only
 * the process itself takes and gives its slots. */
int slots_take(struct segment *seg, unsigned p, uint32_t max_sessions, const uint64_t tags[2],
	       uint64_t counts[2], int64_t now_us);
/* Gives it back and lowers the counts. */
void slots_give(struct segment *seg, unsigned p, int slot, int64_t now_us);
/* The master, after waitpid: gives back all that a dead process held; how many sessions it was. */
unsigned slots_reap(struct segment *seg, unsigned p, int64_t now_us);

#endif
