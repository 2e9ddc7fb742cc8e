/* Rate limits as GCRA.  "100/1h" is a bucket of 100 that refills 100 an hour: one word of state,
 * the theoretical arrival time (TAT).  Pure arithmetic; the words live in the table (shm/table.h).
 * Over any stretch of time at most n and what was refilled in it pass, give or take a microsecond a
 * charge. */
#ifndef SHM_LIMIT_H
#define SHM_LIMIT_H

#include "shm/base/text.h"

struct rate {
	uint64_t n;        /* at most this many ... */
	int64_t period_us; /* ... in this time */
};

/* "100/1h", "50M/1d" (K, M, G: times 1024), "600/1m": false if it is none, or 0. */
bool rate_parse(struct text t, struct rate *out);
/* As people write it, "100/1h"; returns dst. */
char *rate_format(const struct rate *r, char dst[48]);

/* Would `amount` more be within the rate?  If not, `retry_us` (may be NULL) is the wait until it
 * would be.  An amount above n is allowed when the bucket is full, else it could never pass. */
bool rate_allows(const struct rate *r, uint64_t tat_us, uint64_t amount, int64_t now_us,
		 int64_t *retry_us);
/* The TAT after `amount` has been charged. */
uint64_t rate_charge(const struct rate *r, uint64_t tat_us, uint64_t amount, int64_t now_us);
/* How much of n is in use now, for people (more than n after an amount above n). */
uint64_t rate_used(const struct rate *r, uint64_t tat_us, int64_t now_us);

#endif
