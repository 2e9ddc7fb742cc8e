/* The message while it is here: chunks of memory, then an unlinked file (worker/delivery/spool.h).
 */
#include "worker/delivery/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CHUNK_ALLOC 16384
#define CHUNK_BYTES (CHUNK_ALLOC - sizeof(struct spool_chunk))
/* Chunks kept for the next messages: 4 MiB a worker. */
#define SPARE_MAX  256
#define READ_BYTES 131072
#define WRITE_IOV  64

struct spool_chunk {
	struct spool_chunk *next;
	size_t n;
	char bytes[];
};

struct spool {
	struct spool_place *place;
	/* In memory: all of the message.  In a file: at most one chunk, not written yet. */
	struct spool_chunk *first, *last;
	uint64_t size, file_size;
	int fd; /* -1: in memory */
	int error;
	char *read;             /* READ_BYTES, for pieces of the file */
	struct text head;       /* what spool_head() had to join; malloc */
	struct spool_chunk *at; /* where spool_pieces() goes on in memory ... */
	uint64_t at_offset;     /* ... and the offset of its first byte */
};

void spool_place_clear(struct spool_place *place)
{
	while (place->spare) {
		struct spool_chunk *c = place->spare;

		place->spare = c->next;
		free(c);
	}
	place->spare_count = 0;
}

/* NULL: the worker's share is used up, or no memory. */
static struct spool_chunk *chunk_take(struct spool_place *place)
{
	struct spool_chunk *c = place->spare;

	if (place->memory_used + CHUNK_ALLOC > place->memory_total)
		return NULL;
	if (c) {
		place->spare = c->next;
		place->spare_count--;
	} else {
		c = malloc(CHUNK_ALLOC);
		if (!c)
			return NULL;
	}
	place->memory_used += CHUNK_ALLOC;
	c->next = NULL;
	c->n = 0;
	return c;
}

static void chunk_give(struct spool_place *place, struct spool_chunk *c)
{
	place->memory_used -= CHUNK_ALLOC;
	if (place->spare_count >= SPARE_MAX) {
		free(c);
		return;
	}
	c->next = place->spare;
	place->spare = c;
	place->spare_count++;
}

static void chunks_give_all(struct spool *s)
{
	while (s->first) {
		struct spool_chunk *c = s->first;

		s->first = c->next;
		chunk_give(s->place, c);
	}
	s->last = s->at = NULL;
}

struct spool *spool_new(struct spool_place *place)
{
	struct spool *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->place = place;
	s->fd = -1;
	return s;
}

/* Gives back everything but the struct. */
static void spool_release(struct spool *s)
{
	chunks_give_all(s);
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	if (s->read) {
		free(s->read);
		s->read = NULL;
		s->place->memory_used -= READ_BYTES;
	}
	s->place->memory_used -= s->head.n;
	free((char *)s->head.p);
	s->head = (struct text){0};
}

void spool_free(struct spool *s)
{
	if (!s)
		return;
	spool_release(s);
	free(s);
}

uint64_t spool_size(const struct spool *s)
{
	return s->size;
}

int spool_errno(const struct spool *s)
{
	return s->error;
}

bool spool_in_memory(const struct spool *s)
{
	return s->fd < 0;
}

static enum spool_result result_of(int error)
{
	switch (error) {
	case 0:
		return SPOOL_OK;
	case ENOSPC:
	case EDQUOT:
	case EFBIG: /* RLIMIT_FSIZE; the threads block SIGXFSZ */
		return SPOOL_NO_SPACE;
	case ENOMEM:
	case EMFILE:
	case ENFILE:
		return SPOOL_NO_MEMORY;
	default:
		return SPOOL_ERROR;
	}
}

static enum spool_result spool_fail(struct spool *s, int error)
{
	s->error = error;
	spool_release(s);
	return result_of(error);
}

/* ---- Jobs: run in a thread while the task waits */

struct write_job {
	int dir_fd, fd;
	uint64_t offset;
	const struct spool_chunk *chunks;
	const void *more;
	size_t more_n;
	uint64_t written;
	int error;
};

