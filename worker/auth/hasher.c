/* The queue of passwords. */
#include "worker/auth/hasher.h"

#include "shm/base/clock.h"
#include "worker/auth/serve.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	THREADS_MAX = 16,
	/* Some ten milliseconds each: a full queue is a second's work. */
	QUEUE_PER_THREAD = 64,
};

struct hasher {
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct hash_job *queue; /* a ring */
	unsigned size, first, count;
	bool closing;
	char nobody[USER_HASH_MAX + 1]; /* made like those of users, of no password */
	unsigned thread_count;
	pthread_t threads[THREADS_MAX];
};

/* The same work whether the user exists or not. */
static enum auth_verdict judge(const struct hasher *h, const struct hash_job *job)
{
	bool broken;
	const bool matches =
	    password_matches(job->password, job->known ? job->user.hash : h->nobody, &broken);

	if (broken)
		return AUTH_CANT;
	return matches && job->known ? AUTH_YES : AUTH_NO;
}

static void answer(const struct hasher *h, struct hash_job *job)
{
	if (job->deadline_mono_us > clock_mono_us()) {
		const enum auth_verdict v = judge(h, job);

		serve_reply(job->reply_fd,
			    &(struct auth_reply){
				.verdict = v,
				.login = text_of(job->login),
				.senders = v == AUTH_YES ? text_of(job->user.senders) : LIT(""),
			    });
	}
	close(job->reply_fd);
	explicit_bzero(job, sizeof(*job));
}

static void *thread_main(void *arg)
{
	struct hasher *h = arg;
	struct hash_job job;

	pthread_mutex_lock(&h->lock);
	for (;;) {
		while (h->count == 0 && !h->closing)
			pthread_cond_wait(&h->work, &h->lock);
		if (h->count == 0)
			break;
		job = h->queue[h->first];
		explicit_bzero(&h->queue[h->first], sizeof(job));
		h->first = (h->first + 1) % h->size;
		h->count--;
		pthread_mutex_unlock(&h->lock);
		answer(h, &job);
		pthread_mutex_lock(&h->lock);
	}
	pthread_mutex_unlock(&h->lock);
	return NULL;
}

/* Signals are the main thread's. */
static bool start_threads(struct hasher *h, unsigned threads)
{
	sigset_t all, before;
	int e = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (h->thread_count < threads && e == 0) {
		e = pthread_create(&h->threads[h->thread_count], NULL, thread_main, h);
		h->thread_count += e == 0;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return e == 0;
}

struct hasher *hasher_start(unsigned threads)
{
	struct hasher *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	threads = threads < 1 ? 1 : threads > THREADS_MAX ? THREADS_MAX : threads;
	h->size = threads * QUEUE_PER_THREAD;
	h->queue = calloc(h->size, sizeof(*h->queue));
	pthread_mutex_init(&h->lock, NULL);
	pthread_cond_init(&h->work, NULL);
	if (h->queue && password_hash("nobody's", h->nobody) && start_threads(h, threads))
		return h;
	hasher_stop(h);
	return NULL;
}

bool hasher_put(struct hasher *h, const struct hash_job *job)
{
	pthread_mutex_lock(&h->lock);
	const bool room = h->count < h->size;

	if (room) {
		h->queue[(h->first + h->count) % h->size] = *job;
		h->count++;
		pthread_cond_signal(&h->work);
	}
	pthread_mutex_unlock(&h->lock);
	return room;
}

void hasher_stop(struct hasher *h)
{
	pthread_mutex_lock(&h->lock);
	h->closing = true;
	pthread_cond_broadcast(&h->work);
	pthread_mutex_unlock(&h->lock);
	for (unsigned i = 0; i < h->thread_count; i++)
		pthread_join(h->threads[i], NULL);
	pthread_cond_destroy(&h->work);
	pthread_mutex_destroy(&h->lock);
	free(h->queue);
	free(h);
}
