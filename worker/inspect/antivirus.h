/* The anti-virus question: the message comes by descriptor, the answer is what matched in it. */
#ifndef WORKER_INSPECT_ANTIVIRUS_H
#define WORKER_INSPECT_ANTIVIRUS_H

#include "policy/antivirus.h"
#include "worker/inspect/question.h"

/* Goes in front of the message as an engine sees it: what doesn't begin with one of a few header
 * fields is no mail to libclamav, and it then looks into none of its parts. */
#define ANTIVIRUS_PREFIX "Received: by gatepost\r\n"

bool antivirus_question_put(struct buf *b, uint64_t size);
bool antivirus_question_get(struct text body, uint64_t *size);

void antivirus_answer_put(struct buf *b, const struct scan_result *r);
/* Texts are views of `body`; kinds are made anew from the names.  False: it is none. */
bool antivirus_answer_get(struct text body, struct scan_result *r);

#endif
