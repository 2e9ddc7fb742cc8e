/* Numbers and texts in a datagram: big-endian, a text with its length before it.
 *
 * Written into a struct buf, which notes in `cut` that something did not fit; read by a reader that
 * never goes past the end and notes in `bad` that it would have had to: what it then returns is
 * zero or empty, so that a caller may read on and ask once, at the end. */
#ifndef WORKER_INSPECT_WIRE_H
#define WORKER_INSPECT_WIRE_H

#include "shm/base/text.h"

struct reader {
	const char *p;
	size_t n;
	bool bad;
};

static inline struct reader reader_over(struct text t)
{
	return (struct reader){t.p, t.n, false};
}

/* All was read and nothing was missing. */
static inline bool reader_done(const struct reader *r)
{
	return !r->bad && r->n == 0;
}

void wire_put_u8(struct buf *b, uint8_t v);
void wire_put_u16(struct buf *b, uint16_t v);
void wire_put_u32(struct buf *b, uint32_t v);
void wire_put_u64(struct buf *b, uint64_t v);
void wire_put_text(struct buf *b, struct text t);

uint8_t wire_get_u8(struct reader *r);
uint16_t wire_get_u16(struct reader *r);
uint32_t wire_get_u32(struct reader *r);
uint64_t wire_get_u64(struct reader *r);
/* A view of the reader's bytes; at most `max` bytes, else the reader is bad. */
struct text wire_get_text(struct reader *r, size_t max);
struct text wire_get_bytes(struct reader *r, size_t n);

#endif
