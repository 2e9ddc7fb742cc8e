/* Reading: the input buffer, lines and blocks. */
#include "worker/io/conn_private.h"
#include "worker/io/task.h"

#include <stdlib.h>

/* An unfinished line of at most this size is moved out of its buffer while we wait for the rest, so
 * that those who send slowly hold little. */
#define KEEP_MAX 2048
/* A peer that always has more for us lets the others run after this many reads. */
#define STREAK_MAX 16

/* The bytes that wait to be read stand at the beginning of a buffer with room behind them. */
static bool input_make_room(struct conn *c)
{
	const uint32_t unread = c->in_end - c->in_start;

	if (!c->in || c->in_kept) {
		char *b = buffer_take(conn_pool(c));

		if (!b)
			return false;
		if (c->in)
			memcpy(b, c->in + c->in_start, unread);
		free(c->in);
		c->in = b;
		c->in_kept = 0;
	} else if (c->in_start > 0 && unread > 0) {
		memmove(c->in, c->in + c->in_start, unread);
	}
	c->in_lf -= c->in_lf < c->in_start ? c->in_lf : c->in_start;
	c->in_start = 0;
	c->in_end = unread;
	return true;
}

void conn_drop_input(struct conn *c)
{
	if (c->in_kept)
		free(c->in);
	else if (c->in)
		buffer_give(conn_pool(c), c->in);
	c->in = NULL;
	c->in_start = c->in_end = c->in_lf = c->in_kept = 0;
}

/* Before a wait: hold as little memory as the unread bytes need. */
static void input_rest(struct conn *c)
{
	const uint32_t unread = c->in_end - c->in_start;

	if (unread == 0) {
		conn_drop_input(c);
		return;
	}
	if (c->in_kept || unread > KEEP_MAX)
		return;
	char *small = malloc(unread);
	if (!small)
		return;
	memcpy(small, c->in + c->in_start, unread);
	buffer_give(conn_pool(c), c->in);
	c->in = small;
	c->in_lf -= c->in_lf < c->in_start ? c->in_lf : c->in_start;
	c->in_start = 0;
	c->in_end = c->in_kept = unread;
}

static bool input_waits(const struct conn *c)
{
	return c->watch.readable ||
	       (c->transport->pending && c->transport->pending((struct conn *)c));
}

bool conn_input_may_come(const struct conn *c)
{
	return conn_buffered(c) > 0 || input_waits(c);
}

/* One read.  CONN_OK with nothing added: it would have had to wait. */
static enum conn_result read_once(struct conn *c, enum conn_want *want)
{
	*want = CONN_WANT_READ;
	if (!input_make_room(c))
		return CONN_NO_MEMORY;
	const ssize_t n = c->transport->read(c, c->in + c->in_end, CONN_BUFFER_BYTES - c->in_end);

	switch (n) {
	case CONN_BROKEN:
		return CONN_ERROR;
	case CONN_WANT_READ:
		watch_spent_readable(&c->watch);
		return CONN_OK;
	case CONN_WANT_WRITE:
		watch_spent_writable(&c->watch);
		*want = CONN_WANT_WRITE;
		return CONN_OK;
	case 0:
		c->eof = true;
		return CONN_EOF;
	default:
		c->in_end += (uint32_t)n;
		c->bytes_in += (uint64_t)n;
		return CONN_OK;
	}
}

static enum conn_result input_failed(const struct conn *c)
{
	if (c->error)
		return CONN_ERROR;
	return c->eof ? CONN_EOF : CONN_OK;
}

static void be_fair(struct conn *c)
{
	if (++c->streak < STREAK_MAX)
		return;
	c->streak = 0;
	task_yield();
}

/* Without output pending and memory that isn't needed. */
static enum conn_result wait_for_input(struct conn *c, enum conn_want want, bool flush,
				       int64_t deadline_us)
{
	enum conn_result r = CONN_OK;

	c->streak = 0;
	if (flush)
		r = conn_flush(c, deadline_us);
	input_rest(c);
	return r == CONN_OK ? conn_wait(c, want, deadline_us) : r;
}

