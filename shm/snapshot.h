/* What the counter table must not forget when the daemon is restarted: blocks, and limits and
 * counts that have more than a minute to go.  (Over a reload and over any child's death the segment
 * itself lives on.)
 *
 * A file of state-dir, written anew and renamed: a sequential write of 16 bytes an entry costs a
 * hundredth of as many LMDB puts, and nothing looks single entries up in it.  Tags mean something
 * after a restart because the hash key stands in state-dir too.  Live session counts are never
 * saved: the sessions are gone. */
#ifndef SHM_SNAPSHOT_H
#define SHM_SNAPSHOT_H

#include "shm/segment.h"

/* Saves to state_dir/counters.  The number of entries, or -1 with errno. */
long snapshot_save(const struct segment *seg, const char *state_dir);

/* Brings back what was saved, once in a segment's life: later calls do nothing.  Times go on by the
 * boot clock, over a reboot by the wall clock (which counts as standing still if it went
 * backwards).  The number of entries, 0
 * where there is no file, or -1 with errno (EPROTO: it is none of ours, or cut off). */
long snapshot_restore(struct segment *seg, const char *state_dir);

#endif
