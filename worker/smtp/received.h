/* The Received: field that we add (RFC 5321 4.4). */
#ifndef WORKER_SMTP_RECEIVED_H
#define WORKER_SMTP_RECEIVED_H

#include "policy/session.h"

/* The longest one: two names of 255, two addresses, a path of 256, and what stands between. */
#define RECEIVED_MAX 1536

/* Writes the field, CR LF at its end.  `number` tells the messages of a session apart. */
void received_format(const struct session *s, unsigned number, int64_t wall_us, struct buf *out);

/* "ESMTPSA": RFC 3848 and RFC 6531 8.3. */
const char *received_protocol(const struct session *s, char dst[16]);

#endif
