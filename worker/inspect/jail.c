/* The jail's walls: namespaces, root directory, user, limits. */
#include "worker/inspect/jail.h"

#include "shm/base/privileges.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static bool fail(struct buf *err, const char *what)
{
	buf_printf(err, "cannot %s: %s", what, strerrordesc_np(errno));
	return false;
}

/* An empty tmpfs over `path` that only we see. */
static bool mount_empty(const char *path)
{
	return unshare(CLONE_NEWNS) == 0 &&
	       mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("gatepost-jail", path, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY,
		     "size=4k,nr_inodes=8,mode=555") == 0;
}

static bool empty_root(struct text state_dir, struct buf *err)
{
	char path[512];

	snprintf(path, sizeof(path), "%.*s/jail", TEXT(state_dir));
	if (mkdir(path, 0555) != 0 && errno != EEXIST)
		return fail(err, "make the jail's directory");
	/* In a container the kernel may refuse: the directory itself is empty too, and its owner
	 * alone could fill it. */
	(void)mount_empty(path);
	(void)unshare(CLONE_NEWNET);
	(void)unshare(CLONE_NEWIPC);
	return (chroot(path) == 0 && chdir("/") == 0) || fail(err, "enter the jail");
}

bool jail_enter(struct text user, struct text state_dir, struct buf *err)
{
	struct privileges_user who;

	if (!privileges_find(user, &who, err))
		return false;
	if (geteuid() == 0 && !empty_root(state_dir, err))
		return false;
	if (!privileges_drop_to(&who, err))
		return false;
	/* Workers that outlive their master still ask. */
	prctl(PR_SET_PDEATHSIG, 0);
	return true;
}

#ifdef GATEPOST_SANITIZED

bool jail_limit(uint64_t memory_bytes, struct buf *err)
{
	(void)memory_bytes;
	(void)err;
	return true;
}

#else

bool jail_limit(uint64_t memory_bytes, struct buf *err)
{
	const struct rlimit memory = {memory_bytes, memory_bytes};
	const struct rlimit none = {0, 0};

	if (setrlimit(RLIMIT_AS, &memory) != 0 || setrlimit(RLIMIT_FSIZE, &none) != 0 ||
	    setrlimit(RLIMIT_CORE, &none) != 0)
		return fail(err, "limit an inspector");
	return true;
}

#endif
