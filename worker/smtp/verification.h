/* Questions about addresses that sessions of this worker are asking other servers just now: each
 * once, whoever else wants to know.
 *
 * What came of one is kept until the keeper has written it, so that nobody asks again in between.
 */
#ifndef WORKER_SMTP_VERIFICATION_H
#define WORKER_SMTP_VERIFICATION_H

#include "policy/callout.h"

struct smtp_session;
struct verification;

enum { VERIFICATION_CHAINS = 256 };

/* A part of a server; zeroed to begin with. */
struct verifications {
	struct verification *chains[VERIFICATION_CHAINS];
	struct verification *oldest, **newest; /* of those that are done */
	size_t done_count;
};

/* policy/world.h: verify_join, verify_end.  A session asks one at a time. */
bool verification_join(struct smtp_session *ss, enum verified_kind kind, struct text key,
		       int64_t wait_us, struct verify_answer *out);
void verification_end(struct smtp_session *ss, const struct verify_answer *a);

/* The session is over, whatever it was asking: one of those who wait asks in its place. */
void verification_abandon(struct smtp_session *ss);

/* No session is left. */
void verifications_free(struct verifications *all);

#endif
