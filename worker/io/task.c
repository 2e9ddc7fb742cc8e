/* Stackful coroutines: switched by the compiler's own setjmp, which saves three words and makes no
 * call, and begun by makecontext() where a stack is new or came back cold: on a warm one the
 * task_main() of its last task waits for the next, which spares two system calls.
 *
 * There and back: 33 ns with the loop's share, 45 with _longjmp(), 457 with swapcontext() (two
 * system calls).  And the sanitizer knows the other two and clears the marks of the stack that is
 * left, so that it would miss an overflow in a session that has waited.  (A build with _longjmp()
 * needs -U_FORTIFY_SOURCE.)  struct task lies at the top of its own stack, so that an idle task
 * touches one page. */
#include "worker/io/task.h"

#include "worker/io/loop_private.h"
#include "worker/io/sanitize.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#define REST_US     INT64_C(2000000)
#define SWEEP_BATCH 256 /* tasks a sweep: it must not hold the loop for long */

/* Where a stack waits to be resumed.  It outlives the task as long as its page stays in memory, and
 * reads as zeros when the page was given back. */
struct resting_place {
	bool begun;
	void *env[5];
};

enum task_state {
	TASK_QUEUED, /* new, or has yielded: in the ready queue */
	TASK_RUNNING,
	TASK_PARKED,
	TASK_WAKING, /* was parked: in the ready queue, and `wake` says why */
	TASK_ENDED,
};

struct task {
	struct task_link link; /* in `recent` or `rested` */
	struct loop *loop;
	struct task *next_ready;
	void (*fn)(void *arg);
	void *arg;
	/* The timer may be earlier than the deadline: most waits end long before theirs, so it is
	 * left where it is and set anew only when it fires too early. */
	struct timer timer;
	int64_t deadline_us, parked_us;
	char *stack;
	const char *used; /* lowest byte in use while it is parked */
	enum task_state state;
	enum wake wake;
	bool cancelled;
	bool woken; /* task_wake() came while it was not parked */
	bool firm;  /* waits for something that can't be called off */
	unsigned valgrind_id;
	void *fake_stack;
	struct resting_place place;
};

static struct task *current; /* one loop a process runs tasks, in one thread */

static struct task *task_of(struct task_link *link)
{
	return (struct task *)((char *)link - offsetof(struct task, link));
}

static void link_init(struct task_link *head)
{
	head->next = head->prev = head;
}

static void link_remove(struct task_link *k)
{
	k->prev->next = k->next;
	k->next->prev = k->prev;
}

static void link_append(struct task_link *head, struct task_link *k)
{
	k->next = head;
	k->prev = head->prev;
	head->prev->next = k;
	head->prev = k;
}

void task_set_init(struct task_set *s)
{
	stack_pool_init(&s->stacks, TASK_STACK_BYTES);
	link_init(&s->recent);
	link_init(&s->rested);
	s->ready_tail = &s->ready;
	s->rest_us = REST_US;
}

void task_set_free(struct task_set *s)
{
	assert(s->count == 0);
	stack_pool_free(&s->stacks);
}

/* ---- Switching ---- */

/* Below all that the caller has on its stack. */
static __attribute__((noinline)) const char *stack_used(void)
{
	return (const char *)__builtin_frame_address(0) - 128; /* the red zone of x86-64 */
}

/* From the task to the loop.  Returns when the loop resumes it, or the next task on its stack. */
SWITCHES_STACKS static void leave(struct task *t)
{
	struct task_set *s = &t->loop->tasks;

	t->used = stack_used();
	fiber_switch_begin(t->state == TASK_ENDED ? NULL : &t->fake_stack, s->stack_low,
			   s->stack_bytes);
	if (__builtin_setjmp(t->place.env) == 0)
		__builtin_longjmp(s->loop_env, 1);
	fiber_switch_end(t->fake_stack, NULL, NULL);
}

