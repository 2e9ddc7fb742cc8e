/* Making, owning and locking state-dir. */
#include "master/state_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

/* mkdir -p, the last component 0750. */
static bool make_path(char *path)
{
	for (char *p = path + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		int rc = mkdir(path, 0755);
		*p = '/';
		if (rc != 0 && errno != EEXIST)
			return false;
	}
	return mkdir(path, 0750) == 0 || errno == EEXIST;
}

static bool give_to(int fd, struct text user, struct buf *err)
{
	char name[64];
	if (geteuid() != 0)
		return true;
	text_cstr(user, name, sizeof(name));
	const struct passwd *pw = getpwnam(name);
	if (!pw) {
		buf_printf(err,
			   "user \"%s\" does not exist; make it (adduser --system --group %s) or "
			   "set `user`",
			   name, name);
		return false;
	}
	if (fchown(fd, pw->pw_uid, pw->pw_gid) == 0)
		return true;
	buf_printf(err, "cannot give state-dir and key to %s: %m", name);
	return false;
}

static bool take_lock(struct state_dir *s, const char *path, struct buf *err)
{
	char line[24];
	s->lock_fd = openat(s->fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (s->lock_fd < 0) {
		buf_printf(err, "cannot open %s/lock: %m", path);
		return false;
	}
	if (flock(s->lock_fd, LOCK_EX | LOCK_NB) != 0) {
		ssize_t n = read(s->lock_fd, line, sizeof(line) - 1);
		line[n > 0 ? n : 0] = '\0';
		buf_printf(err, "another gatepostd (pid %d) runs on state-dir %s", atoi(line),
			   path);
		return false;
	}
	int n = snprintf(line, sizeof(line), "%d\n", (int)getpid());
	if (ftruncate(s->lock_fd, 0) != 0 || pwrite(s->lock_fd, line, (size_t)n, 0) != n) {
		buf_printf(err, "cannot write %s/lock: %m", path);
		return false;
	}
	return true;
}

/* Written to a new name and renamed, so that a crash never leaves half a key.  The directory is the
 * user's: whatever stands there by that name is nothing that root would write to.  The tool, as
 * that user, reads the key where no daemon runs. */
static bool make_key(struct state_dir *s, struct text user, struct buf *err)
{
	if (getrandom(&s->key, sizeof(s->key), 0) != (ssize_t)sizeof(s->key))
		return false;
	unlinkat(s->fd, "key.new", 0);
	int fd = openat(s->fd, "key.new", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return false;
	bool ok = give_to(fd, user, err) &&
		  write(fd, &s->key, sizeof(s->key)) == (ssize_t)sizeof(s->key) && fsync(fd) == 0;
	return close(fd) == 0 && ok && renameat(s->fd, "key.new", s->fd, "key") == 0 &&
	       fsync(s->fd) == 0;
}

static bool read_key(struct state_dir *s, const char *path, struct text user, struct buf *err)
{
	int fd = openat(s->fd, "key", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0) {
		if (errno == ENOENT && make_key(s, user, err))
			return true;
		buf_printf(err, "cannot make %s/key: %m", path);
		return false;
	}
	ssize_t n = read(fd, &s->key, sizeof(s->key));
	close(fd);
	if (n == (ssize_t)sizeof(s->key))
		return true;
	buf_printf(err, "%s/key is not a key of %zu bytes; remove it to have a new one made", path,
		   sizeof(s->key));
	return false;
}

bool state_dir_open(struct state_dir *s, struct text path, struct text user, struct buf *err)
{
	char name[512];
	*s = (struct state_dir){.fd = -1, .lock_fd = -1};
	if (text_cstr(path, name, sizeof(name)) < path.n) {
		buf_printf(err, "state-dir: the path is longer than %zu bytes", sizeof(name) - 1);
		return false;
	}
	if (!make_path(name) || (s->fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0) {
		buf_printf(err, "cannot make state-dir %s: %m", name);
		return false;
	}
	return give_to(s->fd, user, err) && take_lock(s, name, err) && read_key(s, name, user, err);
}
