/* The world as a worker sees it: LMDB, shared memory, the next hop (policy/world.h). */
#ifndef WORKER_WORLD_H
#define WORKER_WORLD_H

#include "policy/world.h"
#include "shm/segment.h"
#include "shm/store.h"

struct smtp_server;

struct worker_world {
	struct segment *seg;
	unsigned process;
	const char *state_dir;
	char delimiter; /* of tags in local parts; 0: none */
	struct store lists, events;
	bool lists_open, events_open;
};

/* `self` outlives the world. */
struct world worker_world_make(struct worker_world *self);
/* Opens the lists, and what is remembered of addresses; where that fails every answer is "unknown"
 * until it succeeds: call it now and then. */
void worker_world_open(struct worker_world *self);
void worker_world_close(struct worker_world *self);

#endif