/* What is there already doesn't count after the deadline: the peer could have more for ever. */
static enum conn_result may_still_read(const struct conn *c, int64_t deadline_us)
{
	if (task_is_cancelled(task_current()))
		return CONN_CANCELLED;
	return deadline_us <= loop_now_us(c->watch.loop) ? CONN_TIMEOUT : CONN_OK;
}

/* `look`: reads before it waits, whatever is known of the socket, and leaves the output alone. */
static enum conn_result fill(struct conn *c, bool look, int64_t deadline_us)
{
	const uint64_t before = c->bytes_in;
	bool wait = !look && !input_waits(c);
	enum conn_want want = CONN_WANT_READ;
	enum conn_result r = input_failed(c);

	while (r == CONN_OK && c->bytes_in == before) {
		if (wait)
			r = wait_for_input(c, want, !look, deadline_us);
		if (r == CONN_OK && !look)
			r = may_still_read(c, deadline_us);
		if (r != CONN_OK)
			break;
		be_fair(c);
		r = read_once(c, &want);
		wait = true;
	}
	return r;
}

enum conn_result conn_fill(struct conn *c, int64_t deadline_us)
{
	return fill(c, false, deadline_us);
}

enum conn_result conn_await_input(struct conn *c, int64_t deadline_us)
{
	return conn_buffered(c) ? CONN_OK : fill(c, true, deadline_us);
}

static struct text input_view(const struct conn *c, size_t max)
{
	const size_t n = conn_buffered(c);

	return text_make(c->in + c->in_start, n < max ? n : max);
}

enum conn_result conn_read_some(struct conn *c, struct text *block, size_t max, int64_t deadline_us)
{
	enum conn_result r = CONN_OK;

	if (conn_buffered(c) == 0)
		r = conn_fill(c, deadline_us);
	*block = r == CONN_OK ? input_view(c, max) : LIT("");
	return r;
}

enum conn_result conn_read_more(struct conn *c, struct text *block, int64_t deadline_us)
{
	enum conn_result r = CONN_LINE_TOO_LONG;

	if (conn_buffered(c) < CONN_BUFFER_BYTES)
		r = conn_fill(c, deadline_us);
	*block = conn_buffered(c) ? input_view(c, SIZE_MAX) : LIT("");
	return r;
}

void conn_consume(struct conn *c, size_t n)
{
	c->in_start += n < conn_buffered(c) ? (uint32_t)n : (uint32_t)conn_buffered(c);
	if (c->in_lf < c->in_start)
		c->in_lf = c->in_start;
}

void conn_discard_input(struct conn *c)
{
	conn_drop_input(c);
}

/* Takes the next line out of what is buffered.  False if its end isn't there yet. */
static bool take_line(struct conn *c, struct text *line)
{
	const char *lf =
	    c->in_lf < c->in_end ? memchr(c->in + c->in_lf, '\n', c->in_end - c->in_lf) : NULL;

	if (!lf) {
		c->in_lf = c->in_end;
		return false;
	}
	const char *start = c->in + c->in_start;
	const bool crlf = lf > start && lf[-1] == '\r';

	c->eol = crlf ? CONN_EOL_CRLF : CONN_EOL_LF;
	*line = text_make(start, (size_t)(lf - start) - crlf);
	c->in_start = c->in_lf = (uint32_t)(lf + 1 - c->in);
	return true;
}

enum conn_result conn_getline(struct conn *c, struct text *line, size_t max, int64_t deadline_us)
{
	if (max > CONN_LINE_MAX)
		max = CONN_LINE_MAX;
	for (;;) {
		if (take_line(c, line)) {
			if (c->in_swallowed == 0 && line->n <= max)
				return CONN_OK;
			c->in_swallowed = 0;
			*line = LIT("");
			return CONN_LINE_TOO_LONG;
		}
		/* One byte over may still be the CR of its end.  What is swallowed is remembered
		 * over a failure, so that its rest is never taken for a line. */
		if (c->in_swallowed || conn_buffered(c) > max + 1) {
			c->in_swallowed += (uint32_t)conn_buffered(c);
			conn_consume(c, conn_buffered(c));
		}
		*line = LIT("");
		if (c->in_swallowed > CONN_SWALLOW_MAX)
			return CONN_FLOOD;
		const enum conn_result r = conn_fill(c, deadline_us);
		if (r != CONN_OK)
			return r;
	}
}
