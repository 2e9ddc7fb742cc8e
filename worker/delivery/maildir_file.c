/* The blocking half of the delivery into Maildirs (worker/delivery/maildir_file.h).
 *
 * Order: write tmp/NAME, fsync it; when all recipients have theirs, rename to new/NAME, fsync new.
 * A crash before the rename leaves a file in tmp, which no reader looks at; after it, the message
 * stands whole. */
#include "worker/delivery/maildir_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES 1280

void maildir_file_init(struct maildir_file *f, const char *path, const char *name)
{
	*f = (struct maildir_file){.path = path, .name = name, .dir_fd = -1, .fd = -1};
}

/* ---- Directories */

/* Opens a directory and makes it if it is missing; the new name is synced in its parent. */
static int open_or_make(int parent_fd, const char *name)
{
	int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int parent, error = 0;

	if (fd >= 0 || errno != ENOENT)
		return fd;
	if (mkdirat(parent_fd, name, 0700) != 0 && errno != EEXIST)
		return -1;
	/* The parent's descriptor may be O_PATH. */
	parent = openat(parent_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (parent < 0 || fsync(parent) != 0)
		error = errno;
	if (parent >= 0)
		close(parent);
	if (error) {
		errno = error;
		return -1;
	}
	return openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* Opens the path component by component and makes what is missing. */
static int open_path(int base_fd, const char *path)
{
	char copy[PATH_BYTES];
	char *save = NULL;
	int fd = openat(base_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	snprintf(copy, sizeof(copy), "%s", path); /* MAILDIR_PATH_MAX is less */
	for (char *p = strtok_r(copy, "/", &save); p && fd >= 0; p = strtok_r(NULL, "/", &save)) {
		int next = open_or_make(fd, p);
		int error = errno;

		close(fd);
		errno = error;
		fd = next;
	}
	return fd;
}

/* tmp, new and cur: made when the first message arrives. */
static bool make_boxes(int dir_fd)
{
	static const char *const boxes[] = {"tmp", "new", "cur"};

	for (size_t i = 0; i < 3; i++) {
		int fd = open_or_make(dir_fd, boxes[i]);

		if (fd < 0)
			return false;
		close(fd);
	}
	return true;
}

int maildir_file_try(int base_fd, const char *path)
{
	char copy[PATH_BYTES];
	char *slash;

	snprintf(copy, sizeof(copy), "%s/tmp", path);
	/* The deepest directory that exists must be writable: tmp, or where it would be made. */
	for (;;) {
		if (faccessat(base_fd, copy, W_OK | X_OK, AT_EACCESS) == 0)
			return 0;
		if (errno != ENOENT)
			return errno;
		slash = strrchr(copy, '/');
		if (!slash)
			break;
		*slash = '\0';
	}
	return faccessat(base_fd, ".", W_OK | X_OK, AT_EACCESS) == 0 ? 0 : errno;
}

/* ---- Files */

static void box_path(char dst[PATH_BYTES], const char *box, const char *name)
{
	snprintf(dst, PATH_BYTES, "%s/%s", box, name);
}

static bool file_open(int base_fd, struct maildir_file *f)
{
	char path[PATH_BYTES];

	f->dir_fd = open_path(base_fd, f->path);
	if (f->dir_fd < 0 || !make_boxes(f->dir_fd))
		return false;
	box_path(path, "tmp", f->name);
	f->fd = openat(f->dir_fd, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	f->made = f->fd >= 0;
	return f->made;
}

/* The pieces stay as they are: the next recipient needs them too. */
static bool file_write(const struct maildir_file *f, const struct iovec *pieces, int n)
{
	struct iovec copy[MAILDIR_PIECES];
	struct iovec *iov = copy;

	memcpy(copy, pieces, (size_t)n * sizeof(*copy));
	while (n > 0) {
		ssize_t w;

		if (iov->iov_len == 0) {
			iov++;
			n--;
			continue;
		}
		w = writev(f->fd, iov, n);
		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0) {
			errno = w < 0 ? errno : EIO;
			return false;
		}
		for (; n > 0 && (size_t)w >= iov->iov_len; iov++, n--)
			w -= (ssize_t)iov->iov_len;
		if (n > 0) {
			iov->iov_base = (char *)iov->iov_base + w;
			iov->iov_len -= (size_t)w;
		}
	}
	return true;
}

static bool file_sync(struct maildir_file *f)
{
	int fd = f->fd;

	if (fsync(fd) != 0)
		return false;
	f->fd = -1;
	return close(fd) == 0; /* NFS and quotas may say it only here */
}

static bool file_rename(struct maildir_file *f)
{
	char from[PATH_BYTES], to[PATH_BYTES];

	box_path(from, "tmp", f->name);
	box_path(to, "new", f->name);
	f->renamed = renameat(f->dir_fd, from, f->dir_fd, to) == 0;
	return f->renamed;
}

static bool file_sync_new(const struct maildir_file *f)
{
	int fd = openat(f->dir_fd, "new", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int error;

	if (fd < 0)
		return false;
	error = fsync(fd) == 0 ? 0 : errno;
	close(fd);
	errno = error;
	return error == 0;
}

static void file_close(struct maildir_file *f)
{
	if (f->fd >= 0)
		close(f->fd);
	if (f->dir_fd >= 0)
		close(f->dir_fd);
	f->fd = f->dir_fd = -1;
}

static void file_remove(const struct maildir_file *f)
{
	char path[PATH_BYTES];

	if (!f->made)
		return;
	box_path(path, f->renamed ? "new" : "tmp", f->name);
	unlinkat(f->dir_fd, path, 0);
}

/* ---- Jobs */

static bool job_write(struct maildir_job *j)
{
	for (size_t i = 0; i < j->count; i++) {
		struct maildir_file *f = &j->files[i];

		if (f->dir_fd < 0 && !file_open(j->base_fd, f))
			return false;
		if (!file_write(f, j->pieces, j->n))
			return false;
	}
	return true;
}

static bool job_finish(struct maildir_job *j)
{
	for (size_t i = 0; i < j->count; i++)
		if (!file_sync(&j->files[i]))
			return false;
	for (size_t i = 0; i < j->count; i++)
		if (!file_rename(&j->files[i]))
			return false;
	for (size_t i = 0; i < j->count; i++)
		if (!file_sync_new(&j->files[i]))
			return false;
	for (size_t i = 0; i < j->count; i++)
		file_close(&j->files[i]);
	return true;
}

void maildir_job_run(void *job)
{
	struct maildir_job *j = job;

	errno = 0;
	if (!job_write(j) || (j->finish && !job_finish(j)))
		j->error = errno ? errno : EIO;
}

void maildir_job_undo(void *job)
{
	struct maildir_job *j = job;

	for (size_t i = 0; i < j->count; i++) {
		if (j->files[i].dir_fd >= 0)
			file_remove(&j->files[i]);
		file_close(&j->files[i]);
	}
}
