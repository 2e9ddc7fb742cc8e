/* The jail's walls: namespaces, root directory, user, limits. */
#include "worker/inspect/jail.h"

#include "shm/base/privileges.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static bool fail(struct buf *err, const char *what)
{
	buf_printf(err, "cannot %s: %s", what, strerrordesc_np(errno));
	return false;
}

/* In a mount namespace of our own, an empty tmpfs over a directory that is always there. */
static bool enter_tmpfs(void)
{
	static const char place[] = "/proc";

	return unshare(CLONE_NEWNS) == 0 &&
	       mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("gatepost-jail", place, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY,
		     "size=4k,nr_inodes=8,mode=555") == 0 &&
	       chroot(place) == 0 && chdir("/") == 0;
}

/* Where the kernel or a container allows no namespaces: a child that shares our root directory
 * changes it to one of its own in /proc, which is gone when the child is. */
static bool enter_nothing(void)
{
	const pid_t pid =
	    (pid_t)syscall(SYS_clone, (unsigned long)(CLONE_FS | SIGCHLD), NULL, NULL, NULL, 0);
	int status;

	if (pid == 0)
		_exit(chroot("/proc/self/fdinfo") == 0 && chdir("/") == 0 ? 0 : 1);
	return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
	       WEXITSTATUS(status) == 0;
}

static bool empty_root(struct buf *err)
{
	(void)unshare(CLONE_NEWNET);
	(void)unshare(CLONE_NEWIPC);
	return enter_tmpfs() || enter_nothing() || fail(err, "change the root directory");
}

bool jail_enter(struct text user, struct buf *err)
{
	struct privileges_user who;

	if (!privileges_find(user, &who, err))
		return false;
	if (geteuid() == 0 && !empty_root(err))
		return false;
	if (!privileges_drop_to(&who, err))
		return false;
	/* Workers that outlive their master still ask. */
	prctl(PR_SET_PDEATHSIG, 0);
	return true;
}

#ifdef GATEPOST_SANITIZED

bool jail_limit(uint64_t memory_bytes, uint64_t file_bytes, struct buf *err)
{
	(void)memory_bytes;
	(void)file_bytes;
	(void)err;
	return true;
}

#else

bool jail_limit(uint64_t memory_bytes, uint64_t file_bytes, struct buf *err)
{
	const struct rlimit memory = {memory_bytes, memory_bytes};
	const struct rlimit files = {file_bytes, file_bytes};
	const struct rlimit none = {0, 0};

	if (setrlimit(RLIMIT_AS, &memory) != 0 || setrlimit(RLIMIT_FSIZE, &files) != 0 ||
	    setrlimit(RLIMIT_CORE, &none) != 0)
		return fail(err, "limit an inspector");
	return true;
}

#endif
