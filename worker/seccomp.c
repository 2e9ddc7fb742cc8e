/* The worker's seccomp filter: an allow-list. */
#include "worker/seccomp.h"

#include "shm/base/filter.h"

#include <errno.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>

/* Besides the basics of every role: sockets, epoll, Maildir. */
static const char *const of_a_worker[] = {
    "accept",        "accept4",      "connect",    "recvfrom",    "recvmsg",
    "recvmmsg",      "sendto",       "sendmsg",    "sendmmsg",    "shutdown",
    "getsockname",   "getpeername",  "getsockopt", "setsockopt",  "socketpair",
    "epoll_create1", "epoll_ctl",    "epoll_wait", "epoll_pwait", "epoll_pwait2",
    "signalfd4",     "pipe2",        "ioctl",      "link",        "linkat",
    "fchdir",        "memfd_create", NULL};

bool worker_seccomp(struct buf *err)
{
	/* Streams and datagrams to next hops, name servers and syslog; never raw sockets. */
	static const int families[] = {AF_UNIX, AF_INET, AF_INET6};
	struct filter f = filter_begin(FILTER_EPERM);

	filter_allow(&f, filter_basics);
	filter_allow(&f, of_a_worker);
	for (unsigned i = 0; i < 3; i++)
		filter_allow_if(&f, "socket", 0, UINT32_MAX, (uint64_t)families[i]);
	/* Threads, never processes.  clone3's flags can't be seen by a filter: glibc falls back to
	 * clone. */
	filter_allow_if(&f, "clone", 0, CLONE_THREAD, CLONE_THREAD);
	filter_answer(&f, "clone3", ENOSYS);
	filter_allow_if(&f, "prctl", 0, UINT32_MAX, PR_SET_NAME);
	filter_allow_if(&f, "kill", 1, UINT32_MAX, 0);
	return filter_load(&f, err);
}
