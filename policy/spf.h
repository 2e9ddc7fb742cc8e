/* What SPF (RFC 7208) says of a client, for an identity: kept with the transaction for the check,
 * for Authentication-Results (RFC 8601) and for DMARC. */
#ifndef POLICY_SPF_H
#define POLICY_SPF_H

#include "shm/base/arena.h"

enum spf_code {
	SPF_UNDECIDED, /* ours: no inspector, no resolver, no time.  Not a result of RFC 7208 */
	SPF_NONE,
	SPF_NEUTRAL,
	SPF_PASS,
	SPF_FAIL,
	SPF_SOFTFAIL,
	SPF_TEMPERROR,
	SPF_PERMERROR,
	SPF_CODES
};
/* As RFC 8601 2.7.2 writes them; temperror for SPF_UNDECIDED. */
const char *spf_code_name(enum spf_code c);

enum spf_identity { SPF_MAILFROM, SPF_HELO };
const char *spf_identity_name(enum spf_identity i); /* "mailfrom", "helo" */

struct spf_result {
	enum spf_code code;
	enum spf_identity identity;
	struct text domain; /* that was judged: of MAIL FROM, or of HELO for the null sender */
	struct text sender; /* the whole mailbox that was judged */
	/* The domain's own words on a fail (exp=), printable ASCII and at most SPF_EXPLANATION_MAX
	 * bytes; empty: none. */
	struct text explanation;
	struct text
	    reason; /* ours, for people: "matched -all", "11 look-ups", "no answer for ..." */
	bool passes_nobody; /* the record is `v=spf1 -all` and no more */
	unsigned queries;
};

enum { SPF_EXPLANATION_MAX = 255, SPF_REASON_MAX = 200 };

struct session;
/* The result for an identity, inside a transaction: asked for once, then remembered; yields the
 * first time.  Never NULL.  For the null sender MAIL FROM is postmaster at the HELO name (2.4). */
const struct spf_result *spf_of(const struct session *s, enum spf_identity identity);

/* The results of a transaction; both SPF_UNDECIDED and `asked` false until they were judged. */
struct spf_facts {
	bool asked[2]; /* by identity */
	struct spf_result results[2];
};

#endif
