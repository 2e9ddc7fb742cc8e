/* Accepting, and what to do when it can't be done. */
#include "worker/io/accept.h"

#include "shm/base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define ACCEPTS_A_WAKE_UP 16
#define LOOK_US           SECOND_US
#define REST_US           (SECOND_US / 10)
#define LOG_PERIOD_US     (10 * SECOND_US)

static void on_event(void *arg, uint32_t events);
static void on_timer(void *arg);

static void reserve(struct acceptor *a)
{
	if (a->reserve_fd < 0)
		a->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void schedule(struct acceptor *a, int64_t in_us)
{
	timer_set(a->loop, &a->timer, loop_now_us(a->loop) + in_us, on_timer, a);
}

/* Out of the loop for a moment. */
static void rest(struct acceptor *a)
{
	loop_fd_remove(&a->event);
	a->resting = true;
	schedule(a, REST_US);
}

/* Into the loop; if the kernel has no memory for it, later. */
static void enter(struct acceptor *a)
{
	a->resting = false;
	if (loop_fd_add(a->loop, &a->event, a->fd, EPOLLIN | EPOLLEXCLUSIVE, on_event, a))
		schedule(a, LOOK_US);
	else
		rest(a);
}

static int accept_one(struct acceptor *a, struct sockaddr_storage *peer, socklen_t *len)
{
	*len = sizeof(*peer);
	return accept4(a->fd, (struct sockaddr *)peer, len, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

/* Spends the reserve to answer one that waits.  False if there was none, or no reserve. */
static bool turn_away(struct acceptor *a)
{
	struct sockaddr_storage peer;
	socklen_t len;

	if (a->reserve_fd < 0)
		return false;
	close(a->reserve_fd);
	a->reserve_fd = -1;
	const int fd = accept_one(a, &peer, &len);

	if (fd >= 0) {
		a->exhausted++;
		if (a->ops->on_exhausted)
			a->ops->on_exhausted(a->arg, fd);
		close(fd);
	}
	reserve(a);
	return fd >= 0;
}

static void out_of(struct acceptor *a, int e)
{
	uint64_t held;

	if (log_allowed(&a->log, LOG_PERIOD_US, &held))
		log_error("cannot accept connections: %s; new clients get 421 or wait "
			  "(%llu more such lines held back)",
			  strerrordesc_np(e), (unsigned long long)held);
	if (e == EMFILE || e == ENFILE)
		for (int i = 0; i < ACCEPTS_A_WAKE_UP && !a->paused && turn_away(a); i++)
			;
	if (!a->paused)
		rest(a);
}

/* accept4() also reports errors of the connection that it would have given (accept(2)): on to the
 * next one. */
static bool is_of_connection(int e)
{
	switch (e) {
	case EINTR:
	case ECONNABORTED:
	case EPROTO:
	case EPERM:
	case ENETDOWN:
	case ENETUNREACH:
	case ENOPROTOOPT:
	case EHOSTDOWN:
	case EHOSTUNREACH:
	case ENONET:
	case ETIMEDOUT:
		return true;
	default:
		return false;
	}
}

static void accept_some(struct acceptor *a)
{
	const unsigned generation = a->generation;

	for (int i = 0; i < ACCEPTS_A_WAKE_UP && generation == a->generation; i++) {
		struct sockaddr_storage peer;
		socklen_t len;
		const int fd = accept_one(a, &peer, &len);

		if (fd >= 0) {
			a->accepted++;
			reserve(a); /* if it was lost while there were none */
			a->ops->on_connection(a->arg, fd, (struct sockaddr *)&peer, len);
		} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			return;
		} else if (!is_of_connection(errno)) {
			out_of(a, errno);
			return;
		}
	}
}

static void on_event(void *arg, uint32_t events)
{
	(void)events;
	accept_some(arg);
}

static void on_timer(void *arg)
{
	struct acceptor *a = arg;

	reserve(a);
	if (a->resting) {
		enter(a);
		return;
	}
	schedule(a, LOOK_US);
	accept_some(a);
}

bool acceptor_init(struct acceptor *a, struct loop *l, int fd, const struct acceptor_ops *ops,
		   void *arg)
{
	*a = (struct acceptor){.loop = l, .ops = ops, .arg = arg, .fd = fd, .reserve_fd = -1};
	reserve(a);
	if (a->reserve_fd < 0)
		return false;
	if (loop_fd_add(l, &a->event, fd, EPOLLIN | EPOLLEXCLUSIVE, on_event, a)) {
		schedule(a, LOOK_US);
		return true;
	}
	const int e = errno;

	close(a->reserve_fd);
	a->loop = NULL;
	errno = e;
	return false;
}

void acceptor_pause(struct acceptor *a)
{
	if (!a->loop || a->paused)
		return;
	a->paused = true;
	a->generation++;
	loop_fd_remove(&a->event);
	timer_clear(a->loop, &a->timer);
}

void acceptor_resume(struct acceptor *a)
{
	if (!a->loop || !a->paused)
		return;
	a->paused = false;
	enter(a);
}

void acceptor_close(struct acceptor *a)
{
	if (!a->loop)
		return;
	acceptor_pause(a);
	if (a->reserve_fd >= 0)
		close(a->reserve_fd);
	a->loop = NULL;
}
