/* Asking an inspector, from a session: yields until there is an answer or the deadline.
 *
 * All workers ask on one socket and all inspectors serve it, so the kernel queues.  A question
 * brings its own reply descriptor: an inspector that dies closes it, and the question is asked once
 * more.  Rounds ("these records as well") are handled here, within bounds. */
#ifndef WORKER_INSPECT_ASK_H
#define WORKER_INSPECT_ASK_H

#include "worker/inspect/question.h"
#include "worker/io/loop.h"

/* One query of a round, to be answered by the caller's resolver. */
struct inspect_query {
	struct text name;
	uint16_t type;
	struct dns_answer answer; /* its texts live until the question is over */
};

/* The asking end of a worker. */
struct inspect;

struct inspect_options {
	int fd; /* the asking end of the pair; stays the caller's */
	/* Questions of this worker that may be out at once; more wait their turn: no worker fills
	 * the queue of all. */
	unsigned outstanding_max; /* 0: a default */
};

/* NULL: no memory, or the loop refuses the descriptor (errno). */
struct inspect *inspect_open(struct loop *l, const struct inspect_options *o);
/* Nobody may be asking.  NULL is harmless. */
void inspect_close(struct inspect *in);

enum inspect_result {
	INSPECT_ANSWERED,
	INSPECT_TIMEOUT,   /* nobody has answered before the deadline */
	INSPECT_DIED,      /* as many inspectors died of it as may */
	INSPECT_TOO_MUCH,  /* more rounds, queries or bytes than a question may have */
	INSPECT_NONSENSE,  /* a reply that is none */
	INSPECT_EXHAUSTED, /* no descriptors, no memory */
	INSPECT_CANCELLED, /* the task was */
};
const char *inspect_result_text(enum inspect_result r); /* for people */

struct inspect_request {
	enum question_type type;
	struct text body;
	int message_fd;      /* -1: none; stays the caller's, opened read-only */
	int64_t deadline_us; /* of the loop's clock, for all rounds */
	/* Looks all of them up at once and yields until all are answered or the deadline; fills in
	 * the answers, which live as long as the arena.  NULL: nothing is looked up. */
	void (*look_up)(void *self, struct inspect_query *queries, size_t n, struct arena *a,
			int64_t deadline_us);
	void *look_up_self;
	/* Bounds of this question; 0: the most there is. */
	unsigned queries_max, rounds_max;
	/* How many inspectors may die of it before it is given up; 0: two. */
	unsigned deaths_max;
	/* What the first round will need for certain: looked up before it.  Names are well-formed.
	 */
	const struct need *first;
	size_t first_count;
	/* Answers that are known already (of an earlier question on the same message). */
	const struct known_answer *known;
	size_t known_count;
};

struct inspect_outcome {
	enum inspect_result result;
	struct text body; /* of the answer, in the arena */
	unsigned rounds, queries, deaths;
	/* All answers that were used, in the arena: `known` of a next question. */
	const struct known_answer *known;
	size_t known_count;
};

/* Yields.  What it returns and needs stands in `a`, which may run out (and jump) at any time:
 * nothing else is held then. */
struct inspect_outcome inspect_ask(struct inspect *in, const struct inspect_request *rq,
				   struct arena *a);

/* Questions that are out now, and those that wait for their turn. */
unsigned inspect_outstanding(const struct inspect *in);
unsigned inspect_waiting(const struct inspect *in);

#endif
