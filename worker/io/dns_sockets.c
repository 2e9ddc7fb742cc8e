/* The sockets of c-ares (worker/io/dns_sockets.h).
 *
 * A port that nobody listens on is told by an error of the socket, once, to whoever uses it next.
 * Where that is the send of a second question, c-ares gives up that one alone, and the first waits
 * for its time-out: 1.5 s for each message, with a resolver that is being restarted. */
#include "worker/io/dns_sockets.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

static ares_socket_t open_socket(int family, int type, int protocol, void *arg)
{
	const int on = 1;
	const int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);

	(void)arg;
	if (fd >= 0 && type == SOCK_STREAM)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

static int close_socket(ares_socket_t fd, void *arg)
{
	(void)arg;
	return close(fd);
}

static int connect_socket(ares_socket_t fd, const struct sockaddr *to, ares_socklen_t n, void *arg)
{
	(void)arg;
	return connect(fd, to, n);
}

static ares_ssize_t receive(ares_socket_t fd, void *p, size_t n, int flags, struct sockaddr *from,
			    ares_socklen_t *from_n, void *arg)
{
	(void)arg;
	return recvfrom(fd, p, n, flags, from, from_n);
}

static ares_ssize_t send_pieces(ares_socket_t fd, const struct iovec *pieces, int n, void *arg)
{
	const ares_ssize_t sent = writev(fd, pieces, n);

	(void)arg;
	return sent < 0 && errno == ECONNREFUSED ? writev(fd, pieces, n) : sent;
}

const struct ares_socket_functions dns_sockets = {
    .asocket = open_socket,
    .aclose = close_socket,
    .aconnect = connect_socket,
    .arecvfrom = receive,
    .asendv = send_pieces,
};
