/* One SMTP session: the facts that policy sees (struct session) and what it takes to hold the
 * conversation.  It stands on its coroutine's stack; what is large or rare is made when it is
 * needed, so that an idle session costs a page of stack and little else. */
#ifndef WORKER_SMTP_SESSION_H
#define WORKER_SMTP_SESSION_H

#include "policy/engine.h"
#include "worker/io/conn.h"
#include "worker/io/task.h"
#include "worker/smtp/body.h"
#include "worker/smtp/lookups.h"
#include "worker/smtp/server.h"

#include <setjmp.h>

/* The longest command line, without its CR LF: RFC 5321 4.5.3.1.4 and room for parameters. */
#define SMTP_LINE_MAX 2046

enum smtp_state {
	SMTP_NEW,     /* greeted; no HELO or EHLO so far */
	SMTP_READY,   /* no transaction */
	SMTP_MAIL,    /* MAIL was accepted, no recipient so far */
	SMTP_RCPT,    /* there are recipients */
	SMTP_BDAT,    /* a chunk was accepted, the last one is still to come */
	SMTP_REFUSED, /* the greeting was a 554: only QUIT is served */
};

/* What became of a transaction, for its log line. */
struct message_log {
	int64_t start_us;
	const char *verdict; /* NULL: aborted by the client or the network */
	const char *cause;
	int check; /* enum check_id, or -1 */
	short code;
	uint64_t incident;
	struct text reply;      /* in the transaction's arena, as the next four */
	struct text to_refused; /* the last one */
	struct text hop, hop_reply, hop_tls;
	struct text would; /* what monitor mode let pass */
	struct text not_inspected;
};

/* A message that is being received. */
struct intake {
	struct body body;
	struct conn_rate rate;
	uint64_t received; /* bytes from the client */
	uint64_t kept;     /* canonical bytes so far */
	bool too_big;
	struct mime *mime; /* its parts, as they come; NULL: no check needs them */
	enum spool_result spooled;
};

/* What the client had said before STARTTLS. */
struct helo_before {
	struct text name; /* empty: nothing, or it has said it again */
	bool esmtp;
};

struct smtp_session {
	struct session s; /* first: the world finds us by it */
	struct smtp_server *server;
	struct smtp_session *next, **link;
	struct task *task;
	struct conn conn;
	struct arena arena;
	struct transaction tx;
	struct intake intake;
	struct message_log log;
	struct delivery *delivery; /* of the transaction; NULL: not opened */
	const struct route *delivery_route;
	struct spool *spool;
	int message_fd; /* of the spool, for inspectors (smtp_message_fd()); -1: none */
	struct lookups lookups;
	struct login *login; /* an AUTH that is under way (worker/auth/login.h); NULL: none */
	struct verification *asking; /* about an address, for others too; NULL: nothing */
	int slot;                    /* in the segment, -1: none */
	enum smtp_state state;
	bool idle; /* waits for a command outside of a transaction */
	bool done;
	bool quit; /* it has said QUIT: nothing more comes */
	int64_t start_us, deadline_us;
	unsigned commands, errors;
	unsigned names; /* how often HELO or EHLO gave a new one */
	unsigned transactions, accepted;
	struct helo_before helo_before;
	const char *tls_failure; /* why the handshake failed; NULL: it did not */
	const char *end;         /* why it ended, for the log */
	struct text would;       /* without any RCPT: what it would have got */
	unsigned asked;          /* RCPT commands that were judged */
	bool over;               /* no arena may be used any more: nobody would catch its jump */
	jmp_buf no_memory;
};

static inline struct smtp_session *smtp_session_of(const struct session *s)
{
	return (struct smtp_session *)s;
}

/* How a new connection comes to its task: in a block of malloc, which the task frees. */
struct smtp_arrival {
	struct smtp_server *server;
	const struct listener *listener;
	int fd;
	struct ip peer;
	uint16_t port;
};
/* A task's function; `arg` is a struct smtp_arrival. */
void smtp_session_main(void *arg);

/* No command follows; `why` is for the log. */
void smtp_session_end(struct smtp_session *ss, const char *why);
/* A read or write has failed: says 421 where that makes sense, and ends the session. */
void smtp_session_lost(struct smtp_session *ss, enum conn_result r);

/* greeting.c: PROXY header, limits, early talkers, connect verdict, 220.  False: the session is
 * over. */
bool smtp_greet(struct smtp_session *ss);

/* cmd_hello.c: after STARTTLS, for a client that goes on without a new EHLO (RFC 3207 wants one,
 * and some leave it out): what it had said before holds again. */
void smtp_hello_again(struct smtp_session *ss);

/* transaction.c */
void smtp_transaction_begin(struct smtp_session *ss);
/* Undoes it without a trace: MAIL was malformed. */
void smtp_transaction_forget(struct smtp_session *ss);
/* Ends it, whatever its state (also none), with its log line. */
void smtp_transaction_end(struct smtp_session *ss);
/* The delivery of r's route, opened if need be; NULL: no memory. */
struct delivery *smtp_transaction_delivery(struct smtp_session *ss, const struct route *route);

/* message.c: receiving and passing on, shared by DATA and BDAT. */
bool smtp_intake_begin(struct smtp_session *ss, bool dots);
/* The message is complete: judges it, delivers it, answers, ends the transaction. */
void smtp_intake_finish(struct smtp_session *ss);

#endif
