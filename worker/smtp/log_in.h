/* Logging in: whether it may be had, whether it is missing, and what EHLO says of it. */
#ifndef WORKER_SMTP_LOG_IN_H
#define WORKER_SMTP_LOG_IN_H

#include "worker/smtp/session.h"

/* EHLO lists AUTH, and the command is served: the listener wants it, and what the client says is
 * encrypted or may be plain. */
bool log_in_is_offered(const struct smtp_session *ss);
/* Without TLS on a listener that offers it under TLS only. */
bool log_in_lacks_tls(const struct smtp_session *ss);
/* The listener takes mail only from who has logged in, and this client has not. */
bool log_in_is_missing(const struct smtp_session *ss);

/* "250-AUTH PLAIN LOGIN\r\n", or nothing. */
void log_in_put_offer(struct smtp_session *ss);

#endif
