/* Session slots.  The free ones form a chain, so that taking one costs the same with one session
 * and with sixty thousand; slots that were never used are not in it, and their pages are never
 * touched.
 *
 * Chain and high-water mark belong to the process alone.  If it is killed while it changes them,
 * the master doesn't care: it reads the slots themselves and then starts the chain anew. */
#include "shm/slots.h"

#include <assert.h>

static struct session_slot *slot_at(struct segment *seg, unsigned p, uint32_t n)
{
	return &seg->sessions[(uint64_t)p * SEGMENT_SESSIONS_PER_PROCESS + n];
}

/* The number of a slot taken off the chain, or a fresh one; -1 if there is none below `max`. */
static int take_free(struct segment *seg, unsigned p, uint32_t max)
{
	struct process_slot *process = &seg->processes[p];

	if (process->session_slots_free) {
		uint32_t n = process->session_slots_free - 1;
		process->session_slots_free = slot_at(seg, p, n)->next_free;
		return (int)n;
	}
	if (process->session_slots_used >= max)
		return -1;
	/* Before the slot is marked, so that the master's walk reaches it. */
	uint32_t n = process->session_slots_used++;
	atomic_signal_fence(memory_order_seq_cst);
	return (int)n;
}

int slots_take(struct segment *seg, unsigned p, uint32_t max_sessions, const uint64_t tags[2],
	       uint64_t counts[2], int64_t now_us)
{
	if (max_sessions > SEGMENT_SESSIONS_PER_PROCESS)
		max_sessions = SEGMENT_SESSIONS_PER_PROCESS;
	int n = take_free(seg, p, max_sessions);
	if (n < 0)
		return -1;
	struct session_slot *slot = slot_at(seg, p, (uint32_t)n);
	atomic_store_explicit(&slot->taken, 1, memory_order_release);
	for (unsigned i = 0; i < 2; i++) {
		atomic_store_explicit(&slot->tags[i], tags[i], memory_order_release);
		uint64_t count = tags[i] ? table_live_add(&seg->table, tags[i], 1, now_us) : 0;
		if (counts)
			counts[i] = count;
	}
	return n;
}

/* Lowers the counts first: a slot that is killed here is lowered twice at worst, never left
 * counted. */
static void give_counts(struct segment *seg, struct session_slot *slot, int64_t now_us)
{
	for (unsigned i = 0; i < 2; i++) {
		uint64_t tag = atomic_load_explicit(&slot->tags[i], memory_order_acquire);
		if (tag)
			table_live_add(&seg->table, tag, -1, now_us);
		atomic_store_explicit(&slot->tags[i], 0, memory_order_release);
	}
	atomic_store_explicit(&slot->taken, 0, memory_order_release);
}

void slots_give(struct segment *seg, unsigned p, int slot, int64_t now_us)
{
	struct process_slot *process = &seg->processes[p];

	assert(slot >= 0 && (uint32_t)slot < process->session_slots_used);
	struct session_slot *s = slot_at(seg, p, (uint32_t)slot);
	assert(atomic_load_explicit(&s->taken, memory_order_relaxed));
	give_counts(seg, s, now_us);
	s->next_free = process->session_slots_free;
	process->session_slots_free = (uint32_t)slot + 1;
}

unsigned slots_reap(struct segment *seg, unsigned p, int64_t now_us)
{
	struct process_slot *process = &seg->processes[p];
	uint32_t used = process->session_slots_used;
	unsigned held = 0;

	if (used > SEGMENT_SESSIONS_PER_PROCESS)
		used = SEGMENT_SESSIONS_PER_PROCESS;
	for (uint32_t n = 0; n < used; n++) {
		struct session_slot *slot = slot_at(seg, p, n);
		if (!atomic_load_explicit(&slot->taken, memory_order_acquire))
			continue;
		give_counts(seg, slot, now_us);
		held++;
	}
	process->session_slots_used = 0;
	process->session_slots_free = 0;
	return held;
}
