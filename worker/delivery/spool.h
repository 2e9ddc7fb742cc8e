/* The message while it is here: written as it arrives, read by the inspectors and the delivery,
 * gone when the transaction ends.  Memory up to `spool-memory`, then an unlinked file below
 * state-dir (O_TMPFILE), written by the offload threads.  Bytes stand as they go on: CR LF line
 * ends, dots not stuffed.
 *
 * A message that outgrows its memory moves into the file as a whole and gives the memory back, so a
 * slow sender of something large holds a descriptor and one buffer, not megabytes. */
#ifndef WORKER_DELIVERY_SPOOL_H
#define WORKER_DELIVERY_SPOOL_H

#include "shm/base/text.h"
#include "worker/io/offload.h"

#include <sys/uio.h>

struct spool_chunk;

/* What all spools of a worker share: made once, lives as long as the worker. */
struct spool_place {
	struct offload *offload;
	int dir_fd; /* of state-dir */
	uint64_t memory_each, memory_total;
	uint64_t memory_used;      /* by all spools; also the worker's gauge */
	struct spool_chunk *spare; /* chunks for the next messages: not in memory_used, bounded */
	unsigned spare_count;
};

/* Frees the spare chunks; no spool may be left. */
void spool_place_clear(struct spool_place *place);

struct spool;

enum spool_result {
	SPOOL_OK,
	SPOOL_NO_SPACE,  /* the disk is full, or a quota is */
	SPOOL_NO_MEMORY, /* no memory, or no descriptors */
	SPOOL_ERROR,     /* the file can't be made, written or read: spool_errno() */
};

struct spool *spool_new(struct spool_place *place); /* NULL: no memory */
void spool_free(struct spool *s);                   /* NULL is allowed */

/* Appends; yields when it writes to the file.  After a failure the spool has given up its memory
 * and its file and only counts: every later append answers the same. */
enum spool_result spool_append(struct spool *s, const void *p, size_t n);
uint64_t spool_size(const struct spool *s);
/* The errno of the failure; 0: none. */
int spool_errno(const struct spool *s);
/* It has not moved to the file: reading it never waits. */
bool spool_in_memory(const struct spool *s);

/* The first bytes, contiguous, up to `max` (the header section is parsed from here); less than that
 * and than the message only if there is no memory or the file can't be read.  Valid until the next
 * spool_head() with a larger `max`, or the end of the spool.  May yield. */
struct text spool_head(struct spool *s, size_t max);

/* Reads in pieces, from `*offset` (start with 0), which it moves on: a piece that stays valid until
 * the next call; .n == 0 at the end; SPOOL_ERROR if the file can't be read. Yields for a file. */
enum spool_result spool_next(struct spool *s, uint64_t *offset, struct text *piece);

/* The same for writev(): at most `*n` pieces, of which `*n` were filled in (0 at the end), without
 * a copy where the message is in memory. */
enum spool_result spool_pieces(struct spool *s, uint64_t *offset, struct iovec *iov, int *n);

/* spool_share.c: a descriptor of the whole message that another process can only read: a sealed
 * memfd for one in memory, else the file, opened anew.  The caller closes it.  -1 with errno.  May
 * yield. */
int spool_share(struct spool *s);

/* For spool_share(): what is collected goes to the file; its descriptor, which stays the spool's,
 * or -1: the message is in memory. */
enum spool_result spool_settle(struct spool *s, int *fd);

#endif
