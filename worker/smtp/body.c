/* The canonical form of a message.  The states of what is special are few; everything else is
 * copied in runs as long as the block allows. */
#include "worker/smtp/body.h"

#include <string.h>

void body_init(struct body *b, bool dots, void (*put)(void *arg, const char *p, size_t n),
	       void *arg)
{
	*b = (struct body){.state = BODY_LINE_START, .dots = dots, .put = put, .arg = arg};
}

static void put_run(struct body *b, const char *from, const char *to)
{
	if (to > from)
		b->put(b->arg, from, (size_t)(to - from));
}

static void put_newline(struct body *b, enum body_state next)
{
	b->put(b->arg, "\r\n", 2);
	b->state = next;
}

/* A bare CR or LF: a new line, at whose start a dot means nothing. */
static void put_bare_newline(struct body *b)
{
	b->bare = true;
	put_newline(b, BODY_TEXT);
}

/* The end of the clean bytes that start at p: at a bare CR, a bare LF, a NUL, a CR that is the last
 * byte, or (DATA) a line that starts with a dot.  Clean lines are passed over whole. */
static const char *clean_end(const struct body *b, const char *p, const char *end, bool nul)
{
	const char *line = p;

	for (;;) {
		const char *lf = memchr(line, '\n', (size_t)(end - line));
		const char *stop = lf ? lf : end;
		const char *cr = memchr(line, '\r', (size_t)(stop - line));

		if (nul) {
			const char *limit = cr ? cr : stop;
			const char *zero = memchr(line, '\0', (size_t)(limit - line));

			if (zero)
				return zero;
		}
		if (!cr)
			return stop; /* a bare LF, or the end */
		if (cr + 1 != lf)
			return cr; /* bare, or the last byte of the block */
		line = lf + 1;
		if (line == end || (b->dots && *line == '.'))
			return line;
	}
}

/* From BODY_TEXT (or a line's start that is no dot): copies a clean run. */
static const char *feed_text(struct body *b, const char *p, const char *end, bool nul)
{
	const char *stop = clean_end(b, p, end, nul);

	put_run(b, p, stop);
	if (stop > p)
		b->state = stop[-1] == '\n' ? BODY_LINE_START : BODY_TEXT;
	if (stop == end || (b->state == BODY_LINE_START && b->dots && *stop == '.'))
		return stop;
	switch (*stop) {
	case '\r':
		b->state = BODY_CR;
		break;
	case '\n':
		put_bare_newline(b);
		break;
	default: /* NUL: it is gone, but a dot behind it isn't at the line's start */
		b->bare = true;
		b->state = BODY_TEXT;
		break;
	}
	return stop + 1;
}

/* One byte in a state where it matters; false: it is still to be read, in the state that is now. */
static bool feed_special(struct body *b, char c)
{
	switch (b->state) {
	case BODY_CR:
		if (c != '\n') {
			put_bare_newline(b);
			return false;
		}
		put_newline(b, BODY_LINE_START);
		return true;
	case BODY_DOT:
		/* The dot was stuffing. */
		b->state = c == '\r' ? BODY_DOT_CR : BODY_TEXT;
		return c == '\r';
	case BODY_DOT_CR:
		if (c == '\n') {
			b->state = BODY_END;
			return true;
		}
		put_bare_newline(b);
		return false;
	default: /* BODY_LINE_START, at a dot of DATA */
		b->state = BODY_DOT;
		return true;
	}
}

static bool is_special(const struct body *b, char c)
{
	switch (b->state) {
	case BODY_TEXT:
		return false;
	case BODY_LINE_START:
		return b->dots && c == '.';
	default:
		return true;
	}
}

size_t body_feed(struct body *b, const char *p, size_t n)
{
	const char *at = p, *end = p + n;
	const bool nul = memchr(p, '\0', n) != NULL;

	while (at < end && b->state != BODY_END) {
		if (!is_special(b, *at))
			at = feed_text(b, at, end, nul);
		else if (feed_special(b, *at))
			at++;
	}
	return (size_t)(at - p);
}

void body_finish(struct body *b)
{
	if (b->state == BODY_CR || b->state == BODY_DOT_CR)
		put_bare_newline(b);
}
