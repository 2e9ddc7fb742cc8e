/* Slabs of stacks, and what the kernel is told about their pages. */
#include "worker/io/stack.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

#define STACKS_PER_SLAB 32
/* Libraries aren't all compiled with probes of each page, so the guard is wider than one. */
#define GUARD_PAGES 4

struct stack_slab {
	struct stack_slab *next;
	char *base;
};

void stack_pool_init(struct stack_pool *p, size_t bytes)
{
	*p = (struct stack_pool){.page = (size_t)sysconf(_SC_PAGESIZE)};
	p->guard_bytes = GUARD_PAGES * p->page;
	p->bytes = (bytes + p->page - 1) / p->page * p->page;
}

static size_t stride(const struct stack_pool *p)
{
	return p->guard_bytes + p->bytes;
}

void stack_pool_free(struct stack_pool *p)
{
	while (p->slabs) {
		struct stack_slab *s = p->slabs;

		p->slabs = s->next;
		munmap(s->base, stride(p) * STACKS_PER_SLAB);
		free(s);
	}
	free(p->cold);
	p->cold = NULL;
	p->warm_count = p->cold_count = p->total = 0;
}

static bool guard(struct stack_pool *p, char *at)
{
	if (!p->by_mprotect && madvise(at, p->guard_bytes, MADV_GUARD_INSTALL) == 0)
		return true;
	p->by_mprotect = true;
	return mprotect(at, p->guard_bytes, PROT_NONE) == 0;
}

static bool slab_add(struct stack_pool *p)
{
	const size_t length = stride(p) * STACKS_PER_SLAB;
	char **cold = realloc(p->cold, (p->total + STACKS_PER_SLAB) * sizeof(*cold));

	if (!cold)
		return false;
	p->cold = cold;
	struct stack_slab *s = malloc(sizeof(*s));
	if (!s)
		return false;
	s->base = mmap(NULL, length, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
	if (s->base == MAP_FAILED) {
		free(s);
		return false;
	}
	madvise(s->base, length, MADV_NOHUGEPAGE); /* only costs memory where it is refused */
	for (size_t i = 0; i < STACKS_PER_SLAB; i++) {
		if (!guard(p, s->base + i * stride(p))) {
			munmap(s->base, length);
			free(s);
			return false;
		}
	}
	s->next = p->slabs;
	p->slabs = s;
	p->total += STACKS_PER_SLAB;
	for (size_t i = STACKS_PER_SLAB; i-- > 0;)
		p->cold[p->cold_count++] = s->base + i * stride(p) + p->guard_bytes;
	return true;
}

char *stack_take(struct stack_pool *p)
{
	if (p->warm_count)
		return p->warm[--p->warm_count];
	if (p->cold_count == 0 && !slab_add(p))
		return NULL;
	return p->cold[--p->cold_count];
}

void stack_give(struct stack_pool *p, char *low)
{
	if (p->measured)
		stack_measure(p, low);
	if (p->warm_count < STACKS_WARM) {
		p->warm[p->warm_count++] = low;
		return;
	}
	madvise(low, p->bytes, MADV_DONTNEED);
	p->cold[p->cold_count++] = low;
}

void stack_trim(struct stack_pool *p, char *low, const char *used)
{
	const uintptr_t end = (uintptr_t)used & ~((uintptr_t)p->page - 1);

	if (p->measured)
		stack_measure(p, low);
	if (end > (uintptr_t)low)
		madvise(low, end - (uintptr_t)low, MADV_DONTNEED);
}

void stack_measure(struct stack_pool *p, char *low)
{
	const size_t pages = p->bytes / p->page;
	unsigned char in_memory[1024];
	size_t i = 0;

	if (pages > sizeof(in_memory) || mincore(low, p->bytes, in_memory) < 0)
		return;
	while (i < pages && !(in_memory[i] & 1))
		i++;
	if ((pages - i) * p->page > p->high_water)
		p->high_water = (pages - i) * p->page;
}
