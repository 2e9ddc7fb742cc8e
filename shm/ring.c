/* A ring of records: bytes from tail to head, each record a header of 8 bytes and its bytes, padded
 * to 8. Both may run over the end of the memory and go on at its start. */
#include "shm/ring.h"

#include <assert.h>
#include <string.h>

/* The second half says whether the first can be believed: it holds length and position, mixed. */
struct header {
	uint32_t length;
	uint32_t check;
};

static uint32_t header_check(uint64_t position, uint32_t length)
{
	return (uint32_t)(((position ^ length) + 1) * UINT64_C(0x9E3779B97F4A7C15) >> 32);
}

static uint64_t record_room(size_t n)
{
	return sizeof(struct header) + ((n + 7) & ~(size_t)7);
}

size_t ring_size(uint64_t bytes)
{
	return sizeof(struct ring_shared) + bytes;
}

void ring_attach(struct ring *r, void *memory, uint64_t bytes)
{
	assert(bytes >= 4096 && (bytes & (bytes - 1)) == 0);
	r->shared = memory;
	r->bytes = bytes;
}

void ring_init(struct ring *r, void *memory, uint64_t bytes)
{
	ring_attach(r, memory, bytes);
	atomic_store_explicit(&r->shared->tail, 0, memory_order_relaxed);
	atomic_store_explicit(&r->shared->head, 0, memory_order_release);
}

static void copy_in(struct ring *r, uint64_t position, const void *from, size_t n)
{
	size_t at = position & (r->bytes - 1);
	size_t first = n < r->bytes - at ? n : r->bytes - at;

	memcpy(r->shared->data + at, from, first);
	memcpy(r->shared->data, (const unsigned char *)from + first, n - first);
}

static void copy_out(const struct ring *r, uint64_t position, void *to, size_t n)
{
	size_t at = position & (r->bytes - 1);
	size_t first = n < r->bytes - at ? n : r->bytes - at;

	memcpy(to, r->shared->data + at, first);
	memcpy((unsigned char *)to + first, r->shared->data, n - first);
}

bool ring_push(struct ring *r, const void *record, size_t n, enum ring_weight weight)
{
	uint64_t head = atomic_load_explicit(&r->shared->head, memory_order_relaxed);
	uint64_t tail = atomic_load_explicit(&r->shared->tail, memory_order_acquire);
	uint64_t room = weight == RING_MATTERS ? r->bytes : r->bytes - r->bytes / 4;
	struct header header = {(uint32_t)n, header_check(head, (uint32_t)n)};

	if (n == 0 || n > r->bytes / 8)
		return false;
	/* A tail beyond the head (garbage) makes a huge number here: full. */
	if (head - tail > room || room - (head - tail) < record_room(n))
		return false;
	copy_in(r, head, &header, sizeof(header));
	copy_in(r, head + sizeof(header), record, n);
	atomic_store_explicit(&r->shared->head, head + record_room(n), memory_order_release);
	return true;
}

long ring_read(const struct ring *r, uint64_t *position, void *out, size_t cap)
{
	uint64_t head = ring_head(r), used = head - ring_tail(r), left = head - *position;
	struct header header;

	if (left == 0)
		return 0;
	if (used > r->bytes || left > used || left < sizeof(header))
		goto senseless;
	copy_out(r, *position, &header, sizeof(header));
	if (header.length == 0 || header.length > r->bytes / 8 ||
	    header.check != header_check(*position, header.length) ||
	    record_room(header.length) > left)
		goto senseless;
	copy_out(r, *position + sizeof(header), out, header.length < cap ? header.length : cap);
	*position += record_room(header.length);
	return header.length;

senseless:
	*position = head;
	return -1;
}

uint64_t ring_head(const struct ring *r)
{
	return atomic_load_explicit(&r->shared->head, memory_order_acquire);
}

uint64_t ring_tail(const struct ring *r)
{
	return atomic_load_explicit(&r->shared->tail, memory_order_acquire);
}

void ring_release(struct ring *r, uint64_t position)
{
	atomic_store_explicit(&r->shared->tail, position, memory_order_release);
}

bool ring_drained(const struct ring *r)
{
	return ring_head(r) == ring_tail(r);
}