static int open_unlinked(int dir_fd)
{
	static atomic_uint counter;
	char name[64];
	int fd = openat(dir_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
		return fd;
	/* A file system without O_TMPFILE: for a moment the file has a name. */
	snprintf(name, sizeof(name), "spool.%d.%u", (int)getpid(), atomic_fetch_add(&counter, 1));
	fd = openat(dir_fd, name, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
	if (fd >= 0)
		unlinkat(dir_fd, name, 0);
	return fd;
}

static bool write_all(struct write_job *j, struct iovec *iov, int n)
{
	while (n > 0) {
		ssize_t w = pwritev(j->fd, iov, n, (off_t)(j->offset + j->written));

		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0) {
			j->error = w < 0 ? errno : EIO;
			return false;
		}
		j->written += (uint64_t)w;
		for (; n > 0 && (size_t)w >= iov->iov_len; iov++, n--)
			w -= (ssize_t)iov->iov_len;
		if (n > 0) {
			iov->iov_base = (char *)iov->iov_base + w;
			iov->iov_len -= (size_t)w;
		}
	}
	return true;
}

static void write_run(void *arg)
{
	struct write_job *j = arg;
	struct iovec iov[WRITE_IOV];
	int n = 0;

	if (j->fd < 0)
		j->fd = open_unlinked(j->dir_fd);
	if (j->fd < 0) {
		j->error = errno;
		return;
	}
	for (const struct spool_chunk *c = j->chunks; c; c = c->next) {
		iov[n++] = (struct iovec){(char *)c->bytes, c->n};
		if (n == WRITE_IOV) {
			if (!write_all(j, iov, n))
				return;
			n = 0;
		}
	}
	if (j->more_n)
		iov[n++] = (struct iovec){(void *)j->more, j->more_n};
	write_all(j, iov, n);
}

/* Writes what is in memory and then `more` to the file, which is made if there is none yet. */
static enum spool_result spool_flush(struct spool *s, const void *more, size_t n)
{
	struct write_job j = {.dir_fd = s->place->dir_fd,
			      .fd = s->fd,
			      .offset = s->file_size,
			      .chunks = s->first,
			      .more = more,
			      .more_n = n};

	offload_run(s->place->offload, write_run, &j);
	s->fd = j.fd;
	if (j.error)
		return spool_fail(s, j.error);
	s->file_size += j.written;
	chunks_give_all(s);
	return SPOOL_OK;
}

struct read_job {
	int fd;
	uint64_t offset;
	char *p;
	size_t n, got;
	int error;
};

static void read_run(void *arg)
{
	struct read_job *j = arg;

	while (j->got < j->n) {
		ssize_t r = pread(j->fd, j->p + j->got, j->n - j->got, (off_t)(j->offset + j->got));

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0) { /* a file that is shorter than what was written: a broken disk */
			j->error = r < 0 ? errno : EIO;
			return;
		}
		j->got += (size_t)r;
	}
}

static int spool_read(struct spool *s, uint64_t offset, char *p, size_t n)
{
	struct read_job j = {.fd = s->fd, .offset = offset, .p = p, .n = n};

	offload_run(s->place->offload, read_run, &j);
	return j.error;
}

/* ---- Writing */

static struct spool_chunk *spool_add_chunk(struct spool *s)
{
	struct spool_chunk *c = chunk_take(s->place);

	if (!c)
		return NULL;
	if (s->last)
		s->last->next = c;
	else
		s->first = c;
	s->last = c;
	return c;
}

static void spool_fill(struct spool_chunk *c, const char **p, size_t *n)
{
	size_t room = CHUNK_BYTES - c->n;
	size_t take = *n < room ? *n : room;

	memcpy(c->bytes + c->n, *p, take);
	c->n += take;
	*p += take;
	*n -= take;
}

static enum spool_result append_file(struct spool *s, const char *p, size_t n)
{
	struct spool_chunk *c = s->last ? s->last : spool_add_chunk(s);

	/* One write for what is collected and all that is new, if it does not fit. */
	if (!c || c->n + n > CHUNK_BYTES)
		return spool_flush(s, p, n);
	spool_fill(c, &p, &n);
	return SPOOL_OK;
}

