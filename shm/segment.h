/* The shared-memory segment: one memfd, made by the master before it forks, mapped by every role that
 * needs it, kept over reloads, handed to the successor at a binary upgrade.
 *
 *   header | process slots | session slots, a block a process | rings, one a process | counter table
 *
 * Pages that nobody touches cost nothing, so the geometry is generous: it never changes while the
 * segment lives, and a reload may use more workers than the start did. */
#ifndef SHM_SEGMENT_H
#define SHM_SEGMENT_H

#include "shm/base/siphash.h"
#include "shm/ring.h"
#include "shm/table.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

/* Raised at every change of a struct that stands in the segment. */
#define SEGMENT_LAYOUT 1
/* Two generations of at most 64 workers, and the keeper and its like. */
#define SEGMENT_PROCESSES 144
#define SEGMENT_WORKERS_MAX 64
#define SEGMENT_SESSIONS_PER_PROCESS 65536

enum role { ROLE_NONE, ROLE_MASTER, ROLE_WORKER, ROLE_KEEPER };
const char *role_name(enum role role);

enum metric {
#define METRIC(name, type, help) METRIC_##name,
#include "shm/metrics.def"
#undef METRIC
	METRIC_COUNT
};

/* What everybody may know of one process.  Written by the process itself, but for pid, role, index,
 * generation and restarts, which are the master's. */
struct process_slot {
	_Atomic int32_t pid; /* 0: free */
	uint32_t role;
	uint32_t index;        /* "worker 3": 3 */
	uint32_t generation;
	uint32_t restarts;     /* of this role and index, since the master started */
	_Atomic uint32_t draining;
	int64_t started_boot_us;
	_Atomic int64_t heartbeat_boot_us;
	_Atomic uint32_t sessions;
	_Atomic uint32_t stress;   /* the worker's own level, 0..3 */
	_Atomic uint64_t spool_bytes;
	_Atomic uint64_t metrics[METRIC_COUNT];
} __attribute__((aligned(64)));

/* One session of a worker: the slot is taken first, then the counts of its keys are raised; when the
 * worker dies the master lowers them by what its slots say (shm/slots.h). */
struct session_slot {
	_Atomic uint32_t state; /* 0 free, 1 being taken, 2 counted */
	uint32_t unused;
	uint64_t tags[2];
};

struct segment_header {
	char magic[8]; /* "gatepost" */
	uint32_t layout;
	uint32_t ring_bytes;
	uint64_t size;
	uint64_t table_entries;
	struct siphash_key key;
	int64_t started_wall_us;
	int64_t loaded_wall_us;          /* when the configuration in force was read */
	_Atomic uint32_t generation;
	_Atomic int32_t master_pid;
	_Atomic uint32_t mode;           /* enum run_mode of policy/config.h */
	_Atomic uint64_t dead_metrics[METRIC_COUNT]; /* sums of processes that are gone */
	_Atomic uint64_t worker_deaths;
	_Atomic uint64_t next_incident;
	_Atomic uint32_t keeper_futex;   /* rings' producers wake the keeper here */
	_Atomic uint32_t keeper_asleep;
};

struct segment {
	struct segment_header *header;
	struct process_slot *processes;      /* SEGMENT_PROCESSES */
	struct session_slot *sessions;       /* SEGMENT_SESSIONS_PER_PROCESS for each process */
	struct table table;
	struct ring rings[SEGMENT_PROCESSES];
	bool writable;
};

/* Makes the segment and maps it.  `key` is the hash key of state-dir.  Returns its descriptor (memfd,
 * close-on-exec) or -1 with errno. */
int segment_create(uint64_t table_entries, uint32_t ring_bytes, const struct siphash_key *key,
		   struct segment *out);

/* Maps a segment that another process made.  0, or -1 with errno (EPROTO: other layout or not one). */
int segment_attach(int fd, bool writable, struct segment *out);
void segment_detach(struct segment *seg);

/* A free process slot for a child that is about to be forked, reset; NULL if all are taken.  Its number
 * is slot - seg->processes. */
struct process_slot *segment_take_process(struct segment *seg, enum role role, uint32_t index,
					  uint32_t generation);
/* After waitpid: adds its metrics to the dead ones' and frees the slot (not its ring, which the keeper
 * may still have to drain: segment_take_process passes over slots whose ring holds events). */
void segment_release_process(struct segment *seg, struct process_slot *slot);

static inline void metric_add(struct process_slot *slot, enum metric m, uint64_t n)
{
	/* One writer a slot: no locked instruction is needed. */
	atomic_store_explicit(&slot->metrics[m],
			      atomic_load_explicit(&slot->metrics[m], memory_order_relaxed) + n,
			      memory_order_relaxed);
}

/* The sum over all processes, dead ones included. */
uint64_t metric_sum(const struct segment *seg, enum metric m);

#endif
