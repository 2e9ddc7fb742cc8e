/* The keeper: the only writer of LMDB besides the tool.  It drains the rings, writes log lines in
 * batches, commits in groups, expires entries, grows the maps.  It may be dead for a minute and
 * mail still flows. */
#ifndef SHM_KEEPER_H
#define SHM_KEEPER_H

#include "shm/segment.h"

struct keeper_options {
	const char *state_dir;
	bool log_json;
	unsigned incident_days;
	unsigned process;   /* its slot in the segment, for heartbeat and metrics */
	int lifeline_fd;    /* end of file: the master is gone, end when the workers have; or -1 */
	bool (*stop)(void); /* asked between rounds: true after SIGTERM */
	size_t events_max_bytes; /* cap of state-dir/events; 0: as shm/store.c has it */
};

/* Runs until stopped; drains once more before it returns.  0, or 1 if it could not start. */
int keeper_run(struct segment *seg, const struct keeper_options *o);

/* A producer, after a push: wakes the keeper if (and only if) it sleeps. */
void keeper_wake(struct segment *seg);

#endif
