/* The bytes of a message as they arrive, brought into one form that no peer can read in two ways.
 *
 * Out come lines that end in CR LF, without dot-stuffing, without bare CR, bare LF or NUL:
 *
 *   - only CR LF . CR LF ends DATA (RFC 5321 4.1.1.4); nothing that merely looks like it does
 *   - a bare CR or a bare LF becomes CR LF; a line that begins behind one is never the end, and its
 *     dots are content: a line of one dot goes on as such, stuffed again by whoever sends it by
 * DATA
 *   - NUL is left out: hops that drop it would otherwise read CR LF NUL . CR LF as the end
 *
 * Whether there was any of these is noted in `bare`: where bare-newline is "reject" the message is
 * then refused.  BDAT (RFC 3030) goes through the same, without dots and end. */
#ifndef WORKER_SMTP_BODY_H
#define WORKER_SMTP_BODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum body_state {
	BODY_LINE_START, /* behind a true CR LF, or at the very start */
	BODY_TEXT,
	BODY_CR,     /* a CR that may be half of a CR LF: not yet put out */
	BODY_DOT,    /* DATA: a dot at a line's start: not yet put out */
	BODY_DOT_CR, /* DATA: and a CR behind it */
	BODY_END,    /* DATA: CR LF . CR LF was seen */
};

struct body {
	enum body_state state;
	bool dots; /* DATA */
	bool bare;
	/* Takes the canonical bytes; n > 0. */
	void (*put)(void *arg, const char *p, size_t n);
	void *arg;
};

void body_init(struct body *b, bool dots, void (*put)(void *arg, const char *p, size_t n),
	       void *arg);

/* Takes `n` bytes, or those up to the end of data; how many.  The pieces may be cut anywhere. */
size_t body_feed(struct body *b, const char *p, size_t n);
static inline bool body_ended(const struct body *b)
{
	return b->state == BODY_END;
}
/* No more bytes come (the last BDAT chunk): a CR that waits was a bare one. */
void body_finish(struct body *b);

#endif
