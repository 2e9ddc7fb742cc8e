/* SipHash-2-4: a keyed hash that a sender of chosen keys can't make collide. */
#ifndef SHM_BASE_SIPHASH_H
#define SHM_BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

struct siphash_key {
	uint64_t k0, k1;
};

uint64_t siphash(const struct siphash_key *key, const void *data, size_t n);

#endif
