/* A library to preload that lets one call fail: the n-th allocation, write, fsync, accept ... of
 * the processes whose title begins as $FAULTS_WHO says.  What fails and when stands in the file
 * $FAULTS_FILE, which a test maps and changes while they run.  Of the plain build only: a
 * sanitizer's runtime has allocators of its own. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* As in faults.py, in this order. */
enum kind {
	MEMORY,
	MAPPING,
	OPEN,
	WRITE, /* to a file */
	READ,  /* from a file */
	FSYNC,
	RENAME,
	DIRECTORY,
	ACCEPT,
	SOCKET,
	CONNECT,
	SEND,
	RECEIVE,
	EPOLL,
	KINDS
};

struct control {
	_Atomic int64_t armed;     /* the kind + 1; 0: nothing fails */
	_Atomic int64_t countdown; /* 1: the next call of that kind fails */
	_Atomic int64_t fired;     /* calls that failed */
	_Atomic int64_t lasting;   /* all calls behind the one that fails do so too */
	_Atomic int64_t seen[KINDS];
};

static struct control *control;

static void *next(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}

__attribute__((constructor)) static void attach(void)
{
	const char *path = getenv("FAULTS_FILE"), *who = getenv("FAULTS_WHO");
	if (!path || !who || strncmp(program_invocation_name, who, strlen(who)) != 0)
		return;
	int fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return;
	void *p = mmap(NULL, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (p != MAP_FAILED)
		control = p;
}

/* Counts the call; true: it is the one that fails, with errno `error`. */
static bool fails(enum kind kind, int error)
{
	if (!control)
		return false;
	atomic_fetch_add(&control->seen[kind], 1);
	if (atomic_load(&control->armed) != (int64_t)kind + 1)
		return false;
	int64_t left = atomic_fetch_sub(&control->countdown, 1);
	if (left > 1 || (left < 1 && !atomic_load(&control->lasting)))
		return false;
	atomic_fetch_add(&control->fired, 1);
	errno = error;
	return true;
}

static bool is_file(int fd)
{
	struct stat st;
	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

static bool is_socket(int fd)
{
	struct stat st;
	return fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
}

/* To or from a descriptor, by what it is; errno stays as it was unless it fails. */
static bool output_fails(int fd)
{
	if (!control)
		return false;
	if (is_file(fd))
		return fails(WRITE, ENOSPC);
	return is_socket(fd) && fails(SEND, ECONNRESET);
}

static bool input_fails(int fd)
{
	if (!control)
		return false;
	if (is_file(fd))
		return fails(READ, EIO);
	return is_socket(fd) && fails(RECEIVE, ECONNRESET);
}

/* --- memory: glibc's own names, since dlsym() itself allocates */

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);

void *malloc(size_t n)
{
	return fails(MEMORY, ENOMEM) ? NULL : __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
	return fails(MEMORY, ENOMEM) ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
	return fails(MEMORY, ENOMEM) ? NULL : __libc_realloc(p, n);
}

/* --- the others: each takes its arguments on to the real one */

#define REAL(result, name, types)                                                                  \
	static result(*real) types;                                                                \
	if (!real)                                                                                 \
	*(void **)&real = next(#name)

void *mmap(void *at, size_t n, int protection, int flags, int fd, off_t offset)
{
	REAL(void *, mmap, (void *, size_t, int, int, int, off_t));
	return fails(MAPPING, ENOMEM) ? MAP_FAILED : real(at, n, protection, flags, fd, offset);
}

int mprotect(void *at, size_t n, int protection)
{
	REAL(int, mprotect, (void *, size_t, int));
	return fails(MAPPING, ENOMEM) ? -1 : real(at, n, protection);
}

int open(const char *path, int flags, ...)
{
	REAL(int, open, (const char *, int, ...));
	va_list args;
	va_start(args, flags);
	mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(args, mode_t) : 0;
	va_end(args);
	return fails(OPEN, EMFILE) ? -1 : real(path, flags, mode);
}

int openat(int dir, const char *path, int flags, ...)
{
	REAL(int, openat, (int, const char *, int, ...));
	va_list args;
	va_start(args, flags);
	mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(args, mode_t) : 0;
	va_end(args);
	return fails(OPEN, EMFILE) ? -1 : real(dir, path, flags, mode);
}

ssize_t write(int fd, const void *p, size_t n)
{
	REAL(ssize_t, write, (int, const void *, size_t));
	return output_fails(fd) ? -1 : real(fd, p, n);
}

ssize_t writev(int fd, const struct iovec *v, int n)
{
	REAL(ssize_t, writev, (int, const struct iovec *, int));
	return output_fails(fd) ? -1 : real(fd, v, n);
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
	REAL(ssize_t, pwrite, (int, const void *, size_t, off_t));
	return output_fails(fd) ? -1 : real(fd, p, n, at);
}

ssize_t pwritev(int fd, const struct iovec *v, int n, off_t at)
{
	REAL(ssize_t, pwritev, (int, const struct iovec *, int, off_t));
	return output_fails(fd) ? -1 : real(fd, v, n, at);
}

ssize_t send(int fd, const void *p, size_t n, int flags)
{
	REAL(ssize_t, send, (int, const void *, size_t, int));
	return output_fails(fd) ? -1 : real(fd, p, n, flags);
}

ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
	REAL(ssize_t, sendmsg, (int, const struct msghdr *, int));
	return output_fails(fd) ? -1 : real(fd, m, flags);
}

ssize_t read(int fd, void *p, size_t n)
{
	REAL(ssize_t, read, (int, void *, size_t));
	return input_fails(fd) ? -1 : real(fd, p, n);
}

ssize_t pread(int fd, void *p, size_t n, off_t at)
{
	REAL(ssize_t, pread, (int, void *, size_t, off_t));
	return input_fails(fd) ? -1 : real(fd, p, n, at);
}

ssize_t recv(int fd, void *p, size_t n, int flags)
{
	REAL(ssize_t, recv, (int, void *, size_t, int));
	return input_fails(fd) ? -1 : real(fd, p, n, flags);
}

int fsync(int fd)
{
	REAL(int, fsync, (int));
	return fails(FSYNC, EIO) ? -1 : real(fd);
}

int fdatasync(int fd)
{
	REAL(int, fdatasync, (int));
	return fails(FSYNC, EIO) ? -1 : real(fd);
}

int ftruncate(int fd, off_t n)
{
	REAL(int, ftruncate, (int, off_t));
	return fails(WRITE, ENOSPC) ? -1 : real(fd, n);
}

int rename(const char *from, const char *to)
{
	REAL(int, rename, (const char *, const char *));
	return fails(RENAME, ENOSPC) ? -1 : real(from, to);
}

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	REAL(int, renameat, (int, const char *, int, const char *));
	return fails(RENAME, ENOSPC) ? -1 : real(from_dir, from, to_dir, to);
}

