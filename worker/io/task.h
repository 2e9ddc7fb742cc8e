/* Tasks: stackful coroutines, one a session, so that session code is straight-line.
 *
 * All tasks of a loop run on the loop's thread, one at a time, and give way only in a function that
 * says so
 * ("yields").  Between two such calls nothing else runs, so no locks; but whatever another session
 * may change (static buffers, an LMDB transaction) must not be held across one.
 *
 * A wait is like one on a condition variable: task_wake() may come from somebody whom the task no
 * longer waits for, so check the condition, park, check again.  A wake before the park is
 * remembered (one of them). */
#ifndef WORKER_IO_TASK_H
#define WORKER_IO_TASK_H

#include "worker/io/loop.h"

#include <stddef.h>

/* Usable bytes of a stack; below it lies the guard.  Chosen from the measured high-water mark
 * (task_stack_high_water(), asserted by the tests).  Sanitizers make frames several times larger.
 */
#ifdef GATEPOST_SANITIZED
#define TASK_STACK_BYTES (256 * 1024)
#else
#define TASK_STACK_BYTES (64 * 1024)
#endif

/* Runs fn(arg) in a new task, first at the next turn of the ready queue (never at once).  The task
 * ends when fn returns.  False when there is no memory: nothing was started. */
bool task_spawn(struct loop *l, void (*fn)(void *arg), void *arg);

/* The running task, NULL on the loop's own stack.  The pointer is good until its fn returns:
 * whoever keeps one in order to wake or cancel it must be told of that end. */
struct task *task_current(void);
struct loop *task_loop(const struct task *t);

/* Yields until task_wake(), the deadline, or task_cancel(). */
enum wake task_park(int64_t deadline_us);
/* Yields until *done, which somebody sets before task_wake().  No deadline, and no cancellation
 * either: for what can't be called off half-way, such as a job that a thread runs with our memory.
 */
void task_park_until(const bool *done);
/* WAKE_TIMEOUT at the time, or WAKE_CANCELLED earlier; wakes by others don't end it. */
enum wake task_sleep_until(int64_t at_us);
/* Lets everybody who is ready run first.  Never fails; also when cancelled. */
void task_yield(void);

/* Puts the task into the ready queue; it runs from the loop, never nested.  Several wakes before it
 * runs are one. */
void task_wake(struct task *t);
/* Every wait of the task, now and later, answers WAKE_CANCELLED at once (but task_park_until()). */
void task_cancel(struct task *t);
void task_cancel_all(struct loop *l);
bool task_is_cancelled(const struct task *t);
/* How many have been spawned and have not ended. */
size_t task_count(const struct loop *l);

/* ---- Stacks: for tests and start-up
 * ---------------------------------------------------------------- */

/* Before the first task_spawn() of the loop: guards made by mprotect() even where the kernel has
 * MADV_GUARD_INSTALL, so that both ways are tested everywhere. */
void task_guard_by_mprotect(struct loop *l);
/* From now on each stack is measured before its pages are given back (a system call each: for
 * tests). */
void task_measure_stacks(struct loop *l);
/* The deepest use so far of any stack of the loop in bytes, whole pages, live tasks included. */
size_t task_stack_high_water(struct loop *l);
/* A wait as long as this gives the unused pages of its stack back to the kernel. */
void task_set_rest_us(struct loop *l, int64_t us);

#endif