enum spool_result spool_append(struct spool *s, const void *bytes, size_t n)
{
	const char *p = bytes;

	s->size += n;
	if (s->error)
		return result_of(s->error);
	if (s->fd >= 0)
		return append_file(s, p, n);
	if (s->size > s->place->memory_each)
		return spool_flush(s, p, n);
	while (n) {
		struct spool_chunk *c = s->last;

		if ((!c || c->n == CHUNK_BYTES) && !(c = spool_add_chunk(s)))
			return spool_flush(s, p, n);
		spool_fill(c, &p, &n);
	}
	return SPOOL_OK;
}

/* ---- Reading */

/* What is collected goes to the file, so that it can be read from there. */
static enum spool_result settle(struct spool *s)
{
	if (s->error)
		return result_of(s->error);
	return s->fd >= 0 && s->first ? spool_flush(s, NULL, 0) : SPOOL_OK;
}

enum spool_result spool_settle(struct spool *s, int *fd)
{
	const enum spool_result r = settle(s);

	*fd = s->fd;
	return r;
}

struct text spool_head(struct spool *s, size_t max)
{
	size_t n = s->size < max ? (size_t)s->size : max;
	char *p;

	if (settle(s) != SPOOL_OK || n == 0)
		return (struct text){0};
	if (s->fd < 0 && s->first->n >= n)
		return text_make(s->first->bytes, n);
	if (s->head.n >= n)
		return text_make(s->head.p, n);
	p = malloc(n);
	if (!p)
		return s->fd < 0 ? text_make(s->first->bytes, s->first->n) : s->head;
	if (s->fd >= 0) {
		if (spool_read(s, 0, p, n) != 0) {
			free(p);
			return s->head;
		}
	} else {
		size_t at = 0;

		for (const struct spool_chunk *c = s->first; at < n; c = c->next) {
			size_t take = c->n < n - at ? c->n : n - at;

			memcpy(p + at, c->bytes, take);
			at += take;
		}
	}
	s->place->memory_used += n - s->head.n;
	free((char *)s->head.p);
	s->head = text_make(p, n);
	return s->head;
}

static enum spool_result pieces_of_file(struct spool *s, uint64_t *offset, struct iovec *iov,
					int *n)
{
	size_t want = READ_BYTES;
	int error;

	*n = 0;
	if (*offset >= s->file_size)
		return SPOOL_OK;
	if (s->file_size - *offset < want)
		want = (size_t)(s->file_size - *offset);
	if (!s->read) {
		s->read = malloc(READ_BYTES);
		if (!s->read)
			return SPOOL_NO_MEMORY;
		s->place->memory_used += READ_BYTES;
	}
	error = spool_read(s, *offset, s->read, want);
	if (error) {
		s->error = error;
		return SPOOL_ERROR;
	}
	iov[0] = (struct iovec){s->read, want};
	*n = 1;
	*offset += want;
	return SPOOL_OK;
}

enum spool_result spool_pieces(struct spool *s, uint64_t *offset, struct iovec *iov, int *n)
{
	enum spool_result settled = settle(s);
	int room = *n;

	*n = 0;
	if (settled != SPOOL_OK)
		return settled;
	if (s->fd >= 0)
		return pieces_of_file(s, offset, iov, n);
	if (!s->at || *offset < s->at_offset) {
		s->at = s->first;
		s->at_offset = 0;
	}
	while (s->at && *n < room) {
		const struct spool_chunk *c = s->at;
		size_t skip = (size_t)(*offset - s->at_offset);

		if (skip < c->n) {
			iov[*n] = (struct iovec){(char *)c->bytes + skip, c->n - skip};
			*offset += iov[(*n)++].iov_len;
		} else if (c->next) { /* stays at the last one: more may be appended */
			s->at_offset += c->n;
			s->at = c->next;
		} else {
			break;
		}
	}
	return SPOOL_OK;
}

enum spool_result spool_next(struct spool *s, uint64_t *offset, struct text *piece)
{
	struct iovec iov;
	int n = 1;
	enum spool_result r = spool_pieces(s, offset, &iov, &n);

	*piece = n ? text_make(iov.iov_base, iov.iov_len) : (struct text){0};
	return r;
}
