/* Everything that a session says.  Refusals come from the catalog; the few replies that refuse
 * nothing stand here.  Replies are collected and leave in one write when the session waits. */
#ifndef WORKER_SMTP_REPLY_H
#define WORKER_SMTP_REPLY_H

#include "worker/smtp/session.h"

/* Says a decision; one that closes ends the session. */
void reply_decision(struct smtp_session *ss, const struct decision *d);
/* The same in a greeting or a reply to HELO and EHLO: no enhanced code (RFC 2034 3). */
void reply_decision_plain(struct smtp_session *ss, const struct decision *d);

/* A row of the catalog.  421 ends the session. */
void reply_catalog(struct smtp_session *ss, enum reply_id id);
/* Says what a client did wrong, which counts. */
void reply_mistake(struct smtp_session *ss, const struct decision *d);
/* The same by a row of the catalog. */
void reply_error(struct smtp_session *ss, enum reply_id id);

/* A temporary answer that may be given any number of times: it takes no memory. */
void reply_again(struct smtp_session *ss, enum reply_id id);

/* "250 2.0.0 text" and the like; `enhanced` may be NULL. */
void reply_ok(struct smtp_session *ss, int code, const char *enhanced, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* The row's own line in `out`, for those who have no session or no memory: "421 4.3.0 Local ..." */
void reply_bare_line(enum reply_id id, bool with_enhanced, struct buf *out);

#endif
