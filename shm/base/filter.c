/* System call filters, by libseccomp. */
#include "shm/base/filter.h"

#include <errno.h>

const char *const filter_basics[] = {"read",
				     "write",
				     "readv",
				     "writev",
				     "pread64",
				     "pwrite64",
				     "preadv",
				     "pwritev",
				     "close",
				     "lseek",
				     "fcntl",
				     "dup",
				     "dup3",
				     "fstat",
				     "newfstatat",
				     "stat",
				     "lstat",
				     "statx",
				     "openat",
				     "open",
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
				     "unlink",
				     "unlinkat",
				     "mkdir",
				     "mkdirat",
				     "getdents64",
				     "readlink",
				     "readlinkat",
				     "fchmod",
				     "getcwd",
				     "umask",
				     "flock",
				     "msync",
				     "statfs",
				     "fstatfs",
				     "poll",
				     "ppoll",
				     "eventfd2",
				     "timerfd_create",
				     "timerfd_settime",
				     "nanosleep",
				     "clock_nanosleep",
				     "pause",
				     "restart_syscall",
				     "mmap",
				     "munmap",
				     "mremap",
				     "mprotect",
				     "madvise",
				     "mincore",
				     "brk",
				     "membarrier",
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
				     NULL};

#ifdef GATEPOST_SANITIZED

struct filter filter_begin(enum filter_otherwise otherwise)
{
	(void)otherwise;
	return (struct filter){0};
}

#else

struct filter filter_begin(enum filter_otherwise otherwise)
{
	struct filter f = {.ctx = seccomp_init(otherwise == FILTER_KILL ? SCMP_ACT_KILL_PROCESS
									: SCMP_ACT_ERRNO(EPERM))};

	f.failed = !f.ctx || seccomp_attr_set(f.ctx, SCMP_FLTATR_CTL_TSYNC, 1) != 0;
	/* A kernel that can't log still filters. */
	if (f.ctx)
		(void)seccomp_attr_set(f.ctx, SCMP_FLTATR_CTL_LOG, 1);
	return f;
}

#endif

void filter_allow(struct filter *f, const char *const *names)
{
	for (; f->ctx && *names; names++) {
		const int nr = seccomp_syscall_resolve_name(*names);

		if (nr != __NR_SCMP_ERROR && seccomp_rule_add(f->ctx, SCMP_ACT_ALLOW, nr, 0) != 0)
			f->failed = true;
	}
}

void filter_allow_if(struct filter *f, const char *name, unsigned arg, uint64_t mask,
		     uint64_t value)
{
	const int nr = seccomp_syscall_resolve_name(name);

	if (f->ctx && nr != __NR_SCMP_ERROR &&
	    seccomp_rule_add(f->ctx, SCMP_ACT_ALLOW, nr, 1,
			     SCMP_CMP64(arg, SCMP_CMP_MASKED_EQ, mask, value)) != 0)
		f->failed = true;
}

void filter_answer(struct filter *f, const char *name, int error)
{
	const int nr = seccomp_syscall_resolve_name(name);

	if (f->ctx && nr != __NR_SCMP_ERROR &&
	    seccomp_rule_add(f->ctx, SCMP_ACT_ERRNO((unsigned)error), nr, 0) != 0)
		f->failed = true;
}

bool filter_load(struct filter *f, struct buf *err)
{
	int rc = 0;

	if (f->ctx && !f->failed)
		rc = seccomp_load(f->ctx);
	if (f->failed || rc != 0)
		buf_printf(err, "cannot install the system call filter: %s",
			   rc ? strerrordesc_np(-rc) : "libseccomp refuses it");
	if (f->ctx)
		seccomp_release(f->ctx);
	f->ctx = NULL;
	return !f->failed && rc == 0;
}
