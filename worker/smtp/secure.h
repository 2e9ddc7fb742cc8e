/* TLS of a session: whether it may be had, whether it is missing, and the handshake. */
#ifndef WORKER_SMTP_SECURE_H
#define WORKER_SMTP_SECURE_H

#include "worker/smtp/session.h"

/* EHLO lists STARTTLS, and the command is served. */
bool secure_is_offered(const struct smtp_session *ss);
/* The listener requires TLS, and there is none (yet). */
bool secure_is_missing(const struct smtp_session *ss);

/* The handshake; yields.  What was buffered of the client must be gone.  False: it failed, and the
 * session is over. */
bool secure_begin(struct smtp_session *ss);

#endif
