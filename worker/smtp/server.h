/* What all SMTP sessions of a worker share.  Made by worker/worker.c before the first session; all
 * of it is used from the loop's thread only. */
#ifndef WORKER_SMTP_SERVER_H
#define WORKER_SMTP_SERVER_H

#include "policy/config.h"
#include "policy/world.h"
#include "shm/segment.h"
#include "worker/delivery/delivery.h"
#include "worker/delivery/spool.h"
#include "worker/io/loop.h"
#include "worker/smtp/verification.h"

#include <sys/socket.h>

struct inspect;
struct logins;
struct resolver;
struct tls_server;
struct smtp_session;

/* Said so often that it is made once. */
struct smtp_texts {
	struct text greeting;   /* 220 */
	struct text ehlo_first; /* the first line of the 250 */
	struct text ehlo_rest;  /* the last lines of it; what depends on the session is between */
	struct text helo;
};

struct smtp_server {
	struct loop *loop;
	const struct config *config;
	struct segment *seg;
	unsigned process; /* our slot */
	struct process_slot *slot;
	struct world world;
	struct routes *routes;
	struct resolver *resolver;
	struct inspect *inspect; /* NULL: nobody can be asked */
	/* The same inspectors, one question at a time: a few large archives must not make all
	 * others wait. */
	struct inspect *archives;
	struct inspect *scanners; /* the same for the anti-virus inspectors */
	struct logins *logins;    /* NULL: no listener offers AUTH */
	struct tls_server *tls;   /* NULL: there is no certificate */
	struct spool_place *spool_place;
	struct verifications verifications;

	struct smtp_texts texts;
	struct smtp_session *sessions; /* all that live */
	size_t session_count;
	size_t session_limit; /* of this worker */
	unsigned stress;      /* worker/stress.h: 0 to 3 */
	bool draining;
	uint64_t next_id; /* of sessions: names them in the log */
	/* For events, which are too large for a session's stack and made without yielding. */
	struct event scratch;
	/* A session has ended: the worker may accept again, or has drained. */
	void (*on_end)(void *arg);
	void *on_end_arg;
};

/* Fills in what is made from the rest: texts, the first session's id. */
void smtp_server_init(struct smtp_server *sv, struct arena *a);

/* A new connection; on the loop's own stack.  Takes fd over whatever happens: where there is no
 * room or no memory, the client hears 421. */
void smtp_server_accept(struct smtp_server *sv, const struct listener *listener, int fd,
			const struct sockaddr *peer, socklen_t len);

/* One non-blocking send of a 421 to a connection that gets no session. */
void smtp_server_turn_away(struct smtp_server *sv, int fd, enum reply_id why);

/* From now on each session ends with 421 when its transaction is over; idle ones at once. */
void smtp_server_drain(struct smtp_server *sv);
/* Ends those that still live, as soon as they wait. */
void smtp_server_cancel_all(struct smtp_server *sv);

/* Whether one more session may be: in this worker, and in all. */
bool smtp_server_has_room(const struct smtp_server *sv);
/* Whether there is another worker, not at its limit, that takes connections. */
bool smtp_server_others_have_room(const struct smtp_server *sv);

#endif
