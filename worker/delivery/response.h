/* A reply of a next hop, line by line (RFC 5321 4.2, RFC 2034): a parser without input or output.
 *
 * The next hop isn't trusted either: lines without end, replies without end, NUL, other codes in
 * the middle and codes that don't exist are nonsense, which the caller treats as no answer. */
#ifndef WORKER_DELIVERY_RESPONSE_H
#define WORKER_DELIVERY_RESPONSE_H

#include "shm/base/text.h"

/* The longest line that is taken (RFC 5321 says 512), and how many lines one reply may have. */
#define RESPONSE_LINE_MAX  2048
#define RESPONSE_LINES_MAX 128
/* What is kept of the first line's text. */
#define RESPONSE_TEXT_MAX 400

struct response {
	short code;        /* 200..599 */
	char enhanced[10]; /* "5.1.1" if the first line has one of the code's class, else "" */
	unsigned lines;
	size_t text_n;
	char text[RESPONSE_TEXT_MAX]; /* of the first line, behind the codes; controls and bytes
				      outside ASCII are '?' */
};

enum response_state { RESPONSE_MORE, RESPONSE_COMPLETE, RESPONSE_NONSENSE };

/* Before the first line. */
void response_start(struct response *r);
/* Takes one line without its end.  `rest` (may be NULL) gets what stands behind code and separator,
 * for the list of EHLO. */
enum response_state response_add_line(struct response *r, struct text line, struct text *rest);

static inline bool response_is(const struct response *r, int class)
{
	return r->code / 100 == class;
}

#endif
