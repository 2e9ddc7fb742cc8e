/* One question out, one reply in. */
#include "worker/inspect/ask_send.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

/* The bytes as a sealed memfd, or -1. */
static int as_memfd(struct text bytes)
{
	const int fd = memfd_create("gatepost-question", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -1;
	for (size_t done = 0; done < bytes.n;) {
		const ssize_t n = write(fd, bytes.p + done, bytes.n - done);

		if (n <= 0) {
			close(fd);
			return -1;
		}
		done += (size_t)n;
	}
	if (fcntl(fd, F_ADD_SEALS, SEALS) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static enum ask_sent send_with(int fd, struct text bytes, const int *fds, size_t fd_count)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(QUESTION_FDS_MAX * sizeof(int))];
	} control = {0};
	struct iovec iov = {(void *)bytes.p, bytes.n};
	struct msghdr m = {
	    .msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = control.room,
	    .msg_controllen = CMSG_SPACE(fd_count * sizeof(int)),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	ssize_t n;

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
	memcpy(CMSG_DATA(c), fds, fd_count * sizeof(int));
	do {
		n = sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	if (n >= 0)
		return ASK_SENT;
	/* ENOBUFS and ETOOMANYREFS pass when the inspectors have taken some from the queue. */
	if (errno == EAGAIN || errno == ENOBUFS || errno == ETOOMANYREFS)
		return ASK_FULL;
	return errno == EMSGSIZE ? ASK_TOO_LONG : ASK_FAILED;
}

static enum ask_sent send_question(int fd, const struct question *q, struct buf *b, int reply_end)
{
	int fds[QUESTION_FDS_MAX] = {reply_end}, bytes_fd = -1;
	size_t n = 1;
	struct text t = buf_view(b);

	if (b->n > QUESTION_INLINE_MAX) {
		bytes_fd = as_memfd(text_make(t.p + 1, t.n - 1));
		if (bytes_fd < 0)
			return ASK_FAILED;
		b->p[0] |= QUESTION_BY_FD;
		fds[n++] = bytes_fd;
		t.n = 1;
	}
	if (q->message_fd >= 0) {
		b->p[0] |= QUESTION_WITH_MESSAGE;
		fds[n++] = q->message_fd;
	}
	const enum ask_sent sent = send_with(fd, t, fds, n);
	if (bytes_fd >= 0)
		close(bytes_fd);
	return sent;
}

enum ask_sent ask_send(int fd, const struct question *q, char *scratch, int *reply_fd)
{
	struct buf b = buf_over(scratch, ASK_SCRATCH_BYTES);
	int pair[2];

	wire_put_u8(&b, 0);
	if (!question_put(&b, q))
		return ASK_TOO_LONG;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0)
		return ASK_FAILED;
	const enum ask_sent sent = send_question(fd, q, &b, pair[1]);
	close(pair[1]);
	if (sent == ASK_SENT)
		*reply_fd = pair[0];
	else
		close(pair[0]);
	return sent;
}

bool ask_receive(int reply_fd, char room[QUESTION_REPLY_MAX], size_t *n,
		 enum inspect_result *result)
{
	/* MSG_TRUNC: the datagram's own length, also where there is no room for it. */
	const ssize_t got = recv(reply_fd, room, QUESTION_REPLY_MAX, MSG_DONTWAIT | MSG_TRUNC);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	*n = got > 0 ? (size_t)got : 0;
	if (got <= 0)
		*result = INSPECT_DIED;
	else
		*result = got > QUESTION_REPLY_MAX ? INSPECT_NONSENSE : INSPECT_ANSWERED;
	return true;
}
