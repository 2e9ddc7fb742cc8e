/* Asking another mail server whether it takes mail for an address: MAIL FROM:<>, RCPT TO:<address>
 * and nothing more.  What its replies mean is policy/verify.h's; the conversation is the worker's.
 */
#ifndef POLICY_CALLOUT_H
#define POLICY_CALLOUT_H

#include "policy/config.h"
#include "shm/verified.h"

/* How far a conversation got: what the first reply answers. */
enum callout_stage {
	CALLOUT_UNREACHED, /* no connection, or not even a greeting */
	CALLOUT_GREETING,
	CALLOUT_HELLO,
	CALLOUT_MAIL, /* the null sender */
	CALLOUT_RCPT,
};

struct callout_reply {
	short code; /* 0: none */
	char enhanced[10];
	char text[VERIFIED_TEXT_MAX + 1];
};

/* A mail server of a stranger. */
struct callout_target {
	struct ip ip;
	struct text name; /* the MX host */
};
enum { CALLOUT_TARGETS_MAX = 4 };

struct callout {
	/* In: */
	struct text address;              /* as it goes on the wire */
	struct text if_taken, if_unclear; /* another one to ask after a yes, or after a no that may
					     be about us; empty: none */
	const struct route *route;        /* whose hosts are asked; else: */
	const struct callout_target *targets; /* the first that serves us decides */
	size_t target_count;
	uint16_t port;
	bool private_targets; /* this machine's own addresses are asked, too */
	int64_t timeout_us;   /* for all of it; of a route its own options count */

	/* Out: */
	enum callout_stage stage;
	struct callout_reply first;  /* about `address`, or why it couldn't be asked */
	struct callout_reply second; /* about the other one; no code: it wasn't asked */
	char hop[VERIFIED_HOP_MAX + 1];
	const char *why; /* there is no reply: in words */
	bool ours;       /* ... which is our own doing: it says nothing of the target */
};

/* What a refusal of the address says. */
enum callout_refusal {
	CALLOUT_NO_SUCH_ADDRESS, /* 5.1.x, or a mailbox that is disabled */
	CALLOUT_PERHAPS,         /* a bare 550, 551 or 553: of the address, or of us */
	CALLOUT_OTHER,           /* policy, quota, a server that is out of order */
};
enum callout_refusal callout_refusal(const struct callout_reply *r);

enum verify_said {
	VERIFY_TAKES,
	VERIFY_REFUSES,   /* it says that there is no such address */
	VERIFY_ANYTHING,  /* its word means nothing: it takes any address, or refuses the null
			     sender */
	VERIFY_DECLINES,  /* refused for good, but not (surely) for the address' sake */
	VERIFY_LATER,     /* a temporary answer */
	VERIFY_SILENT,    /* no answer, or none that is one of SMTP */
	VERIFY_TOO_OFTEN, /* the target has been asked as often as it may be */
};

/* What came of a question: policy/verify.h.  May be copied. */
struct verify_answer {
	enum verify_said said;
	struct verified found; /* the reply, and of whom */
};

/* The address to ask next, in view of the first reply; empty: none. */
struct text callout_next(const struct callout *c);

#endif
