/* The buffers of connections, all of one size, pooled by loop.
 *
 * A few are kept for the next user; the rest goes back to malloc.  Sanitizer builds keep none, so
 * that a text used after its buffer went back is found. */
#ifndef WORKER_IO_BUFFER_H
#define WORKER_IO_BUFFER_H

#include <stddef.h>

struct buffer_pool {
	void *free;
	unsigned kept;
	size_t in_use; /* for tests and status */
};

/* NULL when there is no memory. */
char *buffer_take(struct buffer_pool *p);
void buffer_give(struct buffer_pool *p, char *b);
/* Frees the ones kept. */
void buffer_pool_free(struct buffer_pool *p);

#endif
