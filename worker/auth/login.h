/* Asking whether a login is right, from a session, whoever knows: the auth process, or Dovecot.
 *
 * PLAIN and LOGIN are one question about a password; SCRAM goes to and fro.  All that asks yields,
 * until there is an answer or the deadline. */
#ifndef WORKER_AUTH_LOGIN_H
#define WORKER_AUTH_LOGIN_H

#include "policy/session.h"
#include "worker/io/loop.h"

/* What all logins of a worker share. */
struct logins;

struct logins_options {
	struct text socket;  /* Dovecot's; empty: the auth process is asked */
	int auth_fd;         /* of the auth process; stays the caller's; -1: there is none */
	unsigned mechanisms; /* that may be offered: 1 << enum mechanism */
};

/* NULL: no memory. */
struct logins *logins_open(struct loop *l, const struct logins_options *o);
/* Nobody may be asking.  NULL is harmless. */
void logins_close(struct logins *ls);
/* What can be offered now; what is configured, where the backend hasn't said yet what it has. */
unsigned logins_mechanisms(const struct logins *ls);

enum login_result {
	LOGIN_NO,
	LOGIN_YES,
	LOGIN_CHALLENGE, /* `data` is for the client; login_go_on() with what it says */
	LOGIN_MALFORMED, /* no message of the mechanism's: nothing was judged */
	LOGIN_AWAY,      /* no answer, or none in time */
};

struct login_answer {
	enum login_result result;
	struct text login;   /* in the form of a list's key; NO: the one that was tried, if known */
	struct text senders; /* YES: as session.login_senders */
	struct text data;    /* CHALLENGE; YES: what the client still has to hear (SCRAM) */
	const char *why;     /* AWAY: for the log */
};

struct login_question {
	enum mechanism mechanism; /* PLAIN also where the client spoke LOGIN */
	struct text login;        /* PLAIN */
	struct text secret;       /* the password; SCRAM: the client's first message */
	const struct session *session;
	int64_t deadline_us;
};

/* One login, in a block of malloc: what it holds is not lost when the session's memory runs out. */
struct login;

/* NULL: no memory. */
struct login *login_new(struct logins *ls, struct arena *hook);
/* For what the client sends; all of it, and answers' texts, go with the login. */
struct arena *login_arena(struct login *l);
struct login_answer login_begin(struct login *l, const struct login_question *q);
struct login_answer login_go_on(struct login *l, struct text response, int64_t deadline_us);
/* Wherever it stands.  NULL is harmless. */
void login_free(struct login *l);

#endif
