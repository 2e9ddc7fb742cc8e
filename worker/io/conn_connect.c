/* Connecting to a peer without blocking the loop. */
#include "worker/io/conn.h"
#include "worker/io/conn_private.h"
#include "worker/io/task.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

/* A unix socket whose backlog is full says EAGAIN and reports nothing when there is room. */
#define RETRY_US INT64_C(10000)

static enum conn_result failed(struct conn *c, int fd, int e, int *err, enum conn_result r)
{
	if (c->watch.loop)
		conn_close(c);
	else
		close(fd);
	c->error = *err = e;
	return r;
}

/* 0 when connected, EINPROGRESS, or another errno value. */
static int begin_connect(int fd, const struct sockaddr *sa, socklen_t len)
{
	const int one = 1;

	if (sa->sa_family == AF_INET || sa->sa_family == AF_INET6)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(fd, sa, len) == 0)
		return 0;
	return errno == EINTR ? EINPROGRESS : errno;
}

static enum conn_result wake_failed(struct conn *c, int fd, enum wake wake, int *err)
{
	if (wake == WAKE_TIMEOUT)
		return failed(c, fd, ETIMEDOUT, err, CONN_TIMEOUT);
	return failed(c, fd, ECANCELED, err, CONN_CANCELLED);
}

enum conn_result conn_connect(struct loop *l, const struct sockaddr *sa, socklen_t len,
			      int64_t deadline_us, struct conn *c, int *err)
{
	const int fd = socket(sa->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	enum wake wake;
	int e;

	*c = (struct conn){.watch.fd = -1};
	*err = 0;
	if (fd < 0) {
		c->error = *err = errno;
		return CONN_ERROR;
	}
	while ((e = begin_connect(fd, sa, len)) == EAGAIN) {
		const int64_t again_us = loop_now_us(l) + RETRY_US;

		wake = task_sleep_until(again_us < deadline_us ? again_us : deadline_us);
		if (wake == WAKE_CANCELLED || loop_now_us(l) >= deadline_us)
			return wake_failed(c, fd, wake, err);
	}
	if (e != 0 && e != EINPROGRESS)
		return failed(c, fd, e, err, CONN_ERROR);
	/* Not before connect(): an unconnected socket reports a hang-up. */
	if (!conn_init(c, l, fd))
		return failed(c, fd, errno, err, CONN_ERROR);
	if (e == 0)
		return CONN_OK;
	watch_spent_writable(&c->watch);
	wake = watch_wait_writable(&c->watch, deadline_us);
	if (wake != WAKE_READY)
		return wake_failed(c, fd, wake, err);

	socklen_t size = sizeof(e);
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &size) < 0)
		e = errno;
	return e == 0 ? CONN_OK : failed(c, fd, e, err, CONN_ERROR);
}
