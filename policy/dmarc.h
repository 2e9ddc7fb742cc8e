/* DMARC (RFC 9989): does the author's domain vouch for the message, and what does it ask for if it
 * doesn't?  Pure policy code: the DNS is asked through the world, SPF and DKIM were judged before.
 *
 *   dmarc_record.c  the record:   "v=DMARC1; p=reject; ..."
 *   dmarc_walk.c    the tree walk (4.10): records of a name and those above it
 *   dmarc.c         alignment, policy, result
 *   dmarc_message.c what SPF and DKIM say of a transaction's message, and its result */
#ifndef POLICY_DMARC_H
#define POLICY_DMARC_H

#include "policy/message/author.h"
#include "policy/session.h"

enum dmarc_policy { DMARC_POLICY_NONE, DMARC_POLICY_QUARANTINE, DMARC_POLICY_REJECT };
const char *dmarc_policy_name(enum dmarc_policy p); /* "none", "quarantine", "reject" */

enum dmarc_psd { DMARC_PSD_UNKNOWN, DMARC_PSD_YES, DMARC_PSD_NO };

struct dmarc_record {
	/* What absent tags fall back to is filled in: np to sp, sp to p. */
	enum dmarc_policy p, sp, np;
	enum dmarc_psd psd;
	bool strict_dkim, strict_spf; /* adkim=s, aspf=s */
	bool testing;                 /* t=y: the policy is one step lower */
	/* A valid p, or a valid rua (then p is none): else there is no policy here (4.7). */
	bool has_policy;
};

/* False: it isn't a DMARC record.  Tags may stand in any order behind v; unknown and malformed ones
 * are ignored, and so are pct (but for pct=0, which says what t=y says), rf and ri.  Of a repeated
 * tag the first valid one counts. */
bool dmarc_record_parse(struct text t, struct dmarc_record *out);

enum { DMARC_WALK_MAX = 8 };

/* The records that were met, the longest name first. */
struct dmarc_walk {
	struct text start;
	size_t count;
	struct text names[DMARC_WALK_MAX]; /* views of `start` */
	struct dmarc_record records[DMARC_WALK_MAX];
	bool start_missing; /* there is no such name as _dmarc.<start> */
	/* A look-up that wasn't answered, of a name in front of which the walk didn't end; empty:
	 * none.  What was found below it is listed. */
	struct text unanswered;
	const char *why;
};

/* Sets off the questions of a walk. */
void dmarc_walk_start(const struct session *s, struct text domain);
/* At most DMARC_WALK_MAX questions; yields.  `domain` is in lower-case A-label form and outlives
 * the walk. */
void dmarc_walk(const struct session *s, struct text domain, struct dmarc_walk *out);
/* The organisational domain (4.10.2): a view of walk->start. */
struct text dmarc_walk_organisation(const struct dmarc_walk *walk);

/* Is it the organisational domain of this name, too?  Yields. */
enum answer dmarc_is_of(const struct session *s, struct text domain, struct text organisation);
/* Relaxed alignment of two domains, in lower-case A-label form; yields. */
enum answer dmarc_aligned(const struct session *s, struct text a, struct text b);

enum dmarc_code { DMARC_NONE, DMARC_PASS, DMARC_FAIL, DMARC_TEMPERROR, DMARC_PERMERROR };
const char *dmarc_code_name(enum dmarc_code c); /* as RFC 8601 and 9989 write them */

struct dmarc_result {
	enum dmarc_code code;
	/* What the domain asks for where DMARC fails, lowered by t=y; none where there is no
	 * policy. */
	enum dmarc_policy policy;
	enum author_status author;
	struct text domain;     /* the author's; empty: From: names none */
	struct text found_at;   /* the name whose record holds; empty: none */
	struct text aligned_by; /* "spf", "dkim", "spf and dkim"; empty: nothing */
	struct text reason;     /* for people, where code isn't PASS; in ASCII without '"' */
	/* Why a failure isn't held against the message: "trusted_forwarder: host
	 * lists.example.org", with RFC 9990's word for it; empty: nothing overrides the policy. */
	struct text override;
};

/* An identity that has been authenticated, or might have been. */
struct dmarc_identity {
	struct text domain; /* lower case, A-labels */
	bool passed;        /* else nobody could tell (temperror) */
};

struct dmarc_identities {
	const struct dmarc_identity *spf;
	size_t spf_count;
	const struct dmarc_identity *dkim;
	size_t dkim_count;
	/* Something wasn't judged at all, and may have been aligned: never FAIL then. */
	bool undecided;
};

/* The result for the transaction's message, from the end of data on: judged once, then remembered;
 * yields the first time.  Never NULL.  Whoever overrides the policy says so in it. */
struct dmarc_result *dmarc_of(const struct session *s);
/* Sets off what it will ask of the DNS for the author's domain. */
void dmarc_start(const struct session *s);

/* Judges the message; yields.  Texts stand in the transaction's arena. */
void dmarc_evaluate(const struct session *s, const struct dmarc_identities *ids,
		    struct dmarc_result *out);

#endif
