/* Process slots of the segment, and the metrics that stand in them. */
#include "shm/segment.h"

#include "shm/base/clock.h"

const char *role_name(enum role role)
{
	switch (role) {
	case ROLE_MASTER:
		return "master";
	case ROLE_WORKER:
		return "worker";
	case ROLE_KEEPER:
		return "keeper";
	case ROLE_ZYGOTE:
		return "zygote";
	case ROLE_ANTIVIRUS:
		return "antivirus";
	case ROLE_AUTH:
		return "auth";
	case ROLE_NONE:
		break;
	}
	return "none";
}

struct process_slot *segment_take_process(struct segment *seg, enum role role, uint32_t index,
					  uint32_t generation)
{
	for (unsigned i = 0; i < SEGMENT_PROCESSES; i++) {
		struct process_slot *slot = &seg->processes[i];
		if (atomic_load(&slot->role) != ROLE_NONE || !ring_drained(&seg->rings[i]))
			continue;
		memset(slot, 0, sizeof(*slot));
		slot->index = index;
		slot->generation = generation;
		slot->started_boot_us = clock_boot_us();
		atomic_store(&slot->role, role);
		return slot;
	}
	return NULL;
}

void segment_release_process(struct segment *seg, struct process_slot *slot)
{
	atomic_fetch_add(&seg->header->metrics_moving, 1);
	for (unsigned m = 0; m < METRIC_COUNT; m++) {
		uint64_t n = atomic_exchange(&slot->metrics[m], 0);
		atomic_fetch_add(&seg->header->dead_metrics[m], n);
	}
	atomic_fetch_add(&seg->header->metrics_moving, 1);
	atomic_store(&slot->pid, 0);
	atomic_store(&slot->sessions, 0);
	atomic_store(&slot->spool_bytes, 0);
	atomic_store(&slot->role, ROLE_NONE);
}

/* A counter that seems to go back reads as a restart to whoever draws it, so a sum that was taken
 * while a dead process's numbers moved is taken again.  A master killed in there only makes the
 * readers give up sooner or later: they try a hundred times. */
uint64_t metric_sum(const struct segment *seg, enum metric m)
{
	uint64_t sum = 0;

	for (unsigned attempt = 0; attempt < 100; attempt++) {
		uint32_t before = atomic_load(&seg->header->metrics_moving);
		sum = atomic_load(&seg->header->dead_metrics[m]);
		for (unsigned i = 0; i < SEGMENT_PROCESSES; i++)
			sum += atomic_load(&seg->processes[i].metrics[m]);
		if (before % 2 == 0 && atomic_load(&seg->header->metrics_moving) == before)
			break;
	}
	return sum;
}

static const struct {
	const char *name, *help;
} METRICS[METRIC_COUNT] = {
#define METRIC(name, type, help) {#name, help},
#include "shm/metrics.def"
#undef METRIC
};

const char *metric_name(enum metric m)
{
	return METRICS[m].name;
}

const char *metric_help(enum metric m)
{
	return METRICS[m].help;
}

const char *antivirus_state_name(enum antivirus_state s)
{
	static const char *const names[] = {
	    [ANTIVIRUS_UNUSED] = "unused",   [ANTIVIRUS_NO_DATABASE] = "no database",
	    [ANTIVIRUS_LOADING] = "loading", [ANTIVIRUS_READY] = "ready",
	    [ANTIVIRUS_BROKEN] = "broken",
	};

	return names[s];
}
