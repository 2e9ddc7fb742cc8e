/* A few threads for the calls that block: open, write, fsync, rename of spool and Maildir.
 *
 * A job touches what its argument points to and nothing else of the worker: no loop, no task, no
 * connection, no LMDB, no log.  The calling task yields until it is done; the argument may stand on
 * its stack.  A job is queued by the caller's own stack, so the queue needs no memory and is
 * bounded by the number of tasks; the jobs run in the order in which they came.  offload_waiting()
 * is a measure of the disk's pressure. */
#ifndef WORKER_IO_OFFLOAD_H
#define WORKER_IO_OFFLOAD_H

#include "worker/io/loop.h"

#include <stddef.h>

struct offload;

/* Starts the threads, which block all signals.  NULL with errno. */
struct offload *offload_new(struct loop *l, unsigned threads);
/* No job may be left.  Joins the threads. */
void offload_free(struct offload *o);

/* Runs job(arg) in a thread; yields until it is done.  Can't be called off, also not by
 * task_cancel() (so a cancelled task can still remove its files).  From the loop's own stack
 * (start-up, tests) it runs at once, here. */
void offload_run(struct offload *o, void (*job)(void *arg), void *arg);

/* The same, but gives up if no thread has begun it at the deadline or when the task is cancelled:
 * WAKE_READY means that it was done, anything else that it never began. */
enum wake offload_run_before(struct offload *o, void (*job)(void *arg), void *arg,
			     int64_t deadline_us);

/* Jobs that no thread has begun yet. */
size_t offload_waiting(struct offload *o);

#endif
