/* Accepts the connections of one listening socket that all workers share.
 *
 * Level-triggered with EPOLLEXCLUSIVE and a bounded number of accepts a wake-up, so that a burst
 * spreads over the workers.  Once a second it looks without being woken: the one worker which was
 * woken for a connection may have been killed, or may have paused, before it took it.
 *
 * Without descriptors (EMFILE, ENFILE) it spends a descriptor held in reserve to accept and answer,
 * then rests for a moment; without memory it rests; neither spins, and service is back as soon as
 * there are some. */
#ifndef WORKER_IO_ACCEPT_H
#define WORKER_IO_ACCEPT_H

#include "shm/base/log.h"
#include "worker/io/loop.h"

#include <sys/socket.h>

/* Called on the loop's own stack: must not wait. */
struct acceptor_ops {
	/* A new connection, non-blocking and close-on-exec; the callee owns fd.  It may pause or
	 * close the acceptor, but not free it. */
	void (*on_connection)(void *arg, int fd, const struct sockaddr *peer, socklen_t len);
	/* No descriptors: say 421 on fd by one non-blocking send; the acceptor closes it.  May be
	 * NULL. */
	void (*on_exhausted)(void *arg, int fd);
};

/* Embedded in its owner. */
struct acceptor {
	struct fd_event event;
	struct timer timer; /* the look once a second, or the end of a rest */
	struct loop *loop;
	const struct acceptor_ops *ops;
	void *arg;
	int fd, reserve_fd;
	bool paused, resting;
	unsigned generation;          /* changes when it is paused or closed from a callback */
	uint64_t accepted, exhausted; /* totals */
	struct log_limit log;
};

/* `fd` is listening and non-blocking and stays the caller's; `ops` must outlive it.  False with
 * errno. */
bool acceptor_init(struct acceptor *a, struct loop *l, int fd, const struct acceptor_ops *ops,
		   void *arg);
/* Takes the listener out of the loop and puts it back: for a worker at its limit, or one that
 * drains.  Harmless when it is so already. */
void acceptor_pause(struct acceptor *a);
void acceptor_resume(struct acceptor *a);
/* Leaves the listening descriptor open.  Harmless when called twice. */
void acceptor_close(struct acceptor *a);

#endif
