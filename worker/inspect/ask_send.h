/* The asking end's system calls: one question out, one reply in. */
#ifndef WORKER_INSPECT_ASK_SEND_H
#define WORKER_INSPECT_ASK_SEND_H

#include "worker/inspect/ask.h"

/* What ask_send() wants as scratch: the flags, the question, and the NUL of a struct buf. */
enum { ASK_SCRATCH_BYTES = QUESTION_SIZE_MAX + 2 };

enum ask_sent {
	ASK_SENT,
	ASK_FULL,     /* the queue: try again a little later */
	ASK_TOO_LONG, /* past the limits of question.h */
	ASK_FAILED,   /* no descriptors, no memory, nobody left who serves: errno */
};

/* Sends the question without waiting; *reply_fd then is the caller's (non-blocking). */
enum ask_sent ask_send(int fd, const struct question *q, char *scratch, int *reply_fd);

/* Reads the reply's bytes without waiting.  False: nothing is there yet.  Else *result is
 * INSPECT_ANSWERED (*n bytes), INSPECT_DIED or INSPECT_NONSENSE. */
bool ask_receive(int reply_fd, char room[QUESTION_REPLY_MAX], size_t *n,
		 enum inspect_result *result);

#endif
