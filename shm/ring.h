/* A single-producer, single-consumer ring of records of any length: one a worker, drained by the
 * keeper.
 *
 * A producer killed half-way never publishes half a record: the head moves only after the bytes
 * stand. Positions count bytes since the ring was made; they are 64-bit and never wrap in practice,
 * so the keeper can store how far it has got.  A quarter is kept for records that matter, which may
 * use all of it; audit records leave it free.  The next producer of a ring (after waitpid) goes on
 * at its head. */
#ifndef SHM_RING_H
#define SHM_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ring_shared {
	_Atomic uint64_t head __attribute__((aligned(64))); /* written by the producer */
	_Atomic uint64_t tail __attribute__((aligned(64))); /* written by the consumer */
	unsigned char data[] __attribute__((aligned(64)));
};

/* The size is each process's own copy: what stands in shared memory may be garbage. */
struct ring {
	struct ring_shared *shared;
	uint64_t bytes; /* a power of two, >= 4096 */
};

enum ring_weight { RING_AUDIT, RING_MATTERS };

/* Lays an empty ring of `bytes` over memory of ring_size(bytes), aligned to 64. */
size_t ring_size(uint64_t bytes);
void ring_init(struct ring *r, void *memory, uint64_t bytes);
/* Looks at an existing one, of the size that it was made with. */
void ring_attach(struct ring *r, void *memory, uint64_t bytes);

/* Appends one record; false if there is no room for its weight.  1 <= n <= bytes / 8. */
bool ring_push(struct ring *r, const void *record, size_t n, enum ring_weight weight);

/* The oldest record at `*position` (start with ring_tail): copies at most `cap` bytes to `out`,
 * moves the position on and returns the record's length (more than cap: it was cut); 0 when there
 * is none; -1 if the bytes make no sense or the position is not between tail and head: it is then
 * moved to the head. */
long ring_read(const struct ring *r, uint64_t *position, void *out, size_t cap);
uint64_t ring_head(const struct ring *r);
uint64_t ring_tail(const struct ring *r);
/* Gives everything before `position` back to the producer. */
void ring_release(struct ring *r, uint64_t position);
bool ring_drained(const struct ring *r);

#endif
