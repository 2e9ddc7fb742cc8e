/* The auth process: the only one that opens the users' store.  It answers whether a login is right,
 * and hands out neither hash nor verifier. */
#ifndef WORKER_AUTH_SERVE_H
#define WORKER_AUTH_SERVE_H

#include "worker/auth/message.h"

#include <stdatomic.h>

/* What the master and the auth process share, in a memfd of one page that outlives the process: all
 * that it has of the shared memory. */
struct auth_page {
	_Atomic int64_t heartbeat_boot_us;
};

/* Makes the page; its descriptor (memfd, close-on-exec) or -1. */
int auth_page_create(struct auth_page **out);
struct auth_page *auth_page_attach(int fd);

struct serve_options {
	const char *state_dir;
	int request_fd, lifeline_fd;
	unsigned threads;
	struct auth_page *page;
	bool (*stop)(void); /* looked at once a second, and whenever a signal comes */
};

/* Opens the store and serves.  The exit status. */
int serve_run(const struct serve_options *o);

/* Sends a reply, without waiting; a worker that is gone needs none. */
void serve_reply(int fd, const struct auth_reply *r);

#endif
