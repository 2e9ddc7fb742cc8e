/* Memory that lives as long as a session or a transaction: a list of chunks, handed out front to
 * back.
 *
 * Tens of thousands of idle sessions hold one chunk each, so the first is small (a 512-byte block
 * of malloc) and each further one twice as large as the last, up to 8 KiB.  What would take more
 * than half of a new chunk gets a block of its own, put behind the current chunk, whose rest stays
 * in use.
 *
 * Built with the sanitizers, every allocation is a block of its own, so that a read one byte past
 * the end is seen. */
#include "shm/base/arena.h"

#include <stdio.h>
#include <stdlib.h>

#ifdef GATEPOST_SANITIZED
enum { FIRST_CHUNK = 0, LAST_CHUNK = 0 };
#else
/* 8 bytes less than the block: malloc's own word */
enum { FIRST_CHUNK = 512 - 8, LAST_CHUNK = 8192 - 8 };
#endif

enum { ALIGN = 16 };

struct arena_chunk {
	struct arena_chunk *next;
	uint32_t size; /* of data */
	uint32_t used;
	_Alignas(ALIGN) char data[];
};

void arena_init(struct arena *a, void (*no_memory)(void *arg), void *arg)
{
	*a = (struct arena){.no_memory = no_memory, .no_memory_arg = arg};
}

void arena_no_memory(struct arena *a)
{
	if (a->no_memory)
		a->no_memory(a->no_memory_arg);
	abort();
}

static struct arena_chunk *chunk_new(struct arena *a, size_t size)
{
	struct arena_chunk *c = NULL;

	if (size <= UINT32_MAX)
		c = malloc(sizeof(*c) + size);
	if (!c)
		arena_no_memory(a);
	c->size = (uint32_t)size;
	c->used = 0;
	return c;
}

static size_t next_chunk_size(const struct arena *a)
{
	size_t block;

	if (!a->head)
		return FIRST_CHUNK - (FIRST_CHUNK ? sizeof(struct arena_chunk) : 0);
	block = (a->head->size + sizeof(struct arena_chunk)) * 2 + 8;
	if (block > LAST_CHUNK)
		block = LAST_CHUNK;
	return block - (block ? sizeof(struct arena_chunk) : 0);
}

static struct arena_chunk *chunk_with_room(struct arena *a, size_t size, size_t align)
{
	struct arena_chunk *c = a->head;
	size_t chunk = next_chunk_size(a);

	if (c) {
		size_t start = (c->used + align - 1) & ~(align - 1);

		if (start <= c->size && size <= c->size - start) {
			c->used = (uint32_t)start;
			return c;
		}
	}
	if (size <= chunk / 2 || (!c && size <= chunk)) {
		c = chunk_new(a, chunk);
		c->next = a->head;
		a->head = c;
		return c;
	}
	c = chunk_new(a, size);
	if (a->head) {
		c->next = a->head->next;
		a->head->next = c;
	} else {
		c->next = NULL;
		a->head = c;
	}
	return c;
}

static void *take(struct arena *a, size_t size, size_t align)
{
	struct arena_chunk *c = chunk_with_room(a, size, align);
	char *p = c->data + c->used;

	c->used += (uint32_t)size;
	a->used += size;
	return p;
}

void *arena_alloc(struct arena *a, size_t size)
{
	void *p = take(a, size, ALIGN);

	return memset(p, 0, size);
}

struct text arena_text(struct arena *a, struct text t)
{
	char *p;

	if (t.n == SIZE_MAX)
		abort();
	p = take(a, t.n + 1, 1);
	if (t.n > 0)
		memcpy(p, t.p, t.n);
	p[t.n] = '\0';
	return text_make(p, t.n);
}

struct text arena_vprintf(struct arena *a, const char *fmt, va_list ap)
{
	va_list again;
	int n;
	char *p;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (n < 0) /* a result over 2 GiB, or a format that is none */
		return arena_text(a, LIT(""));
	p = take(a, (size_t)n + 1, 1);
	vsnprintf(p, (size_t)n + 1, fmt, ap);
	return text_make(p, (size_t)n);
}

struct text arena_printf(struct arena *a, const char *fmt, ...)
{
	struct text t;
	va_list ap;

	va_start(ap, fmt);
	t = arena_vprintf(a, fmt, ap);
	va_end(ap);
	return t;
}

void arena_reset(struct arena *a)
{
	struct arena_chunk *c = a->head;

	a->head = NULL;
	a->used = 0;
	while (c) {
		struct arena_chunk *next = c->next;

		free(c);
		c = next;
	}
}
