/* Whether an address exists, by the word of another server: what is remembered of it, else the
 * server itself, asked within a limit for each target.
 *
 * A yes and a no are remembered, each for its time; a temporary answer never as either.  A target
 * that takes any address, or refuses the null sender, is noticed: it isn't asked further.  One
 * question for an address at a time; who comes meanwhile waits for its answer. */
#ifndef POLICY_VERIFY_H
#define POLICY_VERIFY_H

#include "policy/callout.h"
#include "policy/session.h"

struct verify_rules {
	enum verified_kind kind;
	int64_t positive_us, negative_us;
	/* A target or an address without a useful answer is not asked again for so long; 0: it is,
	 * at once. */
	int64_t retry_us;
	const struct rate *rate; /* for each target */
	int64_t wait_us;         /* for the same question of another session */
};

struct verify_result {
	struct verify_answer answer;
	struct text facts; /* in words, in the transaction's arena */
};

/* `c` is filled in but for what verify() adds: the other addresses to ask.  `target` names it for
 * limits and notes: a domain.  Yields. */
struct verify_result verify(const struct session *s, const struct verify_rules *rules,
			    struct text address_key, struct text target, struct callout *c);

/* The marks of one address or target, for whoever forgets them: `gatepost sender forget`. */
#define VERIFY_BUSY "verify busy"

#endif
