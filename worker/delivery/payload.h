/* The message as it goes on: fields of ours, and then what came, but for some ranges of it that are
 * left out.  Nothing is copied: the pieces are those of the spool. */
#ifndef WORKER_DELIVERY_PAYLOAD_H
#define WORKER_DELIVERY_PAYLOAD_H

#include "policy/message/forged.h"
#include "worker/delivery/spool.h"

struct payload {
	struct text fields; /* CR LF ended */
	struct spool *message;
	struct cuts cuts; /* of the message */
};

/* Of all that goes out, dots not doubled. */
uint64_t payload_size(const struct payload *p);

/* A place in the message, behind the fields. */
struct payload_place {
	uint64_t offset;  /* of the message, as it came */
	size_t cut;       /* the next one */
	struct text read; /* of the spool, not given out yet */
};
struct payload_place payload_begin(const struct payload *p);
bool payload_ended(const struct payload *p, const struct payload_place *at);

/* As spool_pieces(): at most `*n` pieces of the message, of which `*n` were filled in; 0 at the
 * end.  Valid until the next call; those of a message in memory stay. */
enum spool_result payload_pieces(const struct payload *p, struct payload_place *at,
				 struct iovec *iov, int *n);

#endif
