/* Threads that compare passwords with hashes, behind a queue that is bounded: who comes when it is
 * full is told so at once, since an answer that comes late helps nobody. */
#ifndef WORKER_AUTH_HASHER_H
#define WORKER_AUTH_HASHER_H

#include "shm/password.h"

struct hash_job {
	int reply_fd;             /* the hasher's, once it has taken the job */
	int64_t deadline_mono_us; /* then nobody waits any more */
	bool known;               /* else the password is compared with a hash of nobody's */
	char login[LIST_KEY_MAX + 1];
	char password[PASSWORD_MAX + 1]; /* prepared */
	struct user user;
};

struct hasher;

/* NULL: the system has no yescrypt, or no threads (errno). */
struct hasher *hasher_start(unsigned threads);
/* Copies the job.  False: the queue is full, and the descriptor still the caller's. */
bool hasher_put(struct hasher *h, const struct hash_job *job);
/* Answers what it has taken, and ends the threads. */
void hasher_stop(struct hasher *h);

#endif
