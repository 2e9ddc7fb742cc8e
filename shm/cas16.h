/* Compare-and-swap of 16 bytes.
 *
 * C17's atomics would call libatomic for this size (and may take a lock there, which a killed
 * process would never give back), so it is one instruction, written out.  The memory must be
 * writable and aligned to 16.  Reading does not need it: two plain loads and a look whether the
 * first still holds. */
#ifndef SHM_CAS16_H
#define SHM_CAS16_H

#include <stdbool.h>
#include <stdint.h>

#ifndef __x86_64__
#error "shm/cas16.h: write the 16-byte compare-and-swap of this processor (aarch64: caspal)"
#endif

struct cas16 {
	uint64_t lo, hi;
} __attribute__((aligned(16)));

/* If `at` holds `expected`, puts `desired` there and returns true.  A full memory barrier either
 * way. */
static inline bool cas16(void *at, struct cas16 expected, struct cas16 desired)
{
	bool done;
	__asm__ volatile("lock cmpxchg16b %1"
			 : "=@ccz"(done), "+m"(*(struct cas16 *)at), "+a"(expected.lo),
			   "+d"(expected.hi)
			 : "b"(desired.lo), "c"(desired.hi)
			 : "memory");
	return done;
}

/* A number that no other claim made within the last second has: the processor's cycle counter. */
static inline uint32_t cas16_nonce(void)
{
	return (uint32_t)__builtin_ia32_rdtsc();
}

#endif
