/* The commands of one transaction with a hop: RSET, XFORWARD, MAIL, RCPT ..., DATA.  In one write
 * and with one wait where the hop offers PIPELINING (RFC 2920), else one by one. */
#ifndef WORKER_DELIVERY_DIALOGUE_H
#define WORKER_DELIVERY_DIALOGUE_H

#include "worker/delivery/hop.h"

enum verb { VERB_RSET, VERB_XFORWARD, VERB_MAIL, VERB_RCPT, VERB_DATA, VERB_NONE };

struct dialogue {
	struct hop *hop;
	const struct session *session;
	const struct recipient *recipients;
	size_t recipient_count;
	uint64_t size;   /* for SIZE=; 0: none */
	enum verb begin; /* VERB_RSET (said only if it is needed), or VERB_RCPT, VERB_DATA where
			    the transaction is open */
	bool data;       /* ends in DATA */
	bool anonymous;  /* a question as a bounce would put it: null sender, no client */

	/* Out: */
	bool reset;            /* RSET was needed */
	unsigned replies;      /* how many have been read */
	enum verb refused;     /* MAIL, RCPT or DATA; VERB_NONE: all accepted */
	struct response reply; /* the refusal, or the last reply */
	bool in_data;          /* DATA has its 354, whatever else was refused */
};

/* Says all and reads all replies.  HOP_OK: hop and we are in step. */
enum hop_result dialogue_run(struct dialogue *g);
/* The same in two halves, for a message that goes out in one write with its commands (the hop
 * offers PIPELINING): first they are only put into the output. */
void dialogue_put(struct dialogue *g);
enum hop_result dialogue_take(struct dialogue *g);

/* What this hop could not take, before anything is said: an address of UTF-8 without SMTPUTF8 (RFC
 * 6531 3.2).  True: `refused` and `reply` are set. */
bool dialogue_refuses(struct dialogue *g);

#endif
