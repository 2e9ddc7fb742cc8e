/* A share of something, counted over all workers: how many of how many within a period that runs.
 *
 * One word of the counter table, so that both numbers are of the same period: two counters whose
 * periods began apart would say "100 of 1" for a moment. */
#ifndef POLICY_SHARE_H
#define POLICY_SHARE_H

#include "policy/session.h"

struct share {
	uint32_t part, all; /* 20 bits each; halved both when they are full */
};

/* As the 40 bits of a TABLE_MARK. */
uint64_t share_pack(struct share share);
struct share share_unpack(uint64_t bits40);

/* Counts one more at `tag` (TABLE_MARK), in the period that runs (it ends on a full minute) or the
 * first of a new one; what stands then. */
struct share share_count(const struct session *s, uint64_t tag, int64_t period_us, bool in_part);

#endif
