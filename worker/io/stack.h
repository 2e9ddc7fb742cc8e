/* The stacks of a loop's tasks: carved from large mappings, pooled, each above a guard.
 *
 * The guard is made by MADV_GUARD_INSTALL (Linux 6.13), which splits no mapping, so the 65,530
 * mappings that a process may have don't limit the sessions; elsewhere by mprotect(), which does.
 * No huge pages: an idle task is to cost the one page that it uses. */
#ifndef WORKER_IO_STACK_H
#define WORKER_IO_STACK_H

#include <stdbool.h>
#include <stddef.h>

/* Kept with their pages for the next tasks: some 6 MB at the most.  A stack that comes back cold
 * costs a page fault for each of its pages, a quarter of the CPU of a short pipelined session. */
#define STACKS_WARM 512

struct stack_slab;

struct stack_pool {
	struct stack_slab *slabs;
	char *warm[STACKS_WARM];
	char **cold; /* room for all stacks, so giving one back can't fail */
	size_t warm_count, cold_count, total;
	size_t bytes; /* usable, of one */
	size_t guard_bytes, page;
	size_t high_water;
	bool by_mprotect; /* guards: asked for, or found to be necessary */
	bool measured;
};

/* No memory is taken before the first stack. */
void stack_pool_init(struct stack_pool *p, size_t bytes);
/* All stacks must have been given back. */
void stack_pool_free(struct stack_pool *p);

/* The lowest usable byte of a stack, or NULL when there is no memory. */
char *stack_take(struct stack_pool *p);
void stack_give(struct stack_pool *p, char *low);

/* Gives the pages back that lie wholly below `used`. */
void stack_trim(struct stack_pool *p, char *low, const char *used);
/* Raises high_water to the depth to which this stack's pages are in memory. */
void stack_measure(struct stack_pool *p, char *low);

#endif
