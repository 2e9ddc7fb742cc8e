/* One process of the pool: an event loop, thousands of sessions.  Started by the master in a
 * freshly exec'd child. */
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

#include "policy/config.h"

struct worker_start {
	struct config *config; /* its certificates are filled in and forgotten */
	int segment_fd;
	unsigned process; /* its slot in the segment */
	unsigned index;   /* "worker 3" */
	unsigned generation;
	/* One for each address of each listener, in the order of the configuration. */
	const int *listen_fds;
	size_t listen_count;
	int inspect_fd;  /* where questions are asked (worker/inspect/ask.h); -1: nowhere */
	int scan_fd;     /* the same for the anti-virus inspectors; -1: nowhere */
	int auth_fd;     /* where the auth process is asked; -1: nowhere */
	int keys_fd;     /* certificates and their keys (config_keys_read()) */
	int lifeline_fd; /* end of file: the master is gone; stop accepting, drain, end */
};

/* Opens what needs root, drops root, serves until drained.  The exit status. */
int worker_main(const struct worker_start *start);

#endif
