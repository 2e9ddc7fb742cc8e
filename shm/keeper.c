/* The keeper's loop: drain, tend, sleep until a producer has something. */
#include "shm/keeper.h"

#include "shm/base/clock.h"
#include "shm/keeper_parts.h"
#include "shm/rates.h"

#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
	SLEEP_MS = 200,
	/* While events trickle in, the keeper comes back after this by itself: they share a commit,
	 * and no worker pays for waking it. */
	NAP_MS = 10,
	/* The workers of a master that died end by themselves; their last events are still wanted.
	 */
	ORPHANED_MAX_S = 900,
};

/* ---- sleeping ---- */

/* Not the private kind: the word is shared between processes. */
static void futex(_Atomic uint32_t *word, int operation, uint32_t value,
		  const struct timespec *timeout)
{
	syscall(SYS_futex, word, operation, value, timeout, NULL, 0);
}

void keeper_wake(struct segment *seg)
{
	struct segment_header *h = seg->header;

	/* the push before this, and the keeper's look at the rings after it said that it sleeps */
	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load_explicit(&h->keeper_asleep, memory_order_relaxed) == 0)
		return;
	/* of several producers one makes the system call */
	if (atomic_exchange(&h->keeper_asleep, 0) == 0)
		return;
	atomic_fetch_add(&h->keeper_futex, 1);
	futex(&h->keeper_futex, FUTEX_WAKE, 1, NULL);
}

static bool rings_are_empty(const struct keeper *k)
{
	for (unsigned p = 0; p < SEGMENT_PROCESSES; p++) {
		if (ring_head(&k->seg->rings[p]) != k->position[p])
			return false;
	}
	return true;
}

static void sleep_until_woken(struct keeper *k)
{
	static const struct timespec timeout = {.tv_nsec = SLEEP_MS * 1000000L};
	struct segment_header *h = k->seg->header;
	uint32_t seen = atomic_load(&h->keeper_futex);

	atomic_store(&h->keeper_asleep, 1);
	atomic_thread_fence(memory_order_seq_cst);
	if (rings_are_empty(k) && !k->options->stop())
		futex(&h->keeper_futex, FUTEX_WAIT, seen, &timeout);
	atomic_store(&h->keeper_asleep, 0);
}

static void nap(void)
{
	static const struct timespec time = {.tv_nsec = NAP_MS * 1000000L};

	nanosleep(&time, NULL);
}

/* ---- when to end ---- */

static bool master_is_gone(const struct keeper *k)
{
	struct pollfd p = {.fd = k->options->lifeline_fd, .events = POLLIN};

	return poll(&p, 1, 0) == 1 && (p.revents & (POLLHUP | POLLIN | POLLERR));
}

static bool a_worker_lives(const struct keeper *k)
{
	for (unsigned p = 0; p < SEGMENT_PROCESSES; p++) {
		const struct process_slot *slot = &k->seg->processes[p];
		pid_t pid = atomic_load(&slot->pid);

		if (pid > 0 && slot->role == ROLE_WORKER && (kill(pid, 0) == 0 || errno == EPERM))
			return true;
	}
	return false;
}

static bool should_end(struct keeper *k, int64_t now_mono_us)
{
	if (k->options->stop())
		return true;
	if (!master_is_gone(k))
		return false;
	if (k->orphaned_at_us == 0) {
		k->orphaned_at_us = now_mono_us;
		log_warn("the master is gone: ending when the workers have");
	}
	return !a_worker_lives(k) || now_mono_us > k->orphaned_at_us + ORPHANED_MAX_S * SECOND_US;
}

/* ---- the loop ---- */

static void beat(struct keeper *k)
{
	struct process_slot *slot = &k->seg->processes[k->options->process];

	atomic_store(&slot->heartbeat_boot_us, clock_boot_us());
}

static void serve(struct keeper *k)
{
	k->seg->processes[k->options->process].started_boot_us = clock_boot_us();
	for (;;) {
		int64_t now = clock_mono_us();

		beat(k);
		rates_note(k->seg, clock_boot_us());
		if (should_end(k, now))
			return;
		bool more = keeper_drain(k);

		keeper_stores_tend(k, now);
		if (more)
			continue;
		if (keeper_found_any(k))
			nap();
		else
			sleep_until_woken(k);
	}
}

/* Up to what stands in the rings now; after a reload the workers go on pushing, for the next
 * keeper. */
static void drain_last(struct keeper *k)
{
	uint64_t heads[SEGMENT_PROCESSES];
	bool behind = true;

	for (unsigned p = 0; p < SEGMENT_PROCESSES; p++)
		heads[p] = ring_head(&k->seg->rings[p]);
	while (behind) {
		beat(k);
		keeper_drain(k);
		behind = false;
		for (unsigned p = 0; p < SEGMENT_PROCESSES; p++)
			behind = behind || (int64_t)(heads[p] - k->position[p]) > 0;
	}
}

int keeper_run(struct segment *seg, const struct keeper_options *o)
{
	struct keeper *k;

	if (!seg->writable || o->process >= SEGMENT_PROCESSES) {
		log_error("the keeper needs the shared memory to write");
		return 1;
	}
	k = calloc(1, sizeof(*k));
	if (!k) {
		log_error("no memory for the keeper");
		return 1;
	}
	k->seg = seg;
	k->options = o;
	const bool is_first = keeper_counters_restore(k);

	keeper_stores_tend(k, clock_mono_us());
	if (is_first)
		keeper_blocks_restore(k);
	keeper_stores_positions(k);
	serve(k);
	drain_last(k);
	keeper_counters_save(k, clock_mono_us());
	keeper_stores_close(k);
	free(k);
	return 0;
}
