/* The shared-memory segment: one memfd, made by the master before it forks, mapped by every role
 * that needs it, kept over reloads, handed to the successor at a binary upgrade.
 *
 *   header | process slots | session slots, a block a process | rings, one a process | counter
 * table
 *
 * Pages that nobody touches cost nothing, so the geometry is generous: it never changes while the
 * segment lives, and a reload may use more workers than the start did. */
#ifndef SHM_SEGMENT_H
#define SHM_SEGMENT_H

#include "shm/base/siphash.h"
#include "shm/ring.h"
#include "shm/table.h"
#include "shm/tickets.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

/* Raised at every change of a struct that stands in the segment (a new metric is noticed without).
 */
#define SEGMENT_LAYOUT 5
/* Two generations of at most 64 workers, and the keeper and its like. */
#define SEGMENT_PROCESSES            144
#define SEGMENT_WORKERS_MAX          64
#define SEGMENT_SESSIONS_PER_PROCESS 65536

enum role {
	ROLE_NONE,
	ROLE_MASTER,
	ROLE_WORKER,
	ROLE_KEEPER,
	ROLE_ZYGOTE,
	ROLE_ANTIVIRUS,
	ROLE_AUTH
};
const char *role_name(enum role role); /* "worker"; "none" for a number that is no role */

enum metric {
#define METRIC(name, type, help) METRIC_##name,
#include "shm/metrics.def"
#undef METRIC
	METRIC_COUNT
};
const char *metric_name(enum metric m); /* as in metrics.def */
const char *metric_help(enum metric m);

/* What everybody may know of one process.  Written by the process itself, but for pid, role, index,
 * generation, restarts and the start, which are the master's. */
struct process_slot {
	_Atomic int32_t pid;   /* 0 until the master has forked it */
	_Atomic uint32_t role; /* ROLE_NONE: free */
	uint32_t index;        /* "worker 3": 3 */
	uint32_t generation;
	uint32_t restarts; /* of this role and index, since the master started */
	_Atomic uint32_t draining;
	int64_t started_boot_us; /* when the slot was taken for it */
	_Atomic int64_t heartbeat_boot_us;
	_Atomic uint32_t sessions;
	_Atomic uint32_t stress; /* the worker's own level, 0..3 */
	_Atomic uint64_t spool_bytes;
	uint32_t session_slots_used; /* no slot from here on was ever taken (shm/slots.h) */
	uint32_t session_slots_free; /* the first of the chain of free ones below it, + 1 */
	_Atomic uint64_t metrics[METRIC_COUNT];
} __attribute__((aligned(64)));

/* One session of a worker: a tag stands here before its count is raised and until after it is
 * lowered, so that when the worker dies the master can lower what it held (shm/slots.h). */
struct session_slot {
	_Atomic uint32_t taken;
	uint32_t next_free; /* while it is free: the next of the chain, + 1 */
	_Atomic uint64_t tags[2];
};

/* The sums of all metrics now and then (shm/rates.h). */
#define RATE_NOTES 8
struct rate_note {
	_Atomic int64_t boot_us; /* 0: none, or it is being written */
	_Atomic uint64_t sums[METRIC_COUNT];
};
struct rate_notes {
	_Atomic uint32_t last; /* counts up; the newest is last % RATE_NOTES */
	struct rate_note notes[RATE_NOTES];
};

/* What the master knows of the anti-virus engine. */
enum antivirus_state {
	ANTIVIRUS_UNUSED,      /* no check wants it, or a clamd is asked */
	ANTIVIRUS_NO_DATABASE, /* the directory has none */
	ANTIVIRUS_LOADING,     /* the first one: what is asked waits */
	ANTIVIRUS_READY,
	ANTIVIRUS_BROKEN, /* the database there is can't be used, and there was none before */
};
const char *antivirus_state_name(enum antivirus_state s); /* "no database" */

struct antivirus_note {
	_Atomic uint32_t state;
	_Atomic uint32_t signatures, version; /* of the database in force */
	_Atomic int64_t built_wall_s;         /* 0: not known */
	_Atomic int64_t loaded_wall_us;
	_Atomic int64_t
	    failed_wall_us; /* a newer database that can't be used is there, since; 0: none */
};

/* What the master knows of the certificates in force, and which of them are in want of somebody.
 * The list is written before its length; who reads it while it changes may see a name that is cut.
 */
enum certificate_alarm { CERTIFICATE_EXPIRING, CERTIFICATE_OUTDATED };

#define CERTIFICATE_ALARMS 32
struct certificate_alarm_note {
	char name[80]; /* "certificate mx1.example.net" */
	_Atomic uint32_t what;
	_Atomic int64_t ends_wall_s;
};

struct certificate_note {
	_Atomic uint32_t count;              /* of certificates */
	_Atomic uint32_t expiring, outdated; /* of these: end soon or have; have a newer file */
	_Atomic uint32_t alarm_count;
	_Atomic int64_t first_ends_wall_s;
	struct certificate_alarm_note alarms[CERTIFICATE_ALARMS];
};

struct segment_header {
	char magic[8]; /* "gatepost" */
	uint32_t layout;
	uint32_t ring_bytes;
	uint64_t size;
	uint64_t table_entries;
	struct siphash_key key;
	int64_t started_wall_us;
	int64_t loaded_wall_us; /* when the configuration in force was read */
	_Atomic uint32_t generation;
	_Atomic int32_t master_pid;
	_Atomic uint32_t mode;                       /* enum run_mode of policy/config.h */
	_Atomic uint64_t dead_metrics[METRIC_COUNT]; /* sums of processes that are gone */
	_Atomic uint32_t metrics_moving;             /* odd: a slot's are being added to them */
	_Atomic uint64_t worker_deaths;
	_Atomic uint64_t next_incident;
	_Atomic uint32_t keeper_futex; /* rings' producers wake the keeper here */
	_Atomic uint32_t keeper_asleep;
	_Atomic uint32_t counters_restored; /* shm/snapshot.h */
	struct rate_notes notes;
	struct antivirus_note antivirus;
	struct certificate_note certificates;
	struct ticket_keys tickets;
};

struct segment {
	struct segment_header *header;
	struct process_slot *processes; /* SEGMENT_PROCESSES */
	struct session_slot *sessions;  /* SEGMENT_SESSIONS_PER_PROCESS for each process */
	struct table table;
	struct ring rings[SEGMENT_PROCESSES];
	size_t size; /* of the mapping */
	bool writable;
};

/* Makes the segment and maps it.  `table_entries` is rounded up to a power of two; `ring_bytes` is
 * one, large enough for the longest event.  `key` is the hash key of state-dir.  Returns its
 * descriptor (memfd, close-on-exec, sealed against any change of its size) or -1 with errno
 * (EINVAL: geometry). */
int segment_create(uint64_t table_entries, uint32_t ring_bytes, const struct siphash_key *key,
		   struct segment *out);

/* Maps a segment that another process made; the descriptor stays the caller's.  0, or -1 with errno
 * (EPROTO: not a segment, not sealed, or of another layout). */
int segment_attach(int fd, bool writable, struct segment *out);
void segment_detach(struct segment *seg);

/* A free process slot for a child that is about to be forked, reset; NULL if all are taken.  Its
 * number is slot - seg->processes. */
struct process_slot *segment_take_process(struct segment *seg, enum role role, uint32_t index,
					  uint32_t generation);
/* After waitpid and slots_reap: adds its metrics to the dead ones' and frees the slot (not its
 * ring, which the keeper may still have to drain: segment_take_process passes over slots whose ring
 * holds events). */
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
