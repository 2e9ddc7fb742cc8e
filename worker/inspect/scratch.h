/* Where the anti-virus engine may write: a room of its own for each inspector, empty between two
 * questions.
 *
 * As root, each room is a tmpfs of bounded size inside the jail, and the inspector's root
 * directory: it sees nothing else.  Where the kernel or a container allows no mounts, rooms are
 * directories below state-dir, and still root directories; started as anybody else, they are
 * working directories. */
#ifndef WORKER_INSPECT_SCRATCH_H
#define WORKER_INSPECT_SCRATCH_H

#include "shm/base/text.h"

struct scratch_options {
	unsigned rooms;
	uint64_t bytes;        /* of one */
	struct text user;      /* whose they are */
	const char *state_dir; /* for what can't be mounted */
	unsigned index;        /* of this zygote, among those that live at once */
};

/* In the zygote, once, in place of jail_enter(): makes the rooms, goes where they are and becomes
 * `user`, with no right left but that to change the root directory.  False with a message. */
bool scratch_enter(const struct scratch_options *o, struct buf *err);

/* In an inspector: goes into its room for good, and gives that right up too. */
bool scratch_take_room(unsigned room, struct buf *err);

/* In the zygote: removes what a dead inspector left. */
void scratch_clean_room(unsigned room);

/* In an inspector: removes what stands in its room. */
void scratch_sweep(void);

#endif
