/* The zygote: forks the inspectors, replaces those that die, kills those that hang.
 *
 * It has the configuration, a page that it shares with the master, its end of the socket pair and a
 * pipe that tells of the master's death; it never has the segment or a listening socket, and it
 * reads nothing that came from the network. */
#ifndef WORKER_INSPECT_ZYGOTE_H
#define WORKER_INSPECT_ZYGOTE_H

#include "worker/inspect/zygote_scan.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { INSPECTORS_MAX = 64 };

/* What the master and the zygote share, in a memfd of one page that outlives the zygote. */
struct zygote_status {
	_Atomic int64_t heartbeat_boot_us;
	_Atomic uint32_t ready;      /* its inspectors serve */
	_Atomic uint32_t inspectors; /* alive */
	_Atomic uint64_t deaths;     /* of inspectors, but those that ended as they were meant to */
	_Atomic uint64_t hung;       /* of these: killed for taking too long */
	struct engine_info engine;   /* of a zygote with an engine, from `ready` on */
};

/* It could not start, because the database of its engine is no good. */
enum { ZYGOTE_EXIT_DATABASE = 3 };

/* Makes the page; its descriptor (memfd, close-on-exec) or -1. */
int zygote_status_create(struct zygote_status **out);

struct zygote_options {
	unsigned inspectors; /* 1 .. INSPECTORS_MAX */
	uint64_t memory_bytes;
	struct text user; /* of the jail (worker/inspect/jail.h) */
	int serve_fd, status_fd;
	const struct zygote_scan *scan; /* NULL: without an engine */
};

/* Jails itself, then serves until SIGTERM, or until nobody is left who asks.  The exit status. */
int zygote_run(const struct zygote_options *o);

/* How many inspectors the setting means: 0 is two for each core. */
unsigned zygote_inspectors(int64_t setting);

#endif
