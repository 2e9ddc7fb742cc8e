/* A queue between the tasks of a loop and a few threads; completions come back by an event
 * descriptor. */
#include "worker/io/offload.h"

#include "worker/io/task.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define THREADS_MAX 16

/* On the stack of the task that waits for it. */
struct job {
	struct job *next, **link; /* in `queue` until a thread takes it, then in `done_jobs` */
	void (*run)(void *arg);
	void *arg;
	struct task *task;
	bool begun, done; /* begun: by the lock; done: by the loop's thread */
};

struct offload {
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct job *queue, **queue_tail;
	struct job *done_jobs;
	size_t waiting;
	bool closing;
	int event_fd;
	struct fd_event event;
	unsigned thread_count;
	pthread_t threads[THREADS_MAX];
};

static void queue_push(struct offload *o, struct job *j)
{
	j->next = NULL;
	j->link = o->queue_tail;
	*o->queue_tail = j;
	o->queue_tail = &j->next;
	o->waiting++;
}

static void queue_remove(struct offload *o, struct job *j)
{
	*j->link = j->next;
	if (j->next)
		j->next->link = j->link;
	else
		o->queue_tail = j->link;
	o->waiting--;
}

static void tell_loop(struct offload *o)
{
	const uint64_t one = 1;

	/* Can only fail by a full counter, and then the loop has been told often enough. */
	while (write(o->event_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

static void *thread_main(void *arg)
{
	struct offload *o = arg;

	pthread_mutex_lock(&o->lock);
	for (;;) {
		while (!o->queue && !o->closing)
			pthread_cond_wait(&o->work, &o->lock);
		if (!o->queue)
			break;
		struct job *j = o->queue;

		queue_remove(o, j);
		j->begun = true;
		pthread_mutex_unlock(&o->lock);
		j->run(j->arg);
		pthread_mutex_lock(&o->lock);
		const bool first = !o->done_jobs;

		j->next = o->done_jobs;
		o->done_jobs = j;
		if (first)
			tell_loop(o);
	}
	pthread_mutex_unlock(&o->lock);
	return NULL;
}

static void on_event(void *arg, uint32_t events)
{
	struct offload *o = arg;
	uint64_t count;

	(void)events;
	while (read(o->event_fd, &count, sizeof(count)) < 0 && errno == EINTR)
		;
	pthread_mutex_lock(&o->lock);
	struct job *j = o->done_jobs;
	o->done_jobs = NULL;
	pthread_mutex_unlock(&o->lock);
	while (j) {
		struct job *next = j->next;

		j->done = true;
		task_wake(j->task);
		j = next;
	}
}

static void stop_threads(struct offload *o)
{
	pthread_mutex_lock(&o->lock);
	o->closing = true;
	pthread_cond_broadcast(&o->work);
	pthread_mutex_unlock(&o->lock);
	for (unsigned i = 0; i < o->thread_count; i++)
		pthread_join(o->threads[i], NULL);
}

static int start_threads(struct offload *o, unsigned threads)
{
	sigset_t all, before;
	int e = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (o->thread_count < threads && e == 0) {
		e = pthread_create(&o->threads[o->thread_count], NULL, thread_main, o);
		o->thread_count += e == 0;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return e;
}

static void destroy(struct offload *o)
{
	stop_threads(o);
	loop_fd_remove(&o->event);
	if (o->event_fd >= 0)
		close(o->event_fd);
	pthread_cond_destroy(&o->work);
	pthread_mutex_destroy(&o->lock);
	free(o);
}

struct offload *offload_new(struct loop *l, unsigned threads)
{
	struct offload *o = calloc(1, sizeof(*o));
	int e;

	if (!o)
		return NULL;
	if (threads < 1)
		threads = 1;
	if (threads > THREADS_MAX)
		threads = THREADS_MAX;
	o->queue_tail = &o->queue;
	pthread_mutex_init(&o->lock, NULL);
	pthread_cond_init(&o->work, NULL);
	o->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (o->event_fd < 0 || !loop_fd_add(l, &o->event, o->event_fd, EPOLLIN, on_event, o))
		e = errno;
	else
		e = start_threads(o, threads);
	if (e == 0)
		return o;
	destroy(o);
	errno = e;
	return NULL;
}

void offload_free(struct offload *o)
{
	if (!o)
		return;
	assert(!o->queue && !o->done_jobs);
	destroy(o);
}

static void submit(struct offload *o, struct job *j)
{
	pthread_mutex_lock(&o->lock);
	queue_push(o, j);
	pthread_cond_signal(&o->work);
	pthread_mutex_unlock(&o->lock);
}

void offload_run(struct offload *o, void (*run)(void *arg), void *arg)
{
	struct job j = {.run = run, .arg = arg, .task = task_current()};

	if (!j.task) {
		run(arg);
		return;
	}
	submit(o, &j);
	task_park_until(&j.done);
}

enum wake offload_run_before(struct offload *o, void (*run)(void *arg), void *arg,
			     int64_t deadline_us)
{
	struct job j = {.run = run, .arg = arg, .task = task_current()};
	enum wake wake = WAKE_READY;

	assert(j.task);
	if (task_is_cancelled(j.task))
		return WAKE_CANCELLED;
	submit(o, &j);
	while (!j.done && wake == WAKE_READY)
		wake = task_park(deadline_us);
	if (j.done)
		return WAKE_READY;
	pthread_mutex_lock(&o->lock);
	const bool begun = j.begun;
	if (!begun)
		queue_remove(o, &j);
	pthread_mutex_unlock(&o->lock);
	if (!begun)
		return wake;
	task_park_until(&j.done);
	return WAKE_READY;
}

size_t offload_waiting(struct offload *o)
{
	pthread_mutex_lock(&o->lock);
	const size_t n = o->waiting;
	pthread_mutex_unlock(&o->lock);
	return n;
}
