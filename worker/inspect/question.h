/* What a worker asks an inspector, and what it is answered: the two datagrams of the protocol.
 *
 * A question is a pure function's argument: its type, the facts of the envelope (`body`, written
 * and read by the type's own file), every DNS answer known so far, and where the type wants it the
 * message as a read-only descriptor.  The answer is a body of the type's own, or the list of DNS
 * records that are needed as well: the worker looks them up and asks again with all the answers
 * (worker/inspect/ask.h).  Nothing is kept between two rounds.
 *
 * Neither side trusts the other: a question carries what strangers and their name servers wrote,
 * and an inspector may have been taken over by it.  Everything is bounded here and checked on
 * reading. */
#ifndef WORKER_INSPECT_QUESTION_H
#define WORKER_INSPECT_QUESTION_H

#include "shm/base/arena.h"
#include "shm/base/dns.h"
#include "worker/inspect/wire.h"

/* One a row of questions.def. */
enum question_type {
	QUESTION_NONE,
#define QUESTION(name, type, time_ms, help) QUESTION_##type,
#include "worker/inspect/questions.def"
#undef QUESTION
	QUESTION_TYPES
};
const char *question_name(enum question_type type); /* "spf" */
/* How long an inspector may take for one round of it, before it is killed. */
uint32_t question_time_ms(enum question_type type);

enum {
	/* A question up to this size goes as one datagram, a longer one as a sealed memfd. */
	QUESTION_INLINE_MAX = 64 * 1024,
	QUESTION_SIZE_MAX = 1024 * 1024,
	/* Answers a question may carry; it is also the most queries that one may cause. */
	QUESTION_ANSWERS_MAX = 160,
	/* Records of one answer, bytes of one record's text: what is more is left away by the
	 * worker, whose answer then is DNS_MALFORMED. */
	QUESTION_RECORDS_MAX = 256,
	QUESTION_TEXT_MAX = 16 * 1024,
	/* What an inspector answers. */
	QUESTION_REPLY_MAX = 64 * 1024,
	QUESTION_NEEDS_MAX = 32, /* records wanted at once */
};

/* What the DNS said to one query; for the inspector the query's own name, as it was asked. */
struct known_answer {
	struct text name;
	uint16_t type; /* enum dns_type */
	enum dns_status status;
	const struct dns_record *records;
	size_t count;
};

struct question {
	enum question_type type;
	int64_t deadline_mono_us; /* nobody waits for an answer after it */
	struct text body;
	const struct known_answer *answers;
	size_t answer_count;
	int message_fd; /* -1: none.  Read it by pread(): others have the same descriptor */
};

/* Appends all but the descriptor; false if there is more than the limits allow or room. */
bool question_put(struct buf *b, const struct question *q);
/* The other way; texts are views of `t`, the arrays stand in the arena.  message_fd is left alone.
 * False if it is no question. */
bool question_get(struct text t, struct arena *a, struct question *q);

struct need {
	struct text name;
	uint16_t type;
};

/* How a question travels: a byte of flags and then its bytes, or, when they are too many, only the
 * flags.  With it go, in this order, the reply descriptor, the descriptor of its bytes, and that of
 * the message. */
enum { QUESTION_BY_FD = 1, QUESTION_WITH_MESSAGE = 2, QUESTION_FDS_MAX = 3 };

enum reply_kind {
	REPLY_KIND_ANSWER = 1, /* body */
	REPLY_KIND_NEEDS,      /* these records as well */
};

struct inspect_reply {
	enum reply_kind kind;
	struct text body;
	const struct need *needs;
	size_t need_count;
};

bool inspect_reply_put(struct buf *b, const struct inspect_reply *r);
/* The same for replies.  Names of needs are well-formed (dns_name_ok). */
bool inspect_reply_get(struct text t, struct arena *a, struct inspect_reply *r);

/* ---- What a question's function sees, in the inspector ---- */

struct inquiry {
	const struct question *q;
	struct arena *arena; /* lives until the answer is sent; the process aborts if it runs out */
	struct need needs[QUESTION_NEEDS_MAX];
	size_t need_count;
	bool blocked; /* it can't be answered without what is needed (not only expected to be) */
};

/* Judges the question and appends its answer, which is not sent if it is blocked: then it is asked
 * again with all that was noted.  One a row of questions.def: question_<name>(). */
typedef void question_fn(struct inquiry *i, struct buf *answer);

/* The answer to a query, or NULL: it is not known yet and has been noted as needed.  The function
 * may go on as long as it makes sense (to note more needs), and then returns.  A name that can't be
 * asked for is answered with DNS_NXDOMAIN. */
const struct known_answer *inquiry_dns(struct inquiry *i, struct text name, uint16_t type);
/* Notes that it will probably be needed: asked for along with the next round, if there is one. */
void inquiry_expect(struct inquiry *i, struct text name, uint16_t type);

#define QUESTION(name, type, time_ms, help) question_fn question_##name;
#include "worker/inspect/questions.def"
#undef QUESTION

#endif
