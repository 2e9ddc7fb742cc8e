/* A session's questions to the inspectors: what they need of the DNS is asked for like all else
 * that the session asks, once, and within the time that one command may wait for the DNS. */
#ifndef WORKER_SMTP_INSPECTION_H
#define WORKER_SMTP_INSPECTION_H

#include "policy/spf.h"
#include "worker/inspect/ask.h"

struct smtp_session;

/* Yields.  `rq` says type, body, message and bounds; deadline and look-up are filled in.  Inside a
 * transaction, in whose arena the outcome stands. */
struct inspect_outcome smtp_inspect(struct smtp_session *ss, struct inspect_request rq);

/* A descriptor through which an inspector can read the transaction's message, made once and closed
 * when it has been judged.  -1 with errno.  May yield. */
int smtp_message_fd(struct smtp_session *ss);
void smtp_message_fd_close(struct smtp_session *ss);

/* world_ops.spf. */
void smtp_ask_spf(struct smtp_session *ss, enum spf_identity identity, struct spf_result *out);

#endif
