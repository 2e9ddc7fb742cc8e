/* Dovecot's auth service over its socket: one connection a worker, many logins on it at once.
 *
 * The connection is opened at the start, so that EHLO can list what Dovecot has, and again whenever
 * it has ended.  What was asked on one that ends is answered as away. */
#ifndef WORKER_AUTH_DOVECOT_H
#define WORKER_AUTH_DOVECOT_H

#include "worker/auth/login.h"

struct dovecot;

/* NULL: no memory.  The path must outlive it. */
struct dovecot *dovecot_open(struct loop *l, struct text path);
void dovecot_close(struct dovecot *d);
/* Those of ours that it has; all, until it has said so for the first time. */
unsigned dovecot_mechanisms(const struct dovecot *d);

/* A login that is under way, in its owner's memory, which doesn't move. */
struct dovecot_login {
	struct dovecot *dovecot; /* NULL: none is */
	struct dovecot_login *next, **link;
	struct task *task;
	uint32_t id;
	char *line; /* the reply, of malloc */
	bool sent, lost;
};

struct login_answer dovecot_begin(struct dovecot *d, struct dovecot_login *x,
				  const struct login_question *q, struct arena *a);
struct login_answer dovecot_go_on(struct dovecot *d, struct dovecot_login *x, struct text response,
				  int64_t deadline_us, struct arena *a);
/* Dovecot is told where it still waits for the client. */
void dovecot_end(struct dovecot_login *x);

#endif
