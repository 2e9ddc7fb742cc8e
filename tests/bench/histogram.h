/* Latencies in buckets that are 1/32 wide: a percentile is right within 3 %, whatever the range. */
#ifndef TESTS_BENCH_HISTOGRAM_H
#define TESTS_BENCH_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_SUB 32

struct histogram {
	uint64_t count;
	uint64_t bucket[64 * HISTOGRAM_SUB];
};

static inline unsigned histogram_index(uint64_t ns)
{
	if (ns < HISTOGRAM_SUB)
		return (unsigned)ns;
	const unsigned top = 63u - (unsigned)__builtin_clzll(ns);

	return (top - 4) * HISTOGRAM_SUB + (unsigned)(ns >> (top - 5)) % HISTOGRAM_SUB;
}

static inline void histogram_note(struct histogram *h, uint64_t ns)
{
	h->bucket[histogram_index(ns)]++;
	h->count++;
}

/* The lower end of the bucket that holds the given share (0 to 1) of all; 0 where nothing was
 * noted. */
static inline uint64_t histogram_at(const struct histogram *h, double share)
{
	const uint64_t wanted = (uint64_t)((double)h->count * share);
	uint64_t seen = 0;

	for (unsigned i = 0; h->count && i < 64 * HISTOGRAM_SUB; i++) {
		seen += h->bucket[i];
		if (seen <= wanted && seen < h->count)
			continue;
		if (i < HISTOGRAM_SUB)
			return i;
		return (uint64_t)(HISTOGRAM_SUB + i % HISTOGRAM_SUB) << (i / HISTOGRAM_SUB - 1);
	}
	return 0;
}

#endif
