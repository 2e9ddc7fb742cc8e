/* Logins that fail: counted over all workers, by client and by login, and what follows.
 *
 * What counts is *distinct pairs of login and password*, kept as keyed digests for an hour after
 * they were last seen: a phone that repeats one old password behind a carrier's NAT is one pair
 * however often it tries.
 *
 * By client (IPv4 address, IPv6 /64): that many pairs within the period of `failures` block it for
 * `block`, twice as long each further time.  A success takes away the pairs of that login, and of
 * no other: who has an account can't buy guesses at others' with it.
 *
 * By login: the more pairs fail on it, from wherever, the longer the answer to an attempt is put
 * off, to a right one, too, or a client could tell by its watch and leave.  Nobody is locked out:
 * the owner waits `delay-max` at most, and from where a login has succeeded lately not at all.
 *
 * The stated error: a worker that is killed at any instruction costs at most one pair of its
 * client's count, or one block's line in the list; and a key that the counter table evicted begins
 * anew. */
#ifndef POLICY_AUTH_H
#define POLICY_AUTH_H

#include "policy/block.h"

/* What the caller does about an attempt. */
struct auth_effect {
	int64_t delay_us;  /* how long its answer is to be put off */
	struct text facts; /* for the log, in the check's arena: "pair 3 of the client's 10/10m" */
};

/* The credentials of an attempt were wrong; not for one that nobody could judge (454), nor for one
 * that was malformed or broken off.  `login` as given.  `secret` is empty where the mechanism
 * doesn't show it (SCRAM): then the first `failures` of a client on one login within the period are
 * one pair, as those of a phone with an old password, and each further one is a pair of its own.
 *
 * Counts the attempt (s->auth_attempts); may block the client, which engine_auth() then knows. */
struct auth_effect auth_failed(struct session *s, struct text login, struct text secret);

/* They were right. */
struct auth_effect auth_succeeded(struct session *s, struct text login);

/* "14 pairs on 9 logins in 10m", in the check's arena. */
struct text auth_block_fact(const struct session *s, struct tally why);

/* The spaces of the client's tags (client_tag() of TABLE_MARK), for the tool that lifts a block. */
#define AUTH_COUNT  "auth count"
#define AUTH_BLOCKS "auth blocks"

#endif
