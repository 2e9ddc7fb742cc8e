/* The event loop of a worker: one epoll instance, readiness, deadlines, and the tasks that are
 * ready to run.
 *
 * One loop a thread (a worker has one of each).  A round: epoll_wait; the clock is read once; the
 * whole batch of events is turned into marks and queues before any code of a user runs, so nothing
 * that a user frees can be touched by an event that is still in the batch; then timers, then
 * callbacks of descriptors, then the tasks that were ready when the round began, each in the order
 * in which it became ready.
 *
 * All times are microseconds of CLOCK_MONOTONIC.  Nothing here allocates after loop_new(). */
#ifndef WORKER_IO_LOOP_H
#define WORKER_IO_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct task;

/* A deadline that never comes. */
#define NEVER_US INT64_MAX

/* Why a wait ended. */
enum wake {
	WAKE_READY,     /* what was waited for is there, or task_wake() was called */
	WAKE_TIMEOUT,   /* the deadline has passed */
	WAKE_CANCELLED, /* task_cancel(): every wait of this task answers so from now on */
};

/* NULL: no descriptor or no memory (errno says which). */
struct loop *loop_new(void);
/* No task may be left; timers, watches and descriptors that still are registered are forgotten. */
void loop_free(struct loop *l);

/* Runs until loop_stop(), which may be called from anywhere on the loop's thread and takes effect
 * at the end of the round.  May be called again afterwards. */
void loop_run(struct loop *l);
void loop_stop(struct loop *l);

/* The clock as it was at the last wake-up. */
int64_t loop_now_us(const struct loop *l);

/* ---- Watches: edge-triggered descriptors that tasks wait for
 * -------------------------------------- */

/* Embedded in its owner, which does not move.  One EPOLL_CTL_ADD for its life; readiness is
 * remembered here, so a wait that is already satisfied makes no system call. */
struct watch {
	struct loop *loop;
	struct task *reader, *writer; /* who waits now: at most one each */
	int fd;                       /* the owner's, never closed here; -1 after watch_remove() */
	bool readable, writable;      /* not known to be drained / full */
	bool hangup; /* peer has closed its side, or an error waits: reads end at once, forever */
};

/* Starts as writable and not readable (the registration itself reports what is there).  False with
 * errno if the kernel refuses (ENOMEM, ENOSPC, EPERM). */
bool watch_add(struct loop *l, struct watch *w, int fd);
/* Call before close(fd).  Nothing may be waiting on it.  Harmless when not added (zeroed loop) or
 * removed. */
void watch_remove(struct watch *w);
/* The same for a descriptor that nobody else has and that is closed next: its close takes it out.
 */
void watch_forget(struct watch *w);

/* Yield until the descriptor may be read or written.  A cancelled task gets WAKE_CANCELLED even
 * when it is ready; a ready one gets WAKE_READY even when the deadline has passed. */
enum wake watch_wait_readable(struct watch *w, int64_t deadline_us);
enum wake watch_wait_writable(struct watch *w, int64_t deadline_us);

/* The caller has met EAGAIN: wait for the next edge. */
static inline void watch_spent_readable(struct watch *w)
{
	w->readable = false;
}
static inline void watch_spent_writable(struct watch *w)
{
	w->writable = false;
}
/* A stream gave less than was asked for: it is drained, unless its end has been reported already
 * (what comes later is a new edge, an end that was reported is not). */
static inline void watch_short_read(struct watch *w)
{
	w->readable = w->hangup;
}

/* ---- Timers: callbacks for periodic work
 * ---------------------------------------------------------- */

/* Embedded in its owner; zeroed is a valid timer that is not set. */
struct timer {
	int64_t at_us;
	void (*fn)(void *arg);
	void *arg;
	uint32_t slot; /* place in the heap, 0 is none */
};

/* Calls fn(arg) once from the loop's own stack (it must not wait) at or soon after at_us; a timer
 * that is set already is moved.  Never fails and never calls fn at once.  fn may set or clear any
 * timer. */
void timer_set(struct loop *l, struct timer *t, int64_t at_us, void (*fn)(void *arg), void *arg);
void timer_clear(struct loop *l, struct timer *t);
static inline bool timer_is_set(const struct timer *t)
{
	return t->slot != 0;
}

/* ---- Level-triggered descriptors with a callback: listeners, event descriptors, c-ares
 * ------------- */

/* Embedded in its owner; zeroed is valid and not registered. */
struct fd_event {
	struct loop *loop; /* NULL when not registered */
	void (*fn)(void *arg, uint32_t events);
	void *arg;
	struct fd_event *next_due, **due_link; /* in the queue of this round */
	uint32_t due;                          /* events to report in this round */
	int fd;
};

/* `events` are EPOLLIN, EPOLLOUT, EPOLLEXCLUSIVE.  fn runs on the loop's own stack (it must not
 * wait) and may remove or free any fd_event, its own included.  False with errno if the kernel
 * refuses. */
bool loop_fd_add(struct loop *l, struct fd_event *e, int fd, uint32_t events,
		 void (*fn)(void *arg, uint32_t events), void *arg);
/* Not for EPOLLEXCLUSIVE (the kernel allows no change): remove and add. */
bool loop_fd_modify(struct fd_event *e, uint32_t events);
/* Harmless when not registered.  Call before close(). */
void loop_fd_remove(struct fd_event *e);

#endif
