/* All tasks of a loop: what the loop needs of them, and nobody else includes. */
#ifndef WORKER_IO_TASK_SET_H
#define WORKER_IO_TASK_SET_H

#include "worker/io/loop.h"
#include "worker/io/stack.h"

#include <stddef.h>

struct task_link {
	struct task_link *next, *prev;
};

struct task_set {
	void *loop_env[5]; /* where a task that gives way returns to */
	struct stack_pool stacks;
	struct task *ready, **ready_tail;
	size_t ready_count, count;
	struct task_link recent; /* by the time of their last wait, longest first */
	struct task_link rested; /* waiting since long, unused stack pages given back */
	struct timer sweep;
	int64_t rest_us;
	/* For the sanitizer: the loop's own stack. */
	void *fake_stack;
	const void *stack_low;
	size_t stack_bytes;
};

void task_set_init(struct task_set *s);
void task_set_free(struct task_set *s);
/* Runs the tasks which are ready now; those that become ready meanwhile wait for the next round. */
void task_set_run(struct loop *l);

#endif