SWITCHES_STACKS static void task_main(void)
{
	struct task *t = current; /* the next one stands at the same place */

	fiber_switch_end(NULL, &t->loop->tasks.stack_low, &t->loop->tasks.stack_bytes);
	for (;;) {
		t->fn(t->arg);
		t->state = TASK_ENDED;
		leave(t);
	}
}

SWITCHES_STACKS static void begin(struct task *t)
{
	ucontext_t context;

	t->place.begun = true;
	if (getcontext(&context) < 0)
		abort();
	context.uc_stack.ss_sp = t->stack;
	context.uc_stack.ss_size = (size_t)((char *)t - t->stack);
	context.uc_link = NULL;
	makecontext(&context, task_main, 0);
	setcontext(&context);
	abort();
}

static void task_free(struct task *t)
{
	struct task_set *s = &t->loop->tasks;

	timer_clear(t->loop, &t->timer);
	link_remove(&t->link);
	s->count--;
	stack_forget(t->valgrind_id);
	stack_give(&s->stacks, t->stack);
}

/* From the loop to the current task.  Returns when it gives way. */
SWITCHES_STACKS static void resume(void)
{
	struct task_set *s = &current->loop->tasks;

	fiber_switch_begin(&s->fake_stack, current->stack, s->stacks.bytes);
	if (__builtin_setjmp(s->loop_env) == 0) {
		if (current->place.begun)
			__builtin_longjmp(current->place.env, 1);
		begin(current);
	}
	fiber_switch_end(current->loop->tasks.fake_stack, NULL, NULL);
}

static void enter(struct task *t)
{
	t->state = TASK_RUNNING;
	current = t;
	resume();
	current = NULL;
	if (t->state == TASK_ENDED)
		task_free(t);
}

static void queue(struct task *t, enum task_state state)
{
	struct task_set *s = &t->loop->tasks;

	t->state = state;
	t->next_ready = NULL;
	*s->ready_tail = t;
	s->ready_tail = &t->next_ready;
	s->ready_count++;
}

void task_set_run(struct loop *l)
{
	struct task_set *s = &l->tasks;

	for (size_t left = s->ready_count; left > 0 && s->ready; left--) {
		struct task *t = s->ready;

		s->ready = t->next_ready;
		if (!s->ready)
			s->ready_tail = &s->ready;
		s->ready_count--;
		enter(t);
	}
}

/* ---- The life of a task ---- */

bool task_spawn(struct loop *l, void (*fn)(void *arg), void *arg)
{
	struct task_set *s = &l->tasks;

	if (s->count >= HEAP_MAX / 2) /* the other half is for timers */
		return false;
	char *stack = stack_take(&s->stacks);
	if (!stack)
		return false;
	stack_unpoison(stack, s->stacks.bytes);

	const uintptr_t top = (uintptr_t)stack + s->stacks.bytes;
	struct task *t = (struct task *)((top - sizeof(*t)) & ~(uintptr_t)63);
	*t = (struct task){.loop = l, .fn = fn, .arg = arg, .stack = stack, .place = t->place};
	t->deadline_us = NEVER_US;
	t->parked_us = l->now_us;
	t->valgrind_id = stack_tell(stack, s->stacks.bytes);
	link_append(&s->recent, &t->link);
	s->count++;
	queue(t, TASK_QUEUED);
	return true;
}

struct task *task_current(void)
{
	return current;
}

struct loop *task_loop(const struct task *t)
{
	return t->loop;
}

bool task_is_cancelled(const struct task *t)
{
	return t->cancelled;
}

size_t task_count(const struct loop *l)
{
	return l->tasks.count;
}

/* ---- Resting: tasks that wait long give their unused stack pages back ---- */

static void sweep(void *arg)
{
	struct loop *l = arg;
	struct task_set *s = &l->tasks;
	int left = SWEEP_BATCH;
	struct task_link *next;

	for (struct task_link *k = s->recent.next; k != &s->recent && left > 0; k = next) {
		struct task *t = task_of(k);

		next = k->next;
		if (t->parked_us > l->now_us - s->rest_us)
			break;
		if (t->state != TASK_PARKED)
			continue;
		stack_trim(&s->stacks, t->stack, t->used);
		link_remove(k);
		link_append(&s->rested, k);
		left--;
	}
	if (s->recent.next != &s->recent)
		timer_set(l, &s->sweep, l->now_us + (left ? s->rest_us / 2 : 1000), sweep, l);
}

