/* The parts of a message, decoded into memory, in an inspector. */
#ifndef WORKER_INSPECT_ARCHIVE_PARTS_H
#define WORKER_INSPECT_ARCHIVE_PARTS_H

#include "policy/archives.h"
#include "policy/message/mime.h"

/* Encoded containers in one another: more are not decoded. */
enum { ARCHIVE_PARTS_NESTED = 8 };

/* A body as it was decoded last, and the containers that it stands in. */
struct archive_body {
	unsigned part;
	enum mime_encoding encoding;
	const unsigned char *p;
	size_t n;
	unsigned char *own; /* what `p` points to; NULL: a view of what is above */
};

struct archive_parts {
	const struct archives_request *rq;
	const unsigned char *message;
	size_t size;
	bool mapped;
	uint64_t decoded; /* bytes, of all: what is decoded is bounded by the request's bytes */
	struct archive_body bodies[ARCHIVE_PARTS_NESTED]; /* outermost first */
	size_t depth;
};

/* Maps the message.  False: it can't be. */
bool archive_parts_open(struct archive_parts *parts, int fd, const struct archives_request *rq);
/* The same with a message that is in memory, where it stays. */
void archive_parts_over(struct archive_parts *parts, const unsigned char *message, size_t size,
			const struct archives_request *rq);
void archive_parts_close(struct archive_parts *parts);

/* One way to read a part: an encoding for each container that it stands in, and its own. */
struct archive_reading {
	unsigned chain[ARCHIVE_PARTS_NESTED]; /* the outermost first; the last is the part */
	enum mime_encoding encodings[ARCHIVE_PARTS_NESTED];
	size_t depth; /* 0: no reading is left */
};
/* The first reading of a part, and the next. */
void archive_reading_first(const struct archive_parts *parts, unsigned part,
			   struct archive_reading *r);
void archive_reading_next(const struct archive_parts *parts, struct archive_reading *r);

/* The bytes of that reading; they stay until the next call.  False: no memory, or more than may be
 * decoded: which of archives_limit is added to *limits. */
bool archive_parts_bytes(struct archive_parts *parts, const struct archive_reading *r,
			 const unsigned char **p, size_t *n, unsigned *limits);

#endif
