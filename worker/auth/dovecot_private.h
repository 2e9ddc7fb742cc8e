/* The connection to Dovecot, for the two files that are it. */
#ifndef WORKER_AUTH_DOVECOT_PRIVATE_H
#define WORKER_AUTH_DOVECOT_PRIVATE_H

#include "worker/auth/dovecot.h"
#include "worker/auth/dovecot_line.h"

enum { DOVECOT_IN_MAX = 16384, DOVECOT_OUT_MAX = 131072 };

struct dovecot {
	struct loop *loop;
	struct text path;
	int fd; /* -1: not connected */
	struct fd_event event;
	struct timer timer; /* while it isn't ready */
	bool ready;         /* the handshake is over */
	bool known;         /* `mechanisms` is what Dovecot has said */
	unsigned mechanisms, listed;
	int64_t tried_us;
	unsigned connections; /* made so far */
	uint32_t next_id;
	struct dovecot_login *first;
	size_t in_n, out_n;
	char in[DOVECOT_IN_MAX], out[DOVECOT_OUT_MAX];
};

/* Connects if it isn't, but for a moment after a failure. */
void dovecot_connect(struct dovecot *d);
/* Sends the bytes, or keeps them for when there is room.  False: there is none left. */
bool dovecot_send(struct dovecot *d, struct text bytes);
/* The connection is of no more use: all that wait on it are told. */
void dovecot_drop(struct dovecot *d);

#endif
