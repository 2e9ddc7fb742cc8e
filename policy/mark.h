/* Marks in the shared table, asked through the world: 40 bits that live for a while.  (GCRA values
 * are shm/limit.h's.) */
#ifndef POLICY_MARK_H
#define POLICY_MARK_H

#include "policy/session.h"

/* The width at which one client is one: an IPv4 address, an IPv6 /64. */
struct ip client_key(const struct session *s);

/* A tag for the client at that width. */
uint64_t client_tag(const struct session *s, enum table_kind kind, const char *space);

/* TABLE_MARK: 40 bits for that long (rounded up to a minute); 0: none, or over. */
void mark_set(const struct session *s, uint64_t tag, uint64_t bits40, int64_t life_us);
/* Sets one where none stands; true: it did, as one of several who try at once does. */
bool mark_claim(const struct session *s, uint64_t tag, uint64_t bits40, int64_t life_us);
/* The same, and one that stands lives on from now. */
bool mark_claim_or_renew(const struct session *s, uint64_t tag, uint64_t bits40, int64_t life_us);
uint64_t mark_read(const struct session *s, uint64_t tag);

#endif
