/* The rooms in which the anti-virus engine writes its temporary files. */
#include "worker/inspect/scratch.h"

#include "shm/base/log.h"
#include "shm/base/privileges.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/capability.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define TMPFS_FLAGS (MS_NOSUID | MS_NODEV | MS_NOEXEC)

enum { DEPTH_MAX = 64 };

static bool is_root_dir; /* rooms are root directories */

static bool fail(struct buf *err, const char *what)
{
	buf_printf(err, "cannot %s: %s", what, strerrordesc_np(errno));
	return false;
}

/* ---- Emptying */

static void empty(int dir, unsigned depth);

static void remove_entry(int dir, const char *name, unsigned depth)
{
	int fd;

	if (unlinkat(dir, name, 0) == 0 || errno != EISDIR || depth == DEPTH_MAX)
		return;
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0)
		empty(fd, depth + 1);
	(void)unlinkat(dir, name, AT_REMOVEDIR);
}

/* Takes `dir` over. */
static void empty(int dir, unsigned depth)
{
	DIR *d = fdopendir(dir);

	if (!d) {
		close(dir);
		return;
	}
	for (const struct dirent *e; (e = readdir(d));) {
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			remove_entry(dirfd(d), e->d_name, depth);
	}
	closedir(d);
}

static void empty_path(const char *path)
{
	const int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd >= 0)
		empty(fd, 0);
}

void scratch_sweep(void)
{
	empty_path(".");
}

void scratch_clean_room(unsigned room)
{
	char name[16];

	snprintf(name, sizeof(name), "%u", room);
	empty_path(name);
}

/* ---- Making */

/* In a mount namespace of our own: an empty tmpfs over a directory that is always there, and in it
 * one for each room. */
static bool mount_rooms(const struct scratch_options *o, const struct privileges_user *who)
{
	static const char place[] = "/proc";
	char name[32], options[128];

	if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("gatepost-jail", place, "tmpfs", TMPFS_FLAGS, "size=4k,nr_inodes=256,mode=555") !=
		0)
		return false;
	for (unsigned i = 0; i < o->rooms; i++) {
		snprintf(name, sizeof(name), "%s/%u", place, i);
		snprintf(options, sizeof(options),
			 "size=%llu,nr_inodes=100000,mode=700,uid=%u,gid=%u",
			 (unsigned long long)o->bytes, who->uid, who->gid);
		if (mkdir(name, 0700) != 0 ||
		    mount("gatepost-scan", name, "tmpfs", TMPFS_FLAGS, options) != 0)
			return false;
	}
	return mount(NULL, place, NULL, MS_REMOUNT | TMPFS_FLAGS | MS_RDONLY, NULL) == 0 &&
	       chroot(place) == 0 && chdir("/") == 0;
}

/* Root may lack the right to write where others may, and the user the right to go there: each step
 * is made by whoever can. */
static bool as_user(uid_t uid)
{
	return geteuid() == uid || seteuid(uid) == 0;
}

static bool make_dir(const char *name)
{
	return mkdir(name, 0700) == 0 || errno == EEXIST;
}

/* state-dir is another user's: a name there is not believed to be what we made. */
static bool take_folder(const char *name, const struct privileges_user *who)
{
	const int fd = open(name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	bool ok;

	if (fd < 0)
		return false;
	ok = fchown(fd, who->uid, who->gid) == 0 && fchdir(fd) == 0;
	close(fd);
	return ok;
}

static bool make_folder(const struct scratch_options *o, const struct privileges_user *who,
			bool root)
{
	char name[32];
	struct stat st;

	snprintf(name, sizeof(name), "scan.%u", o->index);
	if (chdir(o->state_dir) != 0 || stat(".", &st) != 0)
		return false;
	if (!root)
		return make_dir(name) && chdir(name) == 0;
	return as_user(st.st_uid) && make_dir(name) && as_user(0) && take_folder(name, who);
}

static bool make_rooms(const struct scratch_options *o, const struct privileges_user *who,
		       bool root)
{
	char name[16];
	bool ok;

	if (!make_folder(o, who, root))
		return false;
	ok = !root || as_user(who->uid);
	scratch_sweep();
	for (unsigned i = 0; ok && i < o->rooms; i++) {
		snprintf(name, sizeof(name), "%u", i);
		ok = make_dir(name);
	}
	if (root && !as_user(0))
		return false;
	return ok && (!root || (chroot(".") == 0 && chdir("/") == 0));
}

/* ---- Rights */

static bool set_capabilities(bool chroot_too)
{
	const cap_value_t value = CAP_SYS_CHROOT;
	cap_t caps = cap_init();
	bool ok = caps != NULL;

	if (ok && chroot_too)
		ok = cap_set_flag(caps, CAP_PERMITTED, 1, &value, CAP_SET) == 0 &&
		     cap_set_flag(caps, CAP_EFFECTIVE, 1, &value, CAP_SET) == 0;
	ok = ok && cap_set_proc(caps) == 0;
	cap_free(caps);
	return ok;
}

static bool become(const struct privileges_user *who, struct buf *err)
{
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0)
		return fail(err, "keep a capability");
	if (!privileges_change(who, err))
		return false;
	return set_capabilities(true) || fail(err, "keep the right to change the root directory");
}

static bool enter_as_root(const struct scratch_options *o, const struct privileges_user *who,
			  struct buf *err)
{
	(void)unshare(CLONE_NEWNET);
	(void)unshare(CLONE_NEWIPC);
	if (!mount_rooms(o, who) && !make_rooms(o, who, true))
		return fail(err, "make the rooms of the scanners");
	return become(who, err) && privileges_seal(err);
}

static bool enter_as_user(const struct scratch_options *o, const struct privileges_user *who,
			  struct buf *err)
{
	log_warn("not started as root: what takes an anti-virus inspector over may open this "
		 "user's files");
	return make_rooms(o, who, false) ? privileges_drop_to(who, err)
					 : fail(err, "make the rooms of the scanners");
}

bool scratch_enter(const struct scratch_options *o, struct buf *err)
{
	struct privileges_user who;

	if (!privileges_find(o->user, &who, err))
		return false;
	is_root_dir = geteuid() == 0;
	return (is_root_dir ? enter_as_root(o, &who, err) : enter_as_user(o, &who, err)) &&
	       /* Workers that outlive their master still ask. */
	       prctl(PR_SET_PDEATHSIG, 0) == 0;
}

bool scratch_take_room(unsigned room, struct buf *err)
{
	char name[16];

	snprintf(name, sizeof(name), "%u", room);
	if (!is_root_dir)
		return chdir(name) == 0 || fail(err, "enter the scanner's room");
	if (chroot(name) != 0 || chdir("/") != 0)
		return fail(err, "enter the scanner's room");
	return set_capabilities(false) || fail(err, "give up the last capability");
}
