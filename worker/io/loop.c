/* One epoll instance; see loop.h for what a round does and why in this order. */
#include "worker/io/loop.h"

#include "shm/base/clock.h"
#include "worker/io/loop_private.h"
#include "worker/io/task.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

/* In epoll's data a pointer to a struct watch, or with this bit set to a struct fd_event. */
#define IS_FD_EVENT UINT64_C(1)

struct loop *loop_new(void)
{
	struct loop *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll_fd < 0 || !heap_init(&l->heap)) {
		const int e = errno;

		if (l->epoll_fd >= 0)
			close(l->epoll_fd);
		free(l);
		errno = e;
		return NULL;
	}
	l->due_tail = &l->due;
	l->now_us = clock_mono_us();
	task_set_init(&l->tasks);
	return l;
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	task_set_free(&l->tasks);
	buffer_pool_free(&l->buffers);
	heap_free(&l->heap);
	close(l->epoll_fd);
	free(l);
}

int64_t loop_now_us(const struct loop *l)
{
	return l->now_us;
}

void loop_stop(struct loop *l)
{
	l->stopping = true;
}

/* ---- Watches ---- */

bool watch_add(struct loop *l, struct watch *w, int fd)
{
	struct epoll_event ev = {
	    .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
	    .data.u64 = (uintptr_t)w,
	};

	*w = (struct watch){.fd = -1};
	if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0)
		return false;
	w->loop = l;
	w->fd = fd;
	w->writable = true;
	return true;
}

void watch_remove(struct watch *w)
{
	if (!w->loop)
		return;
	epoll_ctl(w->loop->epoll_fd, EPOLL_CTL_DEL, w->fd, NULL);
	watch_forget(w);
}

void watch_forget(struct watch *w)
{
	assert(!w->reader && !w->writer);
	w->loop = NULL;
	w->fd = -1;
}

static enum wake watch_wait(struct task **waiter, const bool *ready, int64_t deadline_us)
{
	struct task *t = task_current();
	enum wake wake = WAKE_READY;

	assert(t && !*waiter);
	if (task_is_cancelled(t))
		return WAKE_CANCELLED;
	*waiter = t;
	while (!*ready && wake == WAKE_READY)
		wake = task_park(deadline_us);
	*waiter = NULL;
	return *ready && wake == WAKE_TIMEOUT ? WAKE_READY : wake;
}

enum wake watch_wait_readable(struct watch *w, int64_t deadline_us)
{
	return watch_wait(&w->reader, &w->readable, deadline_us);
}

enum wake watch_wait_writable(struct watch *w, int64_t deadline_us)
{
	return watch_wait(&w->writer, &w->writable, deadline_us);
}

static void watch_mark(struct watch *w, uint32_t events)
{
	if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		w->hangup = true;
	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
		w->readable = true;
		if (w->reader)
			task_wake(w->reader);
	}
	if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) {
		w->writable = true;
		if (w->writer)
			task_wake(w->writer);
	}
}

/* ---- Timers ---- */

void timer_set(struct loop *l, struct timer *t, int64_t at_us, void (*fn)(void *arg), void *arg)
{
	t->at_us = at_us;
	t->fn = fn;
	t->arg = arg;
	heap_place(&l->heap, t);
}

void timer_clear(struct loop *l, struct timer *t)
{
	heap_remove(&l->heap, t);
}

static void run_timers(struct loop *l)
{
	/* No more than there are now: one that sets itself into the past must not hold the loop. */
	for (uint32_t left = l->heap.count; left > 0; left--) {
		struct timer *t = heap_first(&l->heap);

		if (!t || t->at_us > l->now_us)
			return;
		heap_remove(&l->heap, t);
		t->fn(t->arg);
	}
}

/* ---- Descriptors with a callback ---- */

static bool fd_control(struct fd_event *e, int op, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.u64 = (uintptr_t)e | IS_FD_EVENT};

	return epoll_ctl(e->loop->epoll_fd, op, e->fd, &ev) == 0;
}

bool loop_fd_add(struct loop *l, struct fd_event *e, int fd, uint32_t events,
		 void (*fn)(void *arg, uint32_t events), void *arg)
{
	*e = (struct fd_event){.loop = l, .fn = fn, .arg = arg, .fd = fd};
	if (fd_control(e, EPOLL_CTL_ADD, events))
		return true;
	e->loop = NULL;
	return false;
}

bool loop_fd_modify(struct fd_event *e, uint32_t events)
{
	return fd_control(e, EPOLL_CTL_MOD, events);
}

static void due_unlink(struct loop *l, struct fd_event *e)
{
	assert(e->due_link);
	*e->due_link = e->next_due;
	if (e->next_due)
		e->next_due->due_link = e->due_link;
	else
		l->due_tail = e->due_link;
	e->due_link = NULL;
	e->next_due = NULL;
}

void loop_fd_remove(struct fd_event *e)
{
	if (!e->loop)
		return;
	if (e->due_link)
		due_unlink(e->loop, e);
	fd_control(e, EPOLL_CTL_DEL, 0);
	e->loop = NULL;
}

static void fd_mark(struct loop *l, struct fd_event *e, uint32_t events)
{
	e->due = events;
	e->due_link = l->due_tail;
	e->next_due = NULL;
	*l->due_tail = e;
	l->due_tail = &e->next_due;
}

static void run_callbacks(struct loop *l)
{
	while (l->due) {
		struct fd_event *e = l->due;

		due_unlink(l, e);
		e->fn(e->arg, e->due);
	}
}

/* ---- The round ---- */

static int wait_ms(const struct loop *l)
{
	const struct timer *t = heap_first(&l->heap);

	if (l->tasks.ready)
		return 0;
	if (!t)
		return -1;
	if (t->at_us <= l->now_us)
		return 0;
	const int64_t ms = (t->at_us - l->now_us - 1) / 1000 + 1; /* never early */
	return ms > INT_MAX ? INT_MAX : (int)ms;
}

static void take_events(struct loop *l)
{
	const int n = epoll_wait(l->epoll_fd, l->batch, LOOP_BATCH, wait_ms(l));

	if (n < 0 && errno != EINTR)
		abort(); /* our own descriptor or buffer is bad */
	l->now_us = clock_mono_us();
	for (int i = 0; i < n; i++) {
		const uint64_t data = l->batch[i].data.u64;

		if (data & IS_FD_EVENT)
			fd_mark(l, (struct fd_event *)(uintptr_t)(data & ~IS_FD_EVENT),
				l->batch[i].events);
		else
			watch_mark((struct watch *)(uintptr_t)data, l->batch[i].events);
	}
}

void loop_run(struct loop *l)
{
	l->stopping = false;
	l->now_us = clock_mono_us();
	while (!l->stopping) {
		take_events(l);
		run_timers(l);
		run_callbacks(l);
		task_set_run(l);
	}
}
