/* An inspector's system calls. */
#include "worker/inspect/jail.h"

#ifdef GATEPOST_SANITIZED

bool jail_seccomp(struct buf *err)
{
	(void)err;
	return true;
}

#else

#include <seccomp.h>
#include <sys/mman.h>
#include <unistd.h>

static const char *const allowed[] = {
    /* questions and answers */
    "recvmsg",
    "sendto",
    "sendmsg",
    "close",
    /* the bytes that came by descriptor */
    "pread64",
    "read",
    "lseek",
    "fstat",
    "newfstatat",
    /* memory */
    "munmap",
    "mremap",
    "madvise",
    "brk",
    "futex",
    /* facts */
    "clock_gettime",
    "gettimeofday",
    "time",
    "getrandom",
    "getpid",
    "gettid",
    /* signals and ends */
    "rt_sigreturn",
    "rt_sigprocmask",
    "restart_syscall",
    "exit",
    "exit_group",
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

/* Memory that is never code; a last word to stderr; abort(), which signals the process itself. */
static bool allow_with_care(scmp_filter_ctx ctx)
{
	return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
				SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)) == 0 &&
	       seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
				SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)) == 0 &&
	       seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(write), 1,
				SCMP_A0(SCMP_CMP_EQ, STDERR_FILENO)) == 0 &&
	       seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(writev), 1,
				SCMP_A0(SCMP_CMP_EQ, STDERR_FILENO)) == 0 &&
	       seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
				SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid())) == 0;
}

bool jail_seccomp(struct buf *err)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
	const bool ok = ctx && allow_all(ctx) && allow_with_care(ctx) && seccomp_load(ctx) == 0;

	if (!ok)
		buf_printf(err, "cannot install the inspector's system call filter");
	if (ctx)
		seccomp_release(ctx);
	return ok;
}

#endif
