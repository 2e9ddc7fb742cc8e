/* Counts of a period and marks in the shared table, asked through the world.  What a value means is
 * shm/table.h's; GCRA values are shm/limit.h's. */
#ifndef POLICY_COUNTER_H
#define POLICY_COUNTER_H

#include "policy/session.h"

/* The width at which one client is one: an IPv4 address, an IPv6 /64. */
struct ip client_key(const struct session *s);

/* A tag for the client at that width. */
uint64_t client_tag(const struct session *s, enum table_kind kind, const char *space);

/* TABLE_COUNT: one more within the period that runs, or the first of a new one; the count after it.
 */
uint32_t counter_add(const struct session *s, uint64_t tag, int64_t period_us);

/* TABLE_MARK: 40 bits for that long (rounded up to a minute); 0: none, or over. */
void mark_set(const struct session *s, uint64_t tag, uint64_t bits40, int64_t life_us);
uint64_t mark_read(const struct session *s, uint64_t tag);

#endif
