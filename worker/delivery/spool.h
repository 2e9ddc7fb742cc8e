/* The message while it is here: written as it arrives, read by the inspectors and the delivery, gone
 * when the transaction ends.  Memory up to `spool-memory`, then an unlinked file below state-dir
 * (O_TMPFILE), written by the offload threads.  Bytes stand as they go on: CR LF line ends, dots not
 * stuffed. */
#ifndef WORKER_DELIVERY_SPOOL_H
#define WORKER_DELIVERY_SPOOL_H

#include "shm/base/text.h"
#include "worker/io/offload.h"

#include <sys/uio.h>

/* What all spools of a worker share: made once, lives as long as the worker. */
struct spool_place {
	struct offload *offload;
	int dir_fd;               /* of state-dir */
	uint64_t memory_each, memory_total;
	uint64_t memory_used;     /* by all spools; also the worker's gauge */
};

struct spool;

enum spool_result { SPOOL_OK, SPOOL_NO_SPACE, SPOOL_NO_MEMORY, SPOOL_ERROR };

struct spool *spool_new(struct spool_place *place); /* NULL: no memory */
void spool_free(struct spool *s);                   /* NULL is allowed */

/* Appends; yields when it writes to the file.  After a failure the spool only counts. */
enum spool_result spool_append(struct spool *s, const void *p, size_t n);
uint64_t spool_size(const struct spool *s);

/* The first bytes, contiguous, up to `max` (the header section is parsed from here): may be less. */
struct text spool_head(struct spool *s, size_t max);

/* Reads in pieces, from `*offset` (start with 0), which it moves on: a piece that stays valid until the
 * next call; .n == 0 at the end; SPOOL_ERROR if the file can't be read. Yields for a file. */
enum spool_result spool_next(struct spool *s, uint64_t *offset, struct text *piece);

#endif
