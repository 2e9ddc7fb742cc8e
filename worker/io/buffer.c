/* The pool is a list through the buffers themselves. */
#include "worker/io/buffer.h"

#include "worker/io/conn.h"

#include <stdlib.h>

#ifdef GATEPOST_SANITIZED
#define BUFFERS_KEPT 0
#else
#define BUFFERS_KEPT 64
#endif

char *buffer_take(struct buffer_pool *p)
{
	void *b = p->free;

	if (b) {
		memcpy(&p->free, b, sizeof(p->free));
		p->kept--;
	} else {
		b = malloc(CONN_BUFFER_BYTES);
	}
	if (b)
		p->in_use++;
	return b;
}

void buffer_give(struct buffer_pool *p, char *b)
{
	p->in_use--;
	if (p->kept + 1 > BUFFERS_KEPT) {
		free(b);
		return;
	}
	memcpy(b, &p->free, sizeof(p->free));
	p->free = b;
	p->kept++;
}

void buffer_pool_free(struct buffer_pool *p)
{
	while (p->free) {
		void *b = p->free;

		memcpy(&p->free, b, sizeof(p->free));
		free(b);
	}
	p->kept = 0;
}
