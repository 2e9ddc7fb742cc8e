/* Handing out the segment. */
#include "master/control.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

int control_open(int state_dir_fd, struct buf *err)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* By way of the descriptor: the path of state-dir may be longer than a socket's may be. */
	snprintf(sa.sun_path, sizeof(sa.sun_path), "/proc/self/fd/%d/control", state_dir_fd);
	unlinkat(state_dir_fd, "control", 0);
	if (fd >= 0 && bind(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0 && listen(fd, 16) == 0 &&
	    fchmodat(state_dir_fd, "control", 0666, 0) == 0)
		return fd;
	buf_printf(err, "cannot make the socket \"control\" in state-dir: %s", strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

void control_answer(int control_fd, int segment_fd)
{
	char path[64], byte = 'S';
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec iov = {&byte, 1};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control.bytes,
			     .msg_controllen = sizeof(control.bytes)};
	int peer = accept4(control_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (peer < 0)
		return;
	/* Opened anew, so that the tool can't map it writable. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", segment_fd);
	int read_only = open(path, O_RDONLY | O_CLOEXEC);
	if (read_only >= 0) {
		struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &read_only, sizeof(int));
		sendmsg(peer, &msg, MSG_NOSIGNAL);
		close(read_only);
	}
	close(peer);
}
