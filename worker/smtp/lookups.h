/* What a session has asked of the DNS: each question once, begun early, awaited when its answer is
 * needed, within the time that one command may wait for the DNS (dns-budget).
 *
 * A question begun outside of a transaction stays for the session, one begun inside goes with the
 * transaction: so do their answers. */
#ifndef WORKER_SMTP_LOOKUPS_H
#define WORKER_SMTP_LOOKUPS_H

#include "shm/base/dns.h"

struct smtp_session;
struct lookup;

/* A part of a session; zeroed to begin with. */
struct lookups {
	struct lookup *of_session, *of_transaction; /* latest first, in their arenas */
	unsigned session_count, transaction_count;
	unsigned command;  /* the stage: whose budget `waited_us` is of */
	int64_t waited_us; /* ... so far */
};

void lookups_start(struct smtp_session *ss, struct text name, uint16_t type);
/* Yields.  Never NULL. */
const struct dns_answer *lookups_await(struct smtp_session *ss, struct text name, uint16_t type);

/* The transaction is over: before its arena is reset. */
void lookups_end_transaction(struct smtp_session *ss);
/* The session is. */
void lookups_end(struct smtp_session *ss);

#endif
