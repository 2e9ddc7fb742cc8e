/* Numbers and texts in a datagram. */
#include "worker/inspect/wire.h"

static void put(struct buf *b, uint64_t v, unsigned bytes)
{
	char out[8];

	for (unsigned i = 0; i < bytes; i++)
		out[i] = (char)(v >> (8 * (bytes - 1 - i)));
	buf_put(b, out, bytes);
}

void wire_put_u8(struct buf *b, uint8_t v)
{
	put(b, v, 1);
}

void wire_put_u16(struct buf *b, uint16_t v)
{
	put(b, v, 2);
}

void wire_put_u32(struct buf *b, uint32_t v)
{
	put(b, v, 4);
}

void wire_put_u64(struct buf *b, uint64_t v)
{
	put(b, v, 8);
}

void wire_put_text(struct buf *b, struct text t)
{
	if (t.n > UINT32_MAX) {
		b->cut = true;
		return;
	}
	wire_put_u32(b, (uint32_t)t.n);
	if (t.n > 0)
		buf_put(b, t.p, t.n);
}

struct text wire_get_bytes(struct reader *r, size_t n)
{
	const struct text t = {r->p, n};

	if (r->bad || n > r->n) {
		*r = (struct reader){r->p, 0, true};
		return LIT("");
	}
	r->p += n;
	r->n -= n;
	return t;
}

static uint64_t get(struct reader *r, unsigned bytes)
{
	const struct text t = wire_get_bytes(r, bytes);
	uint64_t v = 0;

	for (size_t i = 0; i < t.n; i++)
		v = v << 8 | (unsigned char)t.p[i];
	return v;
}

uint8_t wire_get_u8(struct reader *r)
{
	return (uint8_t)get(r, 1);
}

uint16_t wire_get_u16(struct reader *r)
{
	return (uint16_t)get(r, 2);
}

uint32_t wire_get_u32(struct reader *r)
{
	return (uint32_t)get(r, 4);
}

uint64_t wire_get_u64(struct reader *r)
{
	return get(r, 8);
}

struct text wire_get_text(struct reader *r, size_t max)
{
	const size_t n = wire_get_u32(r);

	if (n > max)
		r->bad = true;
	return wire_get_bytes(r, n);
}
