/* The life of a connection: opening, waiting, transports, closing.  Reading, writing and connecting
 * stand in conn_read.c, conn_write.c and conn_connect.c. */
#include "worker/io/conn.h"

#include "worker/io/conn_private.h"
#include "worker/io/loop_private.h"
#include "worker/io/task.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

bool conn_init(struct conn *c, struct loop *l, int fd)
{
	*c = (struct conn){.transport = &conn_transport_plain};
	c->write_timeout_us = CONN_WRITE_TIMEOUT_US;
	return watch_add(l, &c->watch, fd);
}

struct buffer_pool *conn_pool(const struct conn *c)
{
	return &c->watch.loop->buffers;
}

void conn_close(struct conn *c)
{
	const int fd = c->watch.fd;

	if (!conn_is_open(c))
		return;
	conn_drop_input(c);
	conn_drop_output(c);
	if (c->transport->free)
		c->transport->free(c);
	watch_forget(&c->watch);
	close(fd);
}

static enum conn_result shut_down(struct conn *c, int64_t deadline_us)
{
	for (;;) {
		const int want = c->transport->shutdown(c);

		if (want == 0)
			return CONN_OK;
		if (want == CONN_BROKEN)
			return CONN_ERROR;
		const enum conn_result r = conn_wait(c, (enum conn_want)want, deadline_us);
		if (r != CONN_OK)
			return r;
	}
}

void conn_finish(struct conn *c, int64_t deadline_us)
{
	size_t dropped = 0;

	if (!conn_is_open(c))
		return;
	c->parting = true;
	if (conn_flush(c, deadline_us) == CONN_OK && shut_down(c, deadline_us) == CONN_OK) {
		do {
			dropped += conn_buffered(c);
			conn_discard_input(c);
		} while (dropped <= CONN_SWALLOW_MAX && conn_fill(c, deadline_us) == CONN_OK);
	}
	conn_close(c);
}

void conn_part(struct conn *c, int64_t deadline_us)
{
	if (!conn_is_open(c))
		return;
	/* Unread input would make the kernel send a reset. */
	c->parting = !conn_input_may_come(c);
	if (c->parting && conn_flush(c, deadline_us) == CONN_OK && !conn_input_may_come(c))
		conn_close(c);
	else
		conn_finish(c, deadline_us);
}

void conn_set_transport(struct conn *c, const struct conn_transport *t, void *state)
{
	if (c->transport->free)
		c->transport->free(c);
	c->transport = t;
	c->transport_state = state;
}

enum conn_result conn_wait(struct conn *c, enum conn_want want, int64_t deadline_us)
{
	enum wake wake;

	if (want == CONN_BROKEN)
		return CONN_ERROR;
	if (want == CONN_WANT_READ)
		wake = watch_wait_readable(&c->watch, deadline_us);
	else
		wake = watch_wait_writable(&c->watch, deadline_us);
	switch (wake) {
	case WAKE_READY:
		return CONN_OK;
	case WAKE_TIMEOUT:
		return CONN_TIMEOUT;
	default:
		return CONN_CANCELLED;
	}
}

void conn_set_write_timeout(struct conn *c, int64_t us)
{
	c->write_timeout_us = us;
}

const char *conn_result_text(const struct conn *c, enum conn_result r)
{
	switch (r) {
	case CONN_OK:
		return "no error";
	case CONN_EOF:
		return "end of file";
	case CONN_TIMEOUT:
		return "timeout";
	case CONN_LINE_TOO_LONG:
		return "line too long";
	case CONN_FLOOD:
		return "line without end";
	case CONN_CANCELLED:
		return "cancelled";
	case CONN_NO_MEMORY:
		return "no memory";
	default:
		break;
	}
	const char *text = strerrordesc_np(c->error);

	return text ? text : "unknown error";
}

int64_t conn_rate_deadline(const struct conn_rate *r, uint64_t bytes)
{
	unsigned __int128 at = (unsigned __int128)r->start_us + (unsigned __int128)r->grace_us;

	if (r->bytes_per_second)
		at += (unsigned __int128)bytes * 1000000 / r->bytes_per_second;
	return at < (unsigned __int128)r->limit_us ? (int64_t)at : r->limit_us;
}

/* ---- The plain transport ---- */

static ssize_t plain_read(struct conn *c, void *p, size_t n)
{
	ssize_t got;

	do
		got = recv(c->watch.fd, p, n, 0);
	while (got < 0 && errno == EINTR);
	if (got >= 0) {
		if ((size_t)got < n)
			watch_short_read(&c->watch);
		return got;
	}
	if (errno == EAGAIN || errno == EWOULDBLOCK)
		return CONN_WANT_READ;
	c->error = errno;
	return CONN_BROKEN;
}

/* A reply is one piece, and send() costs the kernel less than sendmsg(). */
static ssize_t send_pieces(int fd, const struct iovec *iov, int n, int flags)
{
	const struct msghdr m = {.msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)n};

	return n == 1 ? send(fd, iov->iov_base, iov->iov_len, flags) : sendmsg(fd, &m, flags);
}

static ssize_t plain_writev(struct conn *c, const struct iovec *iov, int n)
{
	const int flags = MSG_NOSIGNAL | (c->parting ? MSG_MORE : 0);
	ssize_t sent;

	do
		sent = send_pieces(c->watch.fd, iov, n, flags);
	while (sent < 0 && errno == EINTR);
	if (sent >= 0)
		return sent;
	if (errno == EAGAIN || errno == EWOULDBLOCK)
		return CONN_WANT_WRITE;
	c->error = errno;
	return CONN_BROKEN;
}

static int plain_shutdown(struct conn *c)
{
	if (shutdown(c->watch.fd, SHUT_WR) == 0)
		return 0;
	c->error = errno;
	return CONN_BROKEN;
}

const struct conn_transport conn_transport_plain = {
    .read = plain_read,
    .writev = plain_writev,
    .shutdown = plain_shutdown,
};
