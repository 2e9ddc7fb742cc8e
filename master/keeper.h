/* Being the keeper: what its freshly exec'd child runs. */
#ifndef MASTER_KEEPER_H
#define MASTER_KEEPER_H

#include "policy/config.h"

/* Enters state-dir, drops root, filters its system calls, and keeps until SIGTERM.  `process` is
 * its slot in the segment.  The exit status. */
int keeper_main(const struct config *config, unsigned process, int segment_fd, int lifeline_fd);

#endif
