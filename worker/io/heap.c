/* A binary heap whose entries know their timer and whose timers know their entry. */
#include "worker/io/heap.h"

#include "worker/io/loop.h"

#include <stdlib.h>
#include <sys/mman.h>

#define HEAP_BYTES ((HEAP_MAX + 1) * sizeof(struct heap_entry))

bool heap_init(struct heap *h)
{
	void *p = mmap(NULL, HEAP_BYTES, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	h->count = 0;
	h->entries = p == MAP_FAILED ? NULL : p;
	return h->entries != NULL;
}

void heap_free(struct heap *h)
{
	if (h->entries)
		munmap(h->entries, HEAP_BYTES);
	h->entries = NULL;
}

static void put(struct heap *h, uint32_t slot, struct heap_entry e)
{
	h->entries[slot] = e;
	e.timer->slot = slot;
}

/* Finds the place of `e`, for which `slot` is free. */
static void sift(struct heap *h, uint32_t slot, struct heap_entry e)
{
	for (; slot > 1 && e.at_us < h->entries[slot / 2].at_us; slot /= 2)
		put(h, slot, h->entries[slot / 2]);
	for (;;) {
		uint32_t child = slot * 2;

		if (child > h->count)
			break;
		if (child < h->count && h->entries[child + 1].at_us < h->entries[child].at_us)
			child++;
		if (e.at_us <= h->entries[child].at_us)
			break;
		put(h, slot, h->entries[child]);
		slot = child;
	}
	put(h, slot, e);
}

void heap_place(struct heap *h, struct timer *t)
{
	uint32_t slot = t->slot;

	if (slot == 0) {
		if (h->count == HEAP_MAX)
			abort();
		slot = ++h->count;
	}
	sift(h, slot, (struct heap_entry){t->at_us, t});
}

void heap_remove(struct heap *h, struct timer *t)
{
	uint32_t slot = t->slot;

	if (slot == 0)
		return;
	t->slot = 0;
	struct heap_entry last = h->entries[h->count--];
	if (last.timer != t)
		sift(h, slot, last);
}

struct timer *heap_first(const struct heap *h)
{
	return h->count ? h->entries[1].timer : NULL;
}
