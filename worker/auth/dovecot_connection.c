/* The connection to Dovecot's auth service: opened, kept, its lines given to those who wait. */
#include "shm/base/clock.h"
#include "worker/auth/dovecot_private.h"
#include "worker/io/task.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Between two attempts to connect, and for a handshake. */
#define AGAIN_US     (SECOND_US / 5)
#define HANDSHAKE_US (10 * SECOND_US)

void dovecot_drop(struct dovecot *d)
{
	if (d->fd < 0)
		return;
	loop_fd_remove(&d->event);
	close(d->fd);
	d->fd = -1;
	d->ready = false;
	explicit_bzero(d->out, sizeof(d->out));
	d->in_n = d->out_n = 0;
	for (struct dovecot_login *x = d->first; x; x = x->next) {
		x->lost = true;
		task_wake(x->task);
	}
}

/* ---- Writing */

static void flush(struct dovecot *d)
{
	while (d->fd >= 0 && d->out_n > 0) {
		const ssize_t n = send(d->fd, d->out, d->out_n, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0) {
			dovecot_drop(d);
			return;
		}
		d->out_n -= (size_t)n;
		memmove(d->out, d->out + n, d->out_n);
		explicit_bzero(d->out + d->out_n, (size_t)n);
	}
	if (d->fd >= 0 && !loop_fd_modify(&d->event, EPOLLIN | (d->out_n ? EPOLLOUT : 0)))
		dovecot_drop(d);
}

bool dovecot_send(struct dovecot *d, struct text bytes)
{
	if (d->fd < 0 || bytes.n > sizeof(d->out) - d->out_n)
		return false;
	memcpy(d->out + d->out_n, bytes.p, bytes.n);
	d->out_n += bytes.n;
	flush(d);
	return d->fd >= 0;
}

/* ---- Reading */

static void give(struct dovecot *d, uint32_t id, struct text line)
{
	struct dovecot_login *x = d->first;

	while (x && (x->id != id || !x->sent))
		x = x->next;
	if (!x || x->line)
		return; /* one that was given up */
	x->line = malloc(line.n + 1);
	if (x->line)
		text_cstr(line, x->line, line.n + 1);
	else
		x->lost = true;
	task_wake(x->task);
}

static void handshake_over(struct dovecot *d)
{
	d->ready = d->known = true;
	d->mechanisms = d->listed;
	timer_clear(d->loop, &d->timer);
	for (struct dovecot_login *x = d->first; x; x = x->next)
		task_wake(x->task);
}

/* LOGIN is spoken by us, as PLAIN. */
static void note_mechanism(struct dovecot *d, struct text name)
{
	for (unsigned m = 0; m < MECHANISMS; m++) {
		if (m != MECHANISM_LOGIN && text_ieq(name, text_of(mechanism_name(m))))
			d->listed |= 1U << m;
	}
	if (d->listed & 1U << MECHANISM_PLAIN)
		d->listed |= 1U << MECHANISM_LOGIN;
}

static bool take_line(struct dovecot *d, struct text line)
{
	struct dovecot_line l;

	if (memchr(line.p, '\0', line.n) || !dovecot_line_parse(line, &l))
		return false;
	switch (l.verb) {
	case DOVECOT_VERSION:
		return l.id == 1;
	case DOVECOT_MECH:
		note_mechanism(d, l.text);
		return true;
	case DOVECOT_DONE:
		handshake_over(d);
		return true;
	case DOVECOT_OK:
	case DOVECOT_FAIL:
	case DOVECOT_CONT:
		give(d, l.id, line);
		return true;
	default:
		return true;
	}
}

static bool take_lines(struct dovecot *d)
{
	size_t start = 0;

	for (;;) {
		const struct text rest = text_make(d->in + start, d->in_n - start);
		const size_t end = text_find(rest, '\n');

		if (end == rest.n)
			break;
		if (!take_line(d, text_make(rest.p, end)))
			return false;
		start += end + 1;
	}
	d->in_n -= start;
	memmove(d->in, d->in + start, d->in_n);
	return d->in_n < sizeof(d->in);
}

static void on_event(void *arg, uint32_t events)
{
	struct dovecot *d = arg;
	ssize_t n;

	if (events & EPOLLOUT)
		flush(d);
	if (d->fd < 0 || !(events & ~(uint32_t)EPOLLOUT))
		return;
	n = recv(d->fd, d->in + d->in_n, sizeof(d->in) - d->in_n, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		d->in_n += (size_t)n;
	if (n <= 0 || !take_lines(d))
		dovecot_drop(d);
}

/* ---- Connecting */

static void on_timer(void *arg)
{
	struct dovecot *d = arg;

	if (d->fd >= 0 && loop_now_us(d->loop) - d->tried_us > HANDSHAKE_US)
		dovecot_drop(d);
	dovecot_connect(d);
}

static int open_socket(const struct dovecot *d)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd;

	if (d->path.n >= sizeof(sa.sun_path))
		return -1;
	memcpy(sa.sun_path, d->path.p, d->path.n);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&sa, sizeof(sa)) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* Dovecot wants each of its clients to have a number of its own; one that connects again has a new
 * one, since the old may not be gone yet.  Process ids are less than 2^22. */
static void say_hello(struct dovecot *d)
{
	char text[64];
	struct buf b = buf_over(text, sizeof(text));

	buf_printf(&b, "VERSION\t1\t1\nCPID\t%u\n",
		   (uint32_t)getpid() | (uint32_t)d->connections++ << 22);
	dovecot_send(d, buf_view(&b));
}

void dovecot_connect(struct dovecot *d)
{
	const int64_t now = loop_now_us(d->loop);
	int fd;

	if (d->ready)
		return;
	timer_set(d->loop, &d->timer, now + SECOND_US, on_timer, d);
	if (d->fd >= 0 || now - d->tried_us < AGAIN_US)
		return;
	d->tried_us = now;
	fd = open_socket(d);
	if (fd < 0)
		return;
	if (!loop_fd_add(d->loop, &d->event, fd, EPOLLIN, on_event, d)) {
		close(fd);
		return;
	}
	d->fd = fd;
	d->listed = 0;
	say_hello(d);
}

struct dovecot *dovecot_open(struct loop *l, struct text path)
{
	struct dovecot *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	*d = (struct dovecot){.loop = l, .path = path, .fd = -1, .tried_us = -AGAIN_US};
	dovecot_connect(d);
	return d;
}

void dovecot_close(struct dovecot *d)
{
	if (!d)
		return;
	timer_clear(d->loop, &d->timer);
	dovecot_drop(d);
	free(d);
}

unsigned dovecot_mechanisms(const struct dovecot *d)
{
	return d->known ? d->mechanisms : ~0U;
}
