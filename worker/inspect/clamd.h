/* Asking a clamd (INSTREAM), from a session: yields.  One connection a message.
 *
 * What it finds is up to its own configuration: without AlertExceedsMax it calls clean what it did
 * not look at. */
#ifndef WORKER_INSPECT_CLAMD_H
#define WORKER_INSPECT_CLAMD_H

#include "policy/antivirus.h"
#include "shm/base/arena.h"
#include "worker/io/loop.h"

#include <sys/socket.h>
#include <sys/uio.h>

struct clamd_request {
	struct loop *loop;
	const struct sockaddr *address;
	socklen_t address_length;
	int64_t deadline_us;
	/* The next pieces of the message into at most *n (0 at its end), good until the next call;
	 * false: it can't be read.  May yield. */
	bool (*next)(void *self, struct iovec *iov, int *n);
	void *self;
};

/* SCAN_ABSENT: nobody listens there.  Names in `a`, which is used when nothing is held any more. */
void clamd_scan(const struct clamd_request *rq, struct arena *a, struct scan_result *out);

/* What it answered: "stream: Eicar FOUND".  Texts are views of `line`. */
void clamd_read_reply(struct text line, struct scan_result *out);

#endif
