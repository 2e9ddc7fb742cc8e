/* The worker's seccomp filter: an allow-list. */
#include "worker/seccomp.h"

#ifdef GATEPOST_SANITIZED

bool worker_seccomp(struct buf *err)
{
	(void)err;
	return true;
}

#else

#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>

/* Names, not numbers: a call that this architecture lacks is passed over. */
static const char *const allowed[] = {
    /* descriptors */
    "read",
    "write",
    "readv",
    "writev",
    "pread64",
    "pwrite64",
    "pwritev",
    "preadv",
    "close",
    "lseek",
    "fcntl",
    "dup",
    "dup3",
    "pipe2",
    "ioctl",
    /* files: spool, Maildir, LMDB */
    "openat",
    "open",
    "fstat",
    "newfstatat",
    "stat",
    "lstat",
    "statx",
    "statfs",
    "fstatfs",
    "access",
    "faccessat",
    "faccessat2",
    "ftruncate",
    "fallocate",
    "fsync",
    "fdatasync",
    "sync_file_range",
    "rename",
    "renameat",
    "renameat2",
    "link",
    "linkat",
    "unlink",
    "unlinkat",
    "mkdir",
    "mkdirat",
    "getdents64",
    "readlink",
    "readlinkat",
    "fchmod",
    "fchdir",
    "getcwd",
    "umask",
    "flock",
    "msync",
    /* sockets */
    "accept",
    "accept4",
    "connect",
    "recvfrom",
    "recvmsg",
    "recvmmsg",
    "sendto",
    "sendmsg",
    "sendmmsg",
    "shutdown",
    "getsockname",
    "getpeername",
    "getsockopt",
    "setsockopt",
    "socketpair",
    /* waiting */
    "epoll_create1",
    "epoll_ctl",
    "epoll_wait",
    "epoll_pwait",
    "epoll_pwait2",
    "poll",
    "ppoll",
    "eventfd2",
    "signalfd4",
    "timerfd_create",
    "timerfd_settime",
    "nanosleep",
    "clock_nanosleep",
    "pause",
    "restart_syscall",
    /* memory */
    "mmap",
    "munmap",
    "mremap",
    "mprotect",
    "madvise",
    "brk",
    "membarrier",
    /* threads and signals */
    "futex",
    "set_robust_list",
    "get_robust_list",
    "rseq",
    "set_tid_address",
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "rt_sigpending",
    "rt_sigtimedwait",
    "sigaltstack",
    "tgkill",
    "sched_yield",
    "sched_getaffinity",
    "gettid",
    "getpid",
    "getppid",
    "exit",
    "exit_group",
    /* facts */
    "clock_gettime",
    "clock_getres",
    "gettimeofday",
    "time",
    "getrandom",
    "getuid",
    "geteuid",
    "getgid",
    "getegid",
    "getrlimit",
    "prlimit64",
    "getrusage",
    "sysinfo",
    "uname",
};

static bool allow_all(scmp_filter_ctx ctx)
{
	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++) {
		const int nr = seccomp_syscall_resolve_name(allowed[i]);

		if (nr == __NR_SCMP_ERROR)
			continue;
		if (seccomp_rule_add(ctx, SCMP_ACT_ALLOW, nr, 0) != 0)
			return false;
	}
	return true;
}

/* Sockets to next hops and to syslog: streams and datagrams, never raw ones. */
static bool allow_sockets(scmp_filter_ctx ctx)
{
	static const int families[] = {AF_UNIX, AF_INET, AF_INET6};

	for (unsigned i = 0; i < 3; i++) {
		if (seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
				     SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)families[i])) != 0)
			return false;
	}
	return true;
}

/* Threads, never processes.  clone3's flags can't be seen by a filter: glibc falls back to clone.
 */
static bool allow_threads(scmp_filter_ctx ctx)
{
	return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
				SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD)) == 0 &&
	       seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0) == 0 &&
	       seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1,
				SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME)) == 0 &&
	       seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(kill), 1, SCMP_A1(SCMP_CMP_EQ, 0)) ==
		   0;
}

bool worker_seccomp(struct buf *err)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	bool ok = ctx != NULL;
	int rc = 0;

	/* The offload threads exist already. */
	ok = ok && seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1) == 0;
	if (ok)
		(void)seccomp_attr_set(ctx, SCMP_FLTATR_CTL_LOG, 1);
	ok = ok && allow_all(ctx) && allow_sockets(ctx) && allow_threads(ctx);
	if (ok)
		rc = seccomp_load(ctx);
	if (!ok || rc != 0)
		buf_printf(err, "cannot install the system call filter: %s",
			   rc ? strerrordesc_np(-rc) : "libseccomp refuses it");
	if (ctx)
		seccomp_release(ctx);
	return ok && rc == 0;
}

#endif
