/* One question to the auth process, and what follows from it. */
#include "worker/auth/local.h"

#include "worker/auth/message.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct local {
	struct loop *loop;
	int auth_fd;
	/* Filled and emptied between two waits. */
	char scratch[AUTH_REQUEST_MAX + AUTH_REPLY_MAX];
};

struct local *local_open(struct loop *l, int auth_fd)
{
	struct local *lo = calloc(1, sizeof(*lo));

	if (!lo)
		return NULL;
	lo->loop = l;
	lo->auth_fd = auth_fd;
	return lo;
}

void local_close(struct local *lo)
{
	free(lo);
}

static struct login_answer away(const char *why)
{
	return (struct login_answer){.result = LOGIN_AWAY, .why = why};
}

/* The question with its reply descriptor; errno where it fails. */
static bool send_question(const struct local *lo, struct text bytes, int reply_fd)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec iov = {(void *)(uintptr_t)bytes.p, bytes.n};
	struct msghdr m = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = control.room,
			   .msg_controllen = sizeof(control.room)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &reply_fd, sizeof(int));
	return sendmsg(lo->auth_fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

/* A full queue is answered at once: the next try may fare better, and nobody waits for nothing. */
static const char *ask(struct local *lo, struct local_login *x, const struct auth_request *rq)
{
	struct buf b = buf_over(lo->scratch, sizeof(lo->scratch));
	const char *why = NULL;
	int pair[2];

	if (!auth_request_put(&b, rq))
		return "the question is too long";
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0)
		return "no descriptors to ask the auth process";
	if (!send_question(lo, buf_view(&b), pair[1]))
		why = errno == EAGAIN ? "the queue of the auth process is full"
				      : "the auth process can't be asked";
	explicit_bzero(b.p, b.n);
	close(pair[1]);
	if (!why && !watch_add(lo->loop, &x->watch, pair[0]))
		why = "no memory to ask the auth process";
	if (!why)
		x->fd = pair[0];
	else
		close(pair[0]);
	return why;
}

static struct login_answer read_reply(struct text bytes, struct arena *a)
{
	static const enum login_result results[] = {
	    [AUTH_NO] = LOGIN_NO,
	    [AUTH_YES] = LOGIN_YES,
	    [AUTH_CHALLENGE] = LOGIN_CHALLENGE,
	    [AUTH_MALFORMED] = LOGIN_MALFORMED,
	    [AUTH_CANT] = LOGIN_AWAY,
	};
	struct auth_reply r;

	if (!auth_reply_get(bytes, &r))
		return away("the auth process answered nonsense");
	return (struct login_answer){
	    .result = results[r.verdict],
	    .login = arena_text(a, r.login),
	    .senders = arena_text(a, r.senders),
	    .data = arena_text(a, r.data),
	    .why = r.verdict == AUTH_CANT ? "the auth process has too much to do, or can't read "
					    "its store"
					  : NULL,
	};
}

static struct login_answer await(struct local *lo, struct local_login *x, int64_t deadline_us,
				 struct arena *a)
{
	ssize_t n;

	for (;;) {
		n = recv(x->fd, lo->scratch, sizeof(lo->scratch), MSG_DONTWAIT | MSG_TRUNC);
		if (n >= 0 || (errno != EAGAIN && errno != EINTR))
			break;
		watch_spent_readable(&x->watch);
		switch (watch_wait_readable(&x->watch, deadline_us)) {
		case WAKE_READY:
			break;
		case WAKE_TIMEOUT:
			return away("the auth process did not answer in time");
		case WAKE_CANCELLED:
			return away("the session was ended");
		}
	}
	if (n <= 0)
		return away("the auth process died of it");
	return read_reply(text_make(lo->scratch, (size_t)n), a);
}

struct login_answer local_begin(struct local *lo, struct local_login *x,
				const struct login_question *q, struct arena *a)
{
	const bool scram = q->mechanism == MECHANISM_SCRAM_SHA_256;
	const struct auth_request rq = {
	    .kind = scram ? AUTH_SCRAM : AUTH_PASSWORD,
	    .deadline_mono_us = q->deadline_us,
	    .login = scram ? LIT("") : q->login,
	    .secret = q->secret,
	};
	const char *why = ask(lo, x, &rq);

	return why ? away(why) : await(lo, x, q->deadline_us, a);
}

struct login_answer local_go_on(struct local *lo, struct local_login *x, struct text response,
				int64_t deadline_us, struct arena *a)
{
	if (response.n == 0 || response.n > AUTH_SECRET_MAX)
		return (struct login_answer){.result = LOGIN_MALFORMED};
	if (send(x->fd, response.p, response.n, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return away("the auth process is gone");
	return await(lo, x, deadline_us, a);
}

void local_end(struct local_login *x)
{
	if (x->fd < 0)
		return;
	watch_remove(&x->watch);
	close(x->fd);
	x->fd = -1;
}
