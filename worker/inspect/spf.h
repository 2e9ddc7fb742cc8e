/* The SPF question (RFC 7208): what goes to the inspector and what comes back. */
#ifndef WORKER_INSPECT_SPF_H
#define WORKER_INSPECT_SPF_H

#include "policy/spf.h"
#include "worker/inspect/question.h"

/* The most DNS queries that one evaluation can cause: the record, the ten terms that look
 * something up, ten addresses for each of these that is an mx (or ptr), the client's name and ten
 * addresses for that, the explanation. */
enum { SPF_QUERIES_MAX = 124 };

struct spf_question {
	enum spf_identity identity;
	struct ip client;
	struct text helo;
	struct text local;    /* of the sender; empty: postmaster */
	struct text domain;   /* that is judged */
	struct text receiver; /* our name, for %{r} */
	int64_t now_s;
};

bool spf_question_put(struct buf *b, const struct spf_question *q);
bool spf_question_get(struct text body, struct spf_question *q);

/* Code, explanation, reason and passes_nobody of the result; the rest is the asker's. */
void spf_answer_put(struct buf *b, const struct spf_result *r);
/* Texts are views of `body`.  False: it is none, or the explanation is not plain text. */
bool spf_answer_get(struct text body, struct spf_result *r);

/* check_host() (RFC 7208 4), in the inspector.  Where the inquiry is blocked the result means
 * nothing.  Texts stand in the inquiry's arena. */
void spf_evaluate(struct inquiry *i, const struct spf_question *q, struct spf_result *r);

#endif
