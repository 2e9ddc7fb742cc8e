/* What a check answers. */
#ifndef POLICY_VERDICT_H
#define POLICY_VERDICT_H

#include "policy/catalog.h"

enum outcome {
	OUTCOME_NOT_RUN,
	OUTCOME_PASS,
	OUTCOME_REFUSE,    /* a catalog row, 4xx or 5xx */
	OUTCOME_UNDECIDED, /* ours or the network's: passes, or 451, never 5xx */
};
const char *outcome_name(enum outcome o); /* "pass", "refuse", "undecided", "not-asked" */

/* Whose doing a verdict is. */
enum cause { CAUSE_POLICY, CAUSE_SENDER, CAUSE_OURS };
const char *cause_name(enum cause c);

/* What the engine answers where a check could not decide: it passes, or one of the catalog's 451s.
 * There is no 5xx among them. */
enum deferral {
	DEFERRAL_NONE,     /* passes */
	DEFERRAL_LOCAL,    /* UNDECIDED */
	DEFERRAL_DNS,      /* UNDECIDED_DNS */
	DEFERRAL_HOP_AWAY, /* HOP_AWAY */
	DEFERRAL_HOP_SAID, /* HOP_DEFERRED, with the hop's own 4xx */
};

struct verdict {
	unsigned char outcome;  /* enum outcome */
	unsigned char cause;    /* enum cause */
	unsigned char deferral; /* enum deferral, for UNDECIDED */
	bool noted;             /* would refuse, but by an option of the check it is only noted */
	bool at_connect;        /* a ban that is spoken in the greeting */
	bool not_inspected; /* it passes, though some of the message could not be looked into: the
			       log says so */
	bool no_such_recipient; /* "does not exist": what a dictionary attack counts */
	unsigned short reply;   /* enum reply_id, for REFUSE */
	/* Codes of the next hop that replace the row's (recipient_verify); 0 and empty: the row's.
	 */
	short hop_code;
	char hop_enhanced[10];
	struct text hop_text; /* what the hop said, for the reply where hop-text is on */
	struct text quoted;   /* somebody's words to put behind the reply */
	struct text values[CATALOG_VALUES]; /* in the session's or the transaction's arena */
	struct text facts;                  /* for log and explain; same */
	struct text remedy; /* the tool's command that lets it pass; empty: an exemption */
};

static inline struct verdict pass(void)
{
	return (struct verdict){.outcome = OUTCOME_PASS};
}

/* Passes, with a fact worth keeping. */
static inline struct verdict pass_because(struct text facts)
{
	return (struct verdict){.outcome = OUTCOME_PASS, .facts = facts};
}

/* Passes, but what the facts say could not be looked into. */
static inline struct verdict pass_not_inspected(struct text facts)
{
	struct verdict v = pass_because(facts);

	v.not_inspected = true;
	return v;
}

/* A verdict by a rule of ours (bans, limits, relay) ... */
static inline struct verdict refuse_by_policy(enum reply_id reply, struct text value,
					      struct text facts)
{
	return (struct verdict){.outcome = OUTCOME_REFUSE,
				.cause = CAUSE_POLICY,
				.reply = (unsigned short)reply,
				.values = {value},
				.facts = facts};
}

/* ... and for what the sender did. */
static inline struct verdict reject(enum reply_id reply, struct text value, struct text facts)
{
	return (struct verdict){.outcome = OUTCOME_REFUSE,
				.cause = CAUSE_SENDER,
				.reply = (unsigned short)reply,
				.values = {value},
				.facts = facts};
}

/* Ours or the network's.  It carries no reply, so it can't become a 5xx.  This one passes ... */
static inline struct verdict undecided(struct text facts)
{
	return (struct verdict){.outcome = OUTCOME_UNDECIDED, .cause = CAUSE_OURS, .facts = facts};
}

/* ... and this one is answered 451. */
static inline struct verdict deferred(enum deferral how, struct text facts)
{
	struct verdict v = undecided(facts);

	v.deferral = (unsigned char)how;
	return v;
}

#endif
