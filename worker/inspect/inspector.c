/* An inspector's loop: one question, one answer, and all that was between is forgotten. */
#include "worker/inspect/inspector.h"

#include "shm/base/clock.h"
#include "worker/inspect/question.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	/* Then a fresh one takes its place: what a library leaks or spoils doesn't last. */
	QUESTIONS_MAX = 20000,
};

static question_fn *const functions[QUESTION_TYPES] = {
#define QUESTION(name, type, time_ms, help) [QUESTION_##type] = question_##name,
#include "worker/inspect/questions.def"
#undef QUESTION
};

/* What came with one datagram. */
struct delivered {
	size_t bytes;
	int fds[QUESTION_FDS_MAX]; /* in the order of question.h */
	size_t fd_count;
	bool whole;
};

static volatile sig_atomic_t told_to_end;
static unsigned last_s;

/* Between two questions it sits in recvmsg(), which the signal ends; the zygote says it again and
 * again, so it doesn't matter that one may come just before.  A question that was taken is
 * answered. */
static void on_term(int signal_number)
{
	(void)signal_number;
	told_to_end = 1;
	if (last_s > 0)
		alarm(last_s);
}

static void take_fds(struct msghdr *m, struct delivered *d)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		d->fd_count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(d->fds, CMSG_DATA(c), d->fd_count * sizeof(int));
		return;
	}
}

/* False: nobody asks any more. */
static bool receive(int fd, char *bytes, struct delivered *d)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(QUESTION_FDS_MAX * sizeof(int))];
	} control;
	struct iovec iov = {bytes, 1 + QUESTION_INLINE_MAX};
	struct msghdr m = {
	    .msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = control.room,
	    .msg_controllen = sizeof(control.room),
	};
	ssize_t n;

	do {
		n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR && !told_to_end);
	if (n <= 0)
		return false;
	*d = (struct delivered){.bytes = (size_t)n};
	d->whole = (m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0;
	take_fds(&m, d);
	return true;
}

/* The bytes of a long question, in the arena; nothing if they are none. */
static struct text read_all(int fd, struct arena *a)
{
	struct stat st;
	char *bytes;
	size_t done = 0;

	if (fstat(fd, &st) != 0 || st.st_size <= 0 || st.st_size > QUESTION_SIZE_MAX)
		return LIT("");
	bytes = arena_alloc(a, (size_t)st.st_size);
	while (done < (size_t)st.st_size) {
		const ssize_t n = pread(fd, bytes + done, (size_t)st.st_size - done, (off_t)done);

		if (n <= 0)
			return LIT("");
		done += (size_t)n;
	}
	return text_make(bytes, done);
}

static bool unpack(const char *bytes, const struct delivered *d, struct arena *a,
		   struct question *q)
{
	const unsigned flags = (unsigned char)bytes[0];
	const bool by_fd = flags & QUESTION_BY_FD, message = flags & QUESTION_WITH_MESSAGE;
	struct text t = text_make(bytes + 1, d->bytes - 1);

	if (!d->whole || d->fd_count != 1U + by_fd + message)
		return false;
	if (by_fd)
		t = read_all(d->fds[1], a);
	*q = (struct question){.message_fd = -1};
	if (!question_get(t, a, q))
		return false;
	if (message)
		q->message_fd = d->fds[d->fd_count - 1];
	return true;
}

static void answer(const struct question *q, struct arena *a, int reply_fd)
{
	static char body[QUESTION_REPLY_MAX], bytes[QUESTION_REPLY_MAX];
	struct buf body_buf = buf_over(body, sizeof(body) - 64),
		   reply_buf = buf_over(bytes, sizeof(bytes));
	struct inquiry *i = arena_new(a, struct inquiry);
	struct inspect_reply reply = {.kind = REPLY_KIND_ANSWER};

	i->q = q;
	i->arena = a;
	functions[q->type](i, &body_buf);
	if (i->blocked) {
		reply.kind = REPLY_KIND_NEEDS;
		reply.needs = i->needs;
		reply.need_count = i->need_count;
	} else {
		reply.body = buf_view(&body_buf);
	}
	if (!body_buf.cut && inspect_reply_put(&reply_buf, &reply))
		(void)send(reply_fd, reply_buf.p, reply_buf.n, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void serve(const char *bytes, const struct delivered *d, struct inspector_page *page)
{
	struct arena a;
	struct question q;

	arena_init(&a, NULL, NULL);
	if (unpack(bytes, d, &a, &q) && q.deadline_mono_us > clock_mono_us()) {
		atomic_store(&page->type, q.type);
		answer(&q, &a, d->fds[0]);
	}
	for (size_t i = 0; i < d->fd_count; i++)
		close(d->fds[i]);
	arena_reset(&a);
}

_Noreturn void inspector_run(int fd, struct inspector_page *page)
{
	static char bytes[1 + QUESTION_INLINE_MAX];
	struct delivered d;

	for (unsigned n = 0; n < QUESTIONS_MAX && !told_to_end; n++) {
		if (!receive(fd, bytes, &d))
			break;
		atomic_store(&page->busy_since_mono_us, clock_mono_us());
		serve(bytes, &d, page);
		atomic_store(&page->type, QUESTION_NONE);
		atomic_store(&page->busy_since_mono_us, 0);
		atomic_fetch_add(&page->answered, 1);
	}
	_exit(0);
}

void inspector_signals(unsigned seconds)
{
	struct sigaction term = {.sa_handler = on_term}, ignore = {.sa_handler = SIG_IGN};
	sigset_t none;

	last_s = seconds;
	sigaction(SIGTERM, &term, NULL);
	sigaction(SIGINT, &ignore, NULL);
	sigaction(SIGHUP, &ignore, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
	sigaction(SIGXFSZ, &ignore, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}
