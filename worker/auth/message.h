/* What a worker and the auth process say to each other: datagrams on a pair of sockets.
 *
 * All workers ask on one socket and the auth process serves it, so the kernel queues.  A question
 * brings its own reply descriptor, one end of a pair: where the process dies, the pair ends, which
 * costs that login a 454.  A question about a password gets one reply.  SCRAM goes on over the
 * pair: after a reply that is a challenge the worker sends the client's response, as it is. */
#ifndef WORKER_AUTH_MESSAGE_H
#define WORKER_AUTH_MESSAGE_H

#include "shm/users.h"

enum auth_kind {
	AUTH_PASSWORD = 1, /* `secret` is the password */
	AUTH_SCRAM,        /* `secret` is the client's first message, `login` is empty */
};

enum auth_verdict {
	AUTH_NO = 1,
	AUTH_YES,
	AUTH_CHALLENGE, /* `data` is for the client */
	AUTH_MALFORMED, /* no message of the mechanism's: nothing was judged */
	AUTH_CANT,      /* too much to do, or the store can't be read */
};

enum {
	/* What the client sends at once: a line of 12,288 bytes (RFC 4954 4), decoded. */
	AUTH_SECRET_MAX = 9216,
	AUTH_DATA_MAX = 4096,
	AUTH_REQUEST_MAX = 1 + 8 + 4 + LIST_KEY_MAX + 4 + AUTH_SECRET_MAX,
	AUTH_REPLY_MAX = 1 + 4 + LIST_KEY_MAX + 4 + USER_SENDERS_MAX + 4 + AUTH_DATA_MAX,
};

struct auth_request {
	enum auth_kind kind;
	int64_t deadline_mono_us; /* then nobody waits for the reply any more */
	struct text login, secret;
};

struct auth_reply {
	enum auth_verdict verdict;
	struct text login;   /* the name that it is about, once it is known */
	struct text senders; /* YES: struct user */
	struct text data;    /* CHALLENGE; YES of SCRAM: what proves us to the client */
};

/* False: it doesn't fit the limits above (`put`), or is no such message (`get`, whose texts are
 * views). */
bool auth_request_put(struct buf *b, const struct auth_request *rq);
bool auth_request_get(struct text t, struct auth_request *rq);
bool auth_reply_put(struct buf *b, const struct auth_reply *r);
bool auth_reply_get(struct text t, struct auth_reply *r);

#endif
