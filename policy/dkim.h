/* What DKIM (RFC 6376, 8301, 8463) says of a message: each signature that was looked at, kept with
 * the transaction for the check, for SPF, for Authentication-Results (RFC 8601) and for DMARC. */
#ifndef POLICY_DKIM_H
#define POLICY_DKIM_H

#include "shm/base/text.h"

enum dkim_code {
	/* Ours: no inspector, no resolver, no time.  Not a result of RFC 6376. */
	DKIM_UNDECIDED,
	DKIM_PASS,
	DKIM_FAIL,      /* it does not verify */
	DKIM_NEUTRAL,   /* it can't be understood: as good as none */
	DKIM_POLICY,    /* it verifies, but is not acceptable (RFC 8301, options of check "dkim") */
	DKIM_TEMPERROR, /* its key could not be had, and may be had later */
	DKIM_PERMERROR, /* it can never be verified: no key, say */
	DKIM_CODES
};
/* As RFC 8601 2.7.1 writes them; temperror for DKIM_UNDECIDED. */
const char *dkim_code_name(enum dkim_code c);

/* Why a signature didn't pass, in words that never hold any text of the sender's. */
enum dkim_reason {
	DKIM_REASON_NONE,         /* it passed */
	DKIM_REASON_NO_SIGNATURE, /* of a message that has none */
	/* FAIL */
	DKIM_REASON_BODY,      /* its hash of the body is another one */
	DKIM_REASON_SIGNATURE, /* the header is another one, or the key is */
	DKIM_REASON_EXPIRED,   /* x= */
	DKIM_REASON_FUTURE,    /* t= */
	/* POLICY */
	DKIM_REASON_KEY_WEAK, /* fewer bits than check "dkim" asks for, never under 1,024 */
	DKIM_REASON_SHA1,     /* rsa-sha1 (RFC 8301) */
	DKIM_REASON_PARTIAL,  /* l= leaves a part of the body unsigned */
	/* NEUTRAL */
	DKIM_REASON_SYNTAX,
	DKIM_REASON_ALGORITHM, /* not known */
	/* PERMERROR */
	DKIM_REASON_FROM, /* h= leaves From unsigned */
	DKIM_REASON_KEY_NONE,
	DKIM_REASON_KEY_REVOKED,
	DKIM_REASON_KEY_SYNTAX,
	DKIM_REASON_KEY_LONG, /* a record over 4 KB */
	DKIM_REASON_KEY_USE,  /* it is not for such signatures: its h=, k=, s= or t=s */
	DKIM_REASON_MESSAGE,  /* none that everybody reads alike: no From or several, NULs */
	/* TEMPERROR */
	DKIM_REASON_NO_ANSWER,
	DKIM_REASONS
};
const char *dkim_reason_text(enum dkim_reason r); /* "body changed"; "" for NONE */
enum dkim_code dkim_code_of(enum dkim_reason r);

enum dkim_algorithm {
	DKIM_ALGORITHM_UNKNOWN,
	DKIM_ALGORITHM_RSA_SHA1,
	DKIM_ALGORITHM_RSA_SHA256,
	DKIM_ALGORITHM_ED25519_SHA256,
	DKIM_ALGORITHMS
};
const char *dkim_algorithm_name(enum dkim_algorithm a); /* "rsa-sha256"; "" for UNKNOWN */

enum {
	/* Signatures that are looked at; those behind them are counted. */
	DKIM_SIGNATURES_MAX = 16,
	/* Letters of b= that tell signatures of one domain apart (header.b, RFC 6008). */
	DKIM_B_MAX = 16,
	DKIM_IDENTITY_MAX = 320,
	DKIM_NAME_MAX = 253
};

struct dkim_signature {
	enum dkim_code code;
	enum dkim_reason reason;
	enum dkim_algorithm algorithm;
	unsigned key_bits; /* 0: not known */
	bool testing;      /* t=y in the key: a failure is as good as no signature */
	bool partial;      /* l= ends before the body does */
	/* d=, lower case, A-labels; empty: it has none, or not a domain name. */
	struct text domain;
	/* s=, the same; i=, printable ASCII without blanks, '"' and '\\', "" or "x@y" or "@y" with
	 * a domain name y at or below d=. */
	struct text selector, identity;
	struct text b; /* the first letters of b= (base64), at least 8 if it has as many */
};

struct dkim_result {
	/* The message was looked at.  If not, `why` says in words why nobody could, there are no
	 * signatures here, and the message may have some all the same. */
	bool judged;
	struct text why;
	size_t count; /* 0, and judged: it has no signature */
	struct dkim_signature signatures[DKIM_SIGNATURES_MAX];
	unsigned more; /* signatures beyond them: as if they were not there */
	unsigned queries;
};

struct session;
/* The result for the transaction's message, from the end of data on: asked for once, then
 * remembered; yields the first time.  Never NULL. */
const struct dkim_result *dkim_of(const struct session *s);

/* "example.org: body changed, list.example: pass"; for log and explain, in the arena. */
struct text dkim_summary(const struct session *s);

/* Nobody can tell whether there is a signature that passes: it wasn't judged, or the key of one
 * that hasn't failed otherwise could not be had.  (There may be others that pass.) */
bool dkim_is_unsure(const struct dkim_result *r);

#endif
