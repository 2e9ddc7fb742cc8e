/* Children: forked and exec'd from our own executable, so that each has a fresh address space and
 * no inherited heap.  They find what they need under fixed descriptors. */
#ifndef MASTER_CHILD_H
#define MASTER_CHILD_H

#include "shm/segment.h"

enum child_fd {
	CHILD_FD_CONFIG = 3, /* the sealed bundle */
	CHILD_FD_SEGMENT,    /* zygotes and auth have their pages here, and never the segment */
	CHILD_FD_LIFELINE, /* read end of a pipe that only the master can write: EOF is its death */
	CHILD_FD_INSPECT,  /* workers: the end that asks; a zygote: the one that serves */
	CHILD_FD_SCAN,     /* workers: where the anti-virus inspectors are asked */
	CHILD_FD_AUTH,     /* workers: the end that asks; auth: the one that serves */
	CHILD_FD_KEYS,     /* workers: certificates and their keys, sealed */
	CHILD_FD_LISTEN,   /* the first of the listening sockets */
};

struct child {
	enum role role;
	unsigned index;
	unsigned generation;
	pid_t pid;                 /* 0: not running */
	struct process_slot *slot; /* NULL: not running */
	int64_t started_mono_us;
	int64_t restart_at_mono_us; /* when not running: 0 never, else when */
	unsigned quick_deaths;      /* in a row; the back-off grows with them */
	unsigned restarts;
	int64_t beat; /* the heartbeat seen last, and for how many ticks it stood still */
	unsigned still_ticks;
};

struct child_resources {
	struct segment *segment;
	int segment_fd; /* of zygotes and auth: their pages */
	int config_fd;
	int lifeline_read_fd;
	int inspect_fd;        /* -1: none */
	int scan_fd;           /* -1: none */
	int auth_fd;           /* -1: none */
	int keys_fd;           /* workers only; -1: none */
	const int *listen_fds; /* workers only */
	size_t listen_count;
};

/* Forks and execs.  False (logged) if there is no process slot or fork fails: the caller tries
 * later. */
bool child_start(struct child *c, const struct child_resources *r);

/* The other side: what main() calls when it finds itself started as a child ("--child worker 12 0 3
 * 2": role, process slot, index, generation, listeners).  Does not return to the master's code: the
 * result is the exit status. */
int child_main(int argc, char **argv);

/* "worker 3" for messages. */
const char *child_name(const struct child *c, char dst[32]);

#endif