void task_set_rest_us(struct loop *l, int64_t us)
{
	l->tasks.rest_us = us;
	timer_clear(l, &l->tasks.sweep);
}

/* ---- Waiting ---- */

static void on_deadline(void *arg)
{
	struct task *t = arg;

	if (t->state != TASK_PARKED || t->deadline_us == NEVER_US)
		return;
	if (t->deadline_us > t->loop->now_us) {
		timer_set(t->loop, &t->timer, t->deadline_us, on_deadline, t);
		return;
	}
	t->wake = WAKE_TIMEOUT;
	queue(t, TASK_WAKING);
}

static void park(struct task *t, int64_t deadline_us)
{
	struct loop *l = t->loop;
	struct task_set *s = &l->tasks;

	t->deadline_us = deadline_us;
	if (deadline_us != NEVER_US && (!timer_is_set(&t->timer) || t->timer.at_us > deadline_us))
		timer_set(l, &t->timer, deadline_us, on_deadline, t);
	t->parked_us = l->now_us;
	link_remove(&t->link);
	link_append(&s->recent, &t->link);
	if (!timer_is_set(&s->sweep))
		timer_set(l, &s->sweep, l->now_us + s->rest_us, sweep, l);
	t->state = TASK_PARKED;
	leave(t);
}

enum wake task_park(int64_t deadline_us)
{
	struct task *t = current;

	assert(t);
	if (t->cancelled)
		return WAKE_CANCELLED;
	if (t->woken) {
		t->woken = false;
		return WAKE_READY;
	}
	if (deadline_us <= t->loop->now_us)
		return WAKE_TIMEOUT;
	park(t, deadline_us);
	return t->cancelled ? WAKE_CANCELLED : t->wake;
}

void task_park_until(const bool *done)
{
	struct task *t = current;

	assert(t);
	t->firm = true;
	while (!*done)
		park(t, NEVER_US);
	t->firm = false;
}

enum wake task_sleep_until(int64_t at_us)
{
	enum wake wake;

	do
		wake = task_park(at_us);
	while (wake == WAKE_READY);
	return wake;
}

void task_yield(void)
{
	assert(current);
	queue(current, TASK_QUEUED);
	leave(current);
}

void task_wake(struct task *t)
{
	switch (t->state) {
	case TASK_PARKED:
		t->wake = WAKE_READY;
		queue(t, TASK_WAKING);
		break;
	case TASK_WAKING:
		t->wake = WAKE_READY;
		break;
	default:
		t->woken = true;
	}
}

void task_cancel(struct task *t)
{
	t->cancelled = true;
	if (t->state == TASK_PARKED && !t->firm)
		task_wake(t);
}

void task_cancel_all(struct loop *l)
{
	struct task_link *heads[] = {&l->tasks.recent, &l->tasks.rested};

	for (int i = 0; i < 2; i++)
		for (struct task_link *k = heads[i]->next; k != heads[i]; k = k->next)
			task_cancel(task_of(k));
}

/* ---- For tests and start-up ---- */

void task_guard_by_mprotect(struct loop *l)
{
	l->tasks.stacks.by_mprotect = true;
}

void task_measure_stacks(struct loop *l)
{
	l->tasks.stacks.measured = true;
}

size_t task_stack_high_water(struct loop *l)
{
	struct task_set *s = &l->tasks;
	struct task_link *heads[] = {&s->recent, &s->rested};

	for (int i = 0; i < 2; i++)
		for (struct task_link *k = heads[i]->next; k != heads[i]; k = k->next)
			stack_measure(&s->stacks, task_of(k)->stack);
	return s->stacks.high_water;
}
