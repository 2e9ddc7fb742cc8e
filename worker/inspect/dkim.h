/* The DKIM question: what the worker writes, what the inspector answers.
 *
 * Both read the fields of the message's header by policy/dkim_field.h, so the answer is no more
 * than a word for each, in their order: no text comes out of an inspector. */
#ifndef WORKER_INSPECT_DKIM_H
#define WORKER_INSPECT_DKIM_H

#include "policy/dkim_field.h"
#include "worker/inspect/question.h"

enum {
	DKIM_QUERIES_MAX = DKIM_SIGNATURES_MAX, /* one key each */
	DKIM_HEADER_MAX = 16 << 20,
};

/* Before the jail closes, once: what the library and OpenSSL load at their first use, proven by
 * verifying the two signatures of RFC 8463's example.  False: they can't. */
bool dkim_prepare(void);

struct dkim_question {
	uint64_t header_size, message_size; /* of the message that comes by descriptor */
	int64_t now_s;
};

bool dkim_question_put(struct buf *b, const struct dkim_question *q);
bool dkim_question_get(struct text body, struct dkim_question *q);

/* What becomes of a field. */
struct dkim_verdict {
	enum dkim_reason reason; /* none of POLICY's: those are the worker's to say */
	unsigned key_bits;
	bool testing, partial; /* partial: l= ends before the body does */
};

void dkim_answer_put(struct buf *b, const struct dkim_verdict *v, size_t n);
/* False: it is no answer to a question with so many fields. */
bool dkim_answer_get(struct text body, struct dkim_verdict *v, size_t n);

#endif
