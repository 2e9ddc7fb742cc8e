/* The server's side of SCRAM-SHA-256 (RFC 7677), by libgsasl, in the auth process: the verifiers
 * never leave it.  A user that does not exist gets a salt of its own, the same each time, and fails
 * at the end like one whose password is wrong. */
#ifndef WORKER_AUTH_SCRAM_H
#define WORKER_AUTH_SCRAM_H

#include "worker/auth/message.h"

struct scram; /* what all exchanges share */
struct scram_exchange;

/* NULL: no memory, or libgsasl has no SCRAM-SHA-256. */
struct scram *scram_open(const unsigned char secret[USERS_SECRET_BYTES]);
void scram_close(struct scram *s);

/* Looks a user up: 0 or MDB_NOTFOUND; else the store can't be read. */
typedef int scram_find_fn(void *self, struct text login, struct user *out);

/* The client's first message.  A challenge: *out is the exchange, which is then the caller's.
 * Texts of the reply live as long as the exchange, or until the next step. */
struct auth_reply scram_begin(struct scram *s, struct text first, scram_find_fn *find, void *self,
			      struct scram_exchange **out);
/* Its second one: never another challenge. */
struct auth_reply scram_finish(struct scram_exchange *x, struct text second);
void scram_end(struct scram_exchange *x);

#endif
