/* Binding, keeping and closing the listening sockets. */
#include "master/listeners.h"

#include "shm/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

static struct listening *find(const struct listeners *l, const struct listen_address *a)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->v[i].port == a->port && ip_eq(&l->v[i].ip, &a->ip))
			return &l->v[i];
	return NULL;
}

static bool add(struct listeners *l, struct listening one)
{
	struct listening *v = realloc(l->v, (l->n + 1) * sizeof(*v));
	if (!v)
		return false;
	l->v = v;
	l->v[l->n++] = one;
	return true;
}

/* Accepted sockets inherit TCP_NODELAY; workers never wait in accept. */
static void make_ready(int fd)
{
	const int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

void listeners_adopt(struct listeners *l)
{
	int n = sd_listen_fds(1);
	for (int fd = SD_LISTEN_FDS_START; fd < SD_LISTEN_FDS_START + n; fd++) {
		struct sockaddr_storage sa;
		socklen_t len = sizeof(sa);
		struct listening one = {.fd = fd};
		if (sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, 1) <= 0 ||
		    getsockname(fd, (struct sockaddr *)&sa, &len) != 0 ||
		    !ip_from_sockaddr((struct sockaddr *)&sa, &one.ip, &one.port) || !add(l, one))
			log_warn("descriptor %d from systemd is no listening TCP socket: not used",
				 fd);
		else
			make_ready(fd);
	}
}

static int bind_one(const struct listen_address *a, int backlog)
{
	struct sockaddr_storage sa;
	const int on = 1;
	socklen_t len = ip_to_sockaddr(&a->ip, a->port, &sa);
	int fd = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	make_ready(fd);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (sa.ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&sa, len) == 0 && listen(fd, backlog) == 0)
		return fd;
	int saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

static const char *bind_advice(int error)
{
	switch (error) {
	case EACCES:
		return "; run as root, or choose a port above 1023";
	case EADDRINUSE:
		return "; another program listens there";
	case EADDRNOTAVAIL:
		return "; this machine has no such address";
	default:
		return "";
	}
}

static bool open_one(struct listeners *l, const struct listener *from,
		     const struct listen_address *a)
{
	const int backlog = (int)from->set.backlog;
	struct listening *have = find(l, a);
	if (have) {
		listen(have->fd, backlog); /* the backlog may have changed */
		return true;
	}
	struct listening one = {.ip = a->ip, .port = a->port, .fd = bind_one(a, backlog)};
	if (one.fd < 0) {
		log_error("cannot bind %.*s (listener \"%.*s\"): %m%s", TEXT(a->text),
			  TEXT(from->set.name), bind_advice(errno));
		return false;
	}
	if (add(l, one))
		return true;
	close(one.fd);
	return false;
}

bool listeners_open(struct listeners *l, const struct config *config, int **fds, size_t *n)
{
	const size_t before = l->n;
	bool ok = true;
	size_t total = 0;
	for (size_t i = 0; i < config->listener_count; i++)
		total += config->listeners[i].address_count;
	int *out = calloc(total + 1, sizeof(int));
	if (!out)
		return false;
	size_t k = 0;
	for (size_t i = 0; ok && i < config->listener_count; i++) {
		const struct listener *from = &config->listeners[i];
		for (size_t j = 0; ok && j < from->address_count; j++) {
			ok = open_one(l, from, &from->addresses[j]);
			if (ok)
				out[k++] = find(l, &from->addresses[j])->fd;
		}
	}
	if (ok) {
		*fds = out;
		*n = total;
		return true;
	}
	while (l->n > before)
		close(l->v[--l->n].fd);
	free(out);
	return false;
}

static bool names(const struct config *config, const struct listening *one)
{
	for (size_t i = 0; i < config->listener_count; i++)
		for (size_t j = 0; j < config->listeners[i].address_count; j++) {
			const struct listen_address *a = &config->listeners[i].addresses[j];
			if (a->port == one->port && ip_eq(&a->ip, &one->ip))
				return true;
		}
	return false;
}

void listeners_close_others(struct listeners *l, const struct config *config)
{
	size_t kept = 0;
	for (size_t i = 0; i < l->n; i++) {
		if (names(config, &l->v[i]))
			l->v[kept++] = l->v[i];
		else
			close(l->v[i].fd);
	}
	l->n = kept;
}

void listeners_close(struct listeners *l)
{
	for (size_t i = 0; i < l->n; i++)
		close(l->v[i].fd);
	free(l->v);
	*l = (struct listeners){0};
}
