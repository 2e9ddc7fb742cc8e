/* state-dir: made where it is missing, given to the user that the children become, locked by the
 * one master that runs on it; the hash key of the counters stands in it. */
#ifndef MASTER_STATE_DIR_H
#define MASTER_STATE_DIR_H

#include "shm/base/siphash.h"
#include "shm/base/text.h"

struct state_dir {
	int fd;      /* of the directory */
	int lock_fd; /* held while the master lives */
	struct siphash_key key;
};

/* `user` owns what is made if we are root.  False with a message in err. */
bool state_dir_open(struct state_dir *s, struct text path, struct text user, struct buf *err);

#endif