int mkdir(const char *path, mode_t mode)
{
	REAL(int, mkdir, (const char *, mode_t));
	return fails(DIRECTORY, ENOSPC) ? -1 : real(path, mode);
}

int mkdirat(int dir, const char *path, mode_t mode)
{
	REAL(int, mkdirat, (int, const char *, mode_t));
	return fails(DIRECTORY, ENOSPC) ? -1 : real(dir, path, mode);
}

int accept4(int fd, struct sockaddr *peer, socklen_t *n, int flags)
{
	REAL(int, accept4, (int, struct sockaddr *, socklen_t *, int));
	return fails(ACCEPT, EMFILE) ? -1 : real(fd, peer, n, flags);
}

int socket(int family, int type, int protocol)
{
	REAL(int, socket, (int, int, int));
	return fails(SOCKET, EMFILE) ? -1 : real(family, type, protocol);
}

int connect(int fd, const struct sockaddr *to, socklen_t n)
{
	REAL(int, connect, (int, const struct sockaddr *, socklen_t));
	return fails(CONNECT, EAGAIN) ? -1 : real(fd, to, n);
}

int epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
	REAL(int, epoll_ctl, (int, int, int, struct epoll_event *));
	return operation != EPOLL_CTL_DEL && fails(EPOLL, ENOSPC)
		   ? -1
		   : real(epoll, operation, fd, event);
}
