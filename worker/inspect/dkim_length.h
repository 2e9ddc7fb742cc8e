/* How long a body is in canonical form (RFC 6376 3.4.3, 3.4.4): what l= is compared with, which
 * libopendkim doesn't tell. */
#ifndef WORKER_INSPECT_DKIM_LENGTH_H
#define WORKER_INSPECT_DKIM_LENGTH_H

#include "shm/base/text.h"

struct dkim_length {
	bool relaxed;
	uint64_t counted;     /* lines that are sure to count */
	uint64_t blank_lines; /* after them, which count only if something follows */
	uint64_t line;        /* bytes of the line that is open */
	bool blank;           /* relaxed: white space before the next byte, if there is one */
	bool cr;              /* a CR, which may begin a line end */
};

void dkim_length_feed(struct dkim_length *l, struct text piece);
uint64_t dkim_length_end(struct dkim_length *l);

#endif
