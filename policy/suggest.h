/* The nearest known name to one that isn't known, for error messages: by edit distance, where a
 * swap of neighbours counts once.  Offer all known names, then ask. */
#ifndef POLICY_SUGGEST_H
#define POLICY_SUGGEST_H

#include "shm/base/text.h"

struct suggestion {
	struct text wanted;
	char best[64];     /* empty: nothing is near enough */
	unsigned distance; /* of best */
};

void suggest_begin(struct suggestion *s, struct text wanted);
/* `known` is copied. */
void suggest_offer(struct suggestion *s, struct text known);
/* The number of edits between two names; more than 64 characters count as far away. */
unsigned suggest_distance(struct text a, struct text b);

#endif
