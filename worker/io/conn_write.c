/* Writing: the output buffer, and large bodies beside it. */
#include "worker/io/conn_private.h"

#include <errno.h>
#include <stdio.h>

#define IOV_WINDOW 16

void conn_drop_output(struct conn *c)
{
	if (c->out)
		buffer_give(conn_pool(c), c->out);
	c->out = NULL;
	c->out_start = c->out_end = 0;
}

void conn_put(struct conn *c, const void *p, size_t n)
{
	const char *from = p;

	while (n > 0 && c->put_result == CONN_OK) {
		if (!c->out)
			c->out = buffer_take(conn_pool(c));
		if (!c->out) {
			c->put_result = CONN_NO_MEMORY;
			return;
		}
		size_t room = CONN_BUFFER_BYTES - c->out_end;
		if (room > n)
			room = n;
		memcpy(c->out + c->out_end, from, room);
		c->out_end += (uint32_t)room;
		from += room;
		n -= room;
		if (c->out_end == CONN_BUFFER_BYTES)
			c->put_result =
			    conn_flush(c, loop_now_us(c->watch.loop) + c->write_timeout_us);
	}
}

void conn_put_last(struct conn *c, const void *p, size_t n)
{
	/* What was put before has been sent: there is no buffer. */
	if (c->put_result == CONN_NO_MEMORY && !c->out)
		conn_try(c, p, n);
}

void conn_try(struct conn *c, const void *p, size_t n)
{
	const struct iovec words = {(void *)p, n};

	if (conn_is_open(c) && !c->error)
		(void)c->transport->writev(c, &words, 1);
}

void conn_vprintf(struct conn *c, const char *fmt, va_list ap)
{
	char s[2048]; /* a reply line has 512 bytes at most */
	const int n = vsnprintf(s, sizeof(s), fmt, ap);

	if (n < 0 || (size_t)n >= sizeof(s)) {
		c->error = EMSGSIZE;
		c->put_result = CONN_ERROR;
		return;
	}
	conn_put(c, s, (size_t)n);
}

void conn_printf(struct conn *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	conn_vprintf(c, fmt, ap);
	va_end(ap);
}

/* Where we are in the caller's iov, which stays as it is. */
struct cursor {
	const struct iovec *iov;
	int n;
	size_t offset; /* sent of iov[0] */
};

static void cursor_advance(struct cursor *k, size_t sent)
{
	while (k->n > 0 && sent >= k->iov->iov_len - k->offset) {
		sent -= k->iov->iov_len - k->offset;
		k->offset = 0;
		k->iov++;
		k->n--;
	}
	k->offset += sent;
}

/* The next bytes to send: what is pending, then the caller's. */
static int window_fill(const struct conn *c, const struct cursor *k, struct iovec w[IOV_WINDOW])
{
	int used = 0;
	size_t offset = k->offset;

	if (c->out_end > c->out_start)
		w[used++] = (struct iovec){c->out + c->out_start, c->out_end - c->out_start};
	for (int i = 0; i < k->n && used < IOV_WINDOW; i++, offset = 0) {
		if (k->iov[i].iov_len > offset)
			w[used++] = (struct iovec){(char *)k->iov[i].iov_base + offset,
						   k->iov[i].iov_len - offset};
	}
	return used;
}

static void sent_bytes(struct conn *c, struct cursor *k, size_t n)
{
	size_t pending = c->out_end - c->out_start;

	c->bytes_out += n;
	if (pending > n)
		pending = n;
	c->out_start += (uint32_t)pending;
	cursor_advance(k, n - pending);
	if (c->out && c->out_start == c->out_end)
		conn_drop_output(c);
}

enum conn_result conn_writev(struct conn *c, const struct iovec *iov, int n, int64_t deadline_us)
{
	struct cursor k = {iov, n, 0};
	struct iovec w[IOV_WINDOW];
	enum conn_result r = c->put_result;
	int parts;

	if (r == CONN_OK && c->error)
		r = CONN_ERROR;
	while (r == CONN_OK && (parts = window_fill(c, &k, w)) > 0) {
		if (!c->watch.writable) {
			r = conn_wait(c, CONN_WANT_WRITE, deadline_us);
			continue;
		}
		const ssize_t sent = c->transport->writev(c, w, parts);

		if (sent >= 0) {
			sent_bytes(c, &k, (size_t)sent);
		} else if (sent == CONN_WANT_WRITE) {
			watch_spent_writable(&c->watch);
		} else if (sent == CONN_WANT_READ) {
			watch_spent_readable(&c->watch);
			r = conn_wait(c, CONN_WANT_READ, deadline_us);
		} else {
			r = CONN_ERROR;
		}
	}
	return r;
}

enum conn_result conn_flush(struct conn *c, int64_t deadline_us)
{
	return conn_writev(c, NULL, 0, deadline_us);
}
