/* The lines of an AUTH command: challenges and responses in base64 (RFC 4954 4). */
#ifndef WORKER_SMTP_AUTH_EXCHANGE_H
#define WORKER_SMTP_AUTH_EXCHANGE_H

#include "worker/smtp/session.h"

/* A line of the exchange, without its CR LF. */
#define AUTH_LINE_MAX 12286

/* What the client said with the command: "=" is nothing at all.  False: it has its reply. */
bool auth_initial(struct smtp_session *ss, struct text base64, struct arena *a, struct text *out);

/* Says 334 with the challenge and reads the response, into the arena; yields.  False: it was
 * cancelled, or is none; the client has its reply, or the session is over. */
bool auth_challenge(struct smtp_session *ss, struct text challenge, struct arena *a,
		    struct text *out);

/* "authzid NUL name NUL password" (RFC 4616): exactly three fields.  Who names somebody to act for
 * must name itself.  Views of the message.  False: it is none. */
bool auth_split_plain(struct text message, struct text *authzid, struct text *name,
		      struct text *password);

#endif
