/* Messages that are refused because inspectors die of them, kept for the administrator: they are
 * what whoever mends the parser needs.  state-dir/kept/<incident>.eml, readable to the daemon's
 * user alone; at most KEPT_MAX of them, then no more are kept until some are removed. */
#ifndef WORKER_SMTP_KEPT_H
#define WORKER_SMTP_KEPT_H

#include <stdint.h>

struct smtp_session;

enum { KEPT_MAX = 100 };

/* Keeps the session's message under an incident's id.  What can't be done is logged.  Yields. */
void smtp_keep(struct smtp_session *ss, uint64_t incident);

#endif
