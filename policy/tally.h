/* Two numbers of one period, counted over all workers: how many of how many.
 *
 * One word of the counter table (TABLE_MARK), so that both are of the same period: two counters
 * whose periods began apart would say "100 of 1" for a moment.  A period begins with the first that
 * is counted in it, and ends on a full minute. */
#ifndef POLICY_TALLY_H
#define POLICY_TALLY_H

#include "policy/session.h"

struct tally {
	uint32_t first, second; /* 20 bits each; halved both when one is full */
	uint64_t end_min;       /* of the boot clock: when the period ends */
};

/* The numbers as the 40 bits of a mark (policy/mark.h). */
uint64_t tally_pack(struct tally t);
struct tally tally_unpack(uint64_t bits40);

/* Adds to the numbers of the period that runs, or of a new one; what stands then.  Two zeros begin
 * the period. */
struct tally tally_add(const struct session *s, uint64_t tag, int64_t period_us, unsigned first,
		       unsigned second);
/* The same for a period that somebody else has begun: numbers of another one are forgotten. */
struct tally tally_add_until(const struct session *s, uint64_t tag, uint64_t end_min,
			     unsigned first, unsigned second);
/* What stands there now. */
struct tally tally_read(const struct session *s, uint64_t tag);
/* The same, and nothing stands any more: of several who take at once one gets it. */
struct tally tally_take(const struct session *s, uint64_t tag);
/* Takes away, down to 0, if the period that runs is that one (0: whichever it is). */
void tally_lessen(const struct session *s, uint64_t tag, uint64_t end_min, unsigned first,
		  unsigned second);

#endif
