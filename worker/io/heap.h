/* The deadlines of a loop: a binary heap of timers, earliest first, O(log n).
 *
 * It lives in a reserved range of address space whose pages appear as they are used, so setting a
 * timer neither allocates nor fails. */
#ifndef WORKER_IO_HEAP_H
#define WORKER_IO_HEAP_H

#include <stdbool.h>
#include <stdint.h>

struct timer;

/* Every task needs a page and more, so memory ends before this does; beyond it the process aborts.
 */
#define HEAP_MAX (UINT32_C(1) << 20)

struct heap_entry {
	int64_t at_us; /* a copy: comparing does not touch the timers */
	struct timer *timer;
};

struct heap {
	struct heap_entry *entries; /* 1 .. count */
	uint32_t count;
};

bool heap_init(struct heap *h);
void heap_free(struct heap *h);

/* Puts the timer in its place by its at_us, whether it is in the heap or not. */
void heap_place(struct heap *h, struct timer *t);
/* Harmless if it is not in the heap. */
void heap_remove(struct heap *h, struct timer *t);
/* NULL when empty. */
struct timer *heap_first(const struct heap *h);

#endif
