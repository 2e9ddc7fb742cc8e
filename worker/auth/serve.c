/* The auth process's loop: questions, exchanges that go on, a heartbeat. */
#include "worker/auth/serve.h"

#include "shm/base/clock.h"
#include "shm/base/log.h"
#include "worker/auth/hasher.h"
#include "worker/auth/scram.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	PAGE_BYTES = 4096,
	/* Exchanges at once, and how long a client may take for its second message: beyond, the
	 * oldest ends. */
	EXCHANGES_MAX = 1024,
	TICK_MS = 1000,
};
#define EXCHANGE_US (60 * SECOND_US)

/* A SCRAM exchange whose client is at work. */
struct conversation {
	struct conversation *next, **link; /* the next is younger */
	struct scram_exchange *exchange;
	int fd;
	int64_t end_mono_us;
};

struct server {
	const struct serve_options *o;
	struct store users;
	struct hasher *hasher;
	struct scram *scram;
	int epoll_fd;
	struct conversation *oldest, **youngest_next;
	unsigned conversations;
	bool done;
};

int auth_page_create(struct auth_page **out)
{
	const int fd = memfd_create("gatepost-auth", MFD_CLOEXEC);

	*out = fd >= 0 && ftruncate(fd, PAGE_BYTES) == 0 ? auth_page_attach(fd) : NULL;
	if (*out)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

struct auth_page *auth_page_attach(int fd)
{
	void *page = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return page == MAP_FAILED ? NULL : page;
}

void serve_reply(int fd, const struct auth_reply *r)
{
	char room[AUTH_REPLY_MAX + 1];
	struct buf b = buf_over(room, sizeof(room));

	if (auth_reply_put(&b, r))
		(void)send(fd, b.p, b.n, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static int find_user(void *self, struct text login, struct user *out)
{
	struct server *sv = self;

	return users_get(&sv->users, login, out);
}

static void turn_away(int fd)
{
	serve_reply(fd, &(struct auth_reply){.verdict = AUTH_CANT});
	close(fd);
}

/* ---- Passwords */

static void take_password(struct server *sv, const struct auth_request *rq, int fd)
{
	struct hash_job job = {.reply_fd = fd, .deadline_mono_us = rq->deadline_mono_us};
	const int rc = users_get(&sv->users, rq->login, &job.user);

	text_cstr(rq->login, job.login, sizeof(job.login));
	job.known = rc == 0;
	if (rc != 0 && rc != MDB_NOTFOUND) {
		log_error("cannot read the users: %s", store_error(rc));
		turn_away(fd);
	} else if (!password_prepare(rq->secret, job.password)) {
		/* Nobody's, whatever the name. */
		serve_reply(fd, &(struct auth_reply){.verdict = AUTH_NO, .login = rq->login});
		close(fd);
	} else if (!hasher_put(sv->hasher, &job)) {
		turn_away(fd);
	}
	explicit_bzero(&job, sizeof(job));
}

/* ---- Exchanges */

static void end_conversation(struct server *sv, struct conversation *c)
{
	*c->link = c->next;
	if (c->next)
		c->next->link = c->link;
	else
		sv->youngest_next = c->link;
	sv->conversations--;
	scram_end(c->exchange);
	close(c->fd);
	free(c);
}

static void end_conversations(struct server *sv, int64_t until_mono_us)
{
	struct conversation *next;

	for (struct conversation *c = sv->oldest; c && c->end_mono_us <= until_mono_us; c = next) {
		next = c->next;
		end_conversation(sv, c);
	}
}

static bool keep_conversation(struct server *sv, struct scram_exchange *x, int fd)
{
	struct conversation *c = calloc(1, sizeof(*c));
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};

	if (!c || epoll_ctl(sv->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
		free(c);
		return false;
	}
	*c = (struct conversation){.link = sv->youngest_next,
				   .exchange = x,
				   .fd = fd,
				   .end_mono_us = clock_mono_us() + EXCHANGE_US};
	*c->link = c;
	sv->youngest_next = &c->next;
	if (++sv->conversations > EXCHANGES_MAX)
		end_conversation(sv, sv->oldest);
	return true;
}

static void take_scram(struct server *sv, const struct auth_request *rq, int fd)
{
	struct scram_exchange *x;
	const struct auth_reply r = scram_begin(sv->scram, rq->secret, find_user, sv, &x);

	serve_reply(fd, &r);
	if (x && keep_conversation(sv, x, fd))
		return;
	if (x)
		scram_end(x);
	close(fd);
}

static void go_on(struct server *sv, struct conversation *c)
{
	char room[AUTH_SECRET_MAX];
	const ssize_t n = recv(c->fd, room, sizeof(room), MSG_DONTWAIT | MSG_TRUNC);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0 && n <= (ssize_t)sizeof(room)) {
		const struct auth_reply r = scram_finish(c->exchange, text_make(room, (size_t)n));

		serve_reply(c->fd, &r);
	}
	end_conversation(sv, c);
}

/* ---- Questions */

static int reply_fd_of(struct msghdr *m)
{
	const struct cmsghdr *c = CMSG_FIRSTHDR(m);
	int fd = -1;

	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
	    c->cmsg_len == CMSG_LEN(sizeof(fd)))
		memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

static void take_question(struct server *sv)
{
	char room[AUTH_REQUEST_MAX];
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = {room, sizeof(room)};
	struct msghdr m = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = control.room,
			   .msg_controllen = sizeof(control.room)};
	const ssize_t n = recvmsg(sv->o->request_fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	const int fd = n > 0 ? reply_fd_of(&m) : -1;
	struct auth_request rq;

	if (n == 0)
		sv->done = true; /* nobody is left who asks */
	if (fd < 0)
		return;
	if ((m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) ||
	    !auth_request_get(text_make(room, (size_t)n), &rq) ||
	    rq.deadline_mono_us <= clock_mono_us())
		close(fd);
	else if (rq.kind == AUTH_PASSWORD)
		take_password(sv, &rq, fd);
	else
		take_scram(sv, &rq, fd);
	explicit_bzero(room, (size_t)n);
}

/* ---- The loop */

static bool watch(const struct server *sv, int fd, const void *tag)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = (void *)(uintptr_t)tag};

	return fd < 0 || epoll_ctl(sv->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

static bool open_server(struct server *sv, struct buf *err)
{
	unsigned char secret[USERS_SECRET_BYTES];
	int rc;

	if (store_open(&sv->users, sv->o->state_dir, STORE_USERS, STORE_WRITE, err) != 0)
		return false;
	rc = users_secret(&sv->users, secret);
	if (rc != 0) {
		buf_printf(err, "cannot write the users' store: %s", store_error(rc));
		return false;
	}
	sv->scram = scram_open(secret);
	sv->hasher = hasher_start(sv->o->threads);
	sv->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (sv->scram && sv->hasher && sv->epoll_fd >= 0 &&
	    watch(sv, sv->o->request_fd, &sv->o->request_fd) &&
	    watch(sv, sv->o->lifeline_fd, &sv->o->lifeline_fd))
		return true;
	buf_printf(err, "cannot serve logins: %s", errno ? strerrordesc_np(errno) : "no memory");
	return false;
}

static void close_server(struct server *sv)
{
	end_conversations(sv, INT64_MAX);
	/* What is in the queue is still answered. */
	if (sv->hasher)
		hasher_stop(sv->hasher);
	if (sv->scram)
		scram_close(sv->scram);
	if (sv->epoll_fd >= 0)
		close(sv->epoll_fd);
	store_close(&sv->users);
}

static void tick(struct server *sv)
{
	atomic_store(&sv->o->page->heartbeat_boot_us, clock_boot_us());
	end_conversations(sv, clock_mono_us());
}

/* One event at a time: what one ends may be what another is about. */
static void turn(struct server *sv)
{
	struct epoll_event event;

	if (epoll_wait(sv->epoll_fd, &event, 1, TICK_MS) != 1)
		return;
	if (event.data.ptr == &sv->o->lifeline_fd)
		sv->done = true;
	else if (event.data.ptr == &sv->o->request_fd)
		take_question(sv);
	else
		go_on(sv, event.data.ptr);
}

int serve_run(const struct serve_options *o)
{
	static struct server sv;
	char message[512];
	struct buf err = buf_over(message, sizeof(message));
	int64_t next_tick = 0;

	sv = (struct server){.o = o, .epoll_fd = -1};
	sv.youngest_next = &sv.oldest;
	errno = 0;
	if (!open_server(&sv, &err)) {
		log_error("%s", message);
		close_server(&sv);
		return 1;
	}
	while (!sv.done && !o->stop()) {
		if (clock_mono_us() >= next_tick) {
			tick(&sv);
			next_tick = clock_mono_us() + SECOND_US / 2;
		}
		turn(&sv);
	}
	close_server(&sv);
	return 0;
}
