/* An inspector's system calls. */
#include "worker/inspect/jail.h"

#include "shm/base/filter.h"

#include <sys/mman.h>
#include <unistd.h>

static const char *const of_an_inspector[] = {
    /* questions and answers */
    "recvmsg", "sendto", "sendmsg", "close",
    /* the bytes that came by descriptor */
    "pread64", "read", "lseek", "fstat", "newfstatat",
    /* memory */
    "munmap", "mremap", "madvise", "brk", "futex",
    /* facts */
    "clock_gettime", "gettimeofday", "time", "getrandom", "getpid", "gettid",
    "sysinfo", /* qsort() of glibc 2.36 */
    /* signals and ends */
    "rt_sigreturn", "rt_sigprocmask", "restart_syscall", "exit", "exit_group", NULL};

/* The anti-virus engine's, besides. */
static const char *const of_temporary_files[] = {
    "openat", "open", "write", "pwrite64", "ftruncate", "unlink", "unlinkat", "mkdir", "mkdirat",
    "rmdir", "chmod", "fchmod", "getdents64", "fcntl", "stat", "lstat", "access", "dup",
    /* for who outlives its zygote */
    "alarm", NULL};

bool jail_seccomp(bool files, struct buf *err)
{
	struct filter f = filter_begin(FILTER_KILL);

	filter_allow(&f, of_an_inspector);
	if (files)
		filter_allow(&f, of_temporary_files);
	/* Memory that is never code. */
	filter_allow_if(&f, "mmap", 2, PROT_EXEC, 0);
	filter_allow_if(&f, "mprotect", 2, PROT_EXEC, 0);
	/* A last word, and abort(), which signals the process itself. */
	if (!files)
		filter_allow_if(&f, "write", 0, UINT32_MAX, STDERR_FILENO);
	filter_allow_if(&f, "writev", 0, UINT32_MAX, STDERR_FILENO);
	filter_allow_if(&f, "tgkill", 0, UINT32_MAX, (uint64_t)getpid());
	return filter_load(&f, err);
}
