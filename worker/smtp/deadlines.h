/* How long a session may take: for each command and each message an absolute deadline, and one for
 * the whole session, so that bytes that trickle in gain nothing.  Under stress (worker/stress.h)
 * those of strangers shrink first. */
#ifndef WORKER_SMTP_DEADLINES_H
#define WORKER_SMTP_DEADLINES_H

#include "worker/smtp/session.h"

/* For the next command line. */
int64_t deadline_command(const struct smtp_session *ss);
/* For a TLS handshake that starts now. */
int64_t deadline_handshake(const struct smtp_session *ss);
/* For a message that starts now: fills in the rate rule. */
void deadline_message(const struct smtp_session *ss, struct conn_rate *out);
/* For a last word to a client that we leave. */
int64_t deadline_goodbye(const struct smtp_session *ss);
/* What is left of a time under stress, for a stranger. */
int64_t deadline_shortened(int64_t us, unsigned stress);

#endif
