/* The message for another process: a descriptor through which it can only be read. */
#include "worker/delivery/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

enum { PIECES = 64 };

/* Memory takes all that is given at once, but for a signal or the want of memory. */
static bool write_whole(int fd, const struct iovec *iov, int n)
{
	for (int i = 0; i < n; i++) {
		const char *p = iov[i].iov_base;

		for (size_t left = iov[i].iov_len; left > 0;) {
			const ssize_t done = write(fd, p, left);

			if (done < 0 && errno == EINTR)
				continue;
			if (done <= 0)
				return false;
			p += done;
			left -= (size_t)done;
		}
	}
	return true;
}

static bool copy(struct spool *s, int fd)
{
	struct iovec iov[PIECES];
	uint64_t offset = 0;
	int n;

	do {
		n = PIECES;
		if (spool_pieces(s, &offset, iov, &n) != SPOOL_OK || !write_whole(fd, iov, n))
			return false;
	} while (n > 0);
	return fcntl(fd, F_ADD_SEALS, SEALS) == 0;
}

static int share_memory(struct spool *s)
{
	const int fd = memfd_create("gatepost-message", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd >= 0 && !copy(s, fd)) {
		const int error = errno;

		close(fd);
		errno = error;
		return -1;
	}
	return fd;
}

int spool_share(struct spool *s)
{
	char path[32];
	int fd;

	if (spool_settle(s, &fd) != SPOOL_OK) {
		errno = spool_errno(s);
		return -1;
	}
	if (fd < 0)
		return share_memory(s);
	/* Another open file: its own offset, and no right to write. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_RDONLY | O_CLOEXEC);
}
