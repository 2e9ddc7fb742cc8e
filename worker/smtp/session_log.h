/* What is told of a session and of each of its transactions: one event each, from which the keeper
 * makes the log lines. */
#ifndef WORKER_SMTP_SESSION_LOG_H
#define WORKER_SMTP_SESSION_LOG_H

#include "worker/smtp/session.h"

/* Remembers what decided, for the transaction's line: the last word counts. */
void session_log_decision(struct smtp_session *ss, const struct decision *d);
void session_log_refused_recipient(struct smtp_session *ss, const struct recipient *r,
				   const struct decision *d);
void session_log_hop(struct smtp_session *ss, const struct hop_reply *hop);
void session_log_accepted(struct smtp_session *ss);

/* The lines themselves: at a transaction's and at the session's end.  They use no arena. */
void session_log_message(struct smtp_session *ss);
void session_log_end(struct smtp_session *ss);

/* An attempt to log in and what became of it, at once; `facts`: what was
 * counted, or why nobody could tell. */
void session_log_auth(struct smtp_session *ss, enum mechanism m, struct text login,
		      const char *verdict, struct text facts);

#endif
