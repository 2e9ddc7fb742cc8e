/* Tasks: spawning, waiting, waking, cancelling, and their stacks. */
#include "worker/io/stack.h"
#include "worker/io/task.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define MS INT64_C(1000)

static struct loop *loop;
static int done;

static void setup(void)
{
	loop = loop_new();
	ck_assert_ptr_nonnull(loop);
	done = 0;
}

static void teardown(void)
{
	loop_free(loop);
}

/* Ends the loop when the last task has ended. */
static void stop_if_last(void)
{
	if (task_count(loop) == 1)
		loop_stop(loop);
}

static void stop_on_timer(void *arg)
{
	(void)arg;
	loop_stop(loop);
}

static void run_for(int64_t us)
{
	struct timer t = {0};

	timer_set(loop, &t, loop_now_us(loop) + us, stop_on_timer, NULL);
	loop_run(loop);
}

/* ---- Many ---- */

static void sleeper(void *arg)
{
	const int64_t at = loop_now_us(loop) + *(int64_t *)arg;
	char local[64];

	memset(local, (int)(at & 0xff), sizeof(local));
	ck_assert_int_eq(task_sleep_until(at), WAKE_TIMEOUT);
	ck_assert_int_ge(loop_now_us(loop), at);
	for (size_t i = 0; i < sizeof(local); i++)
		ck_assert_int_eq((unsigned char)local[i], at & 0xff);
	done++;
	stop_if_last();
}

START_TEST(ten_thousand_sleep_and_wake)
{
	static int64_t delays[10000];

	for (int i = 0; i < 10000; i++) {
		delays[i] = (i * 7919) % 50000;
		ck_assert(task_spawn(loop, sleeper, &delays[i]));
	}
	ck_assert_uint_eq(task_count(loop), 10000);
	ck_assert_int_eq(done, 0);
	loop_run(loop);
	ck_assert_int_eq(done, 10000);
	ck_assert_uint_eq(task_count(loop), 0);
}
END_TEST

START_TEST(ten_thousand_with_mprotect_guards)
{
	static int64_t delay = 1;

	task_guard_by_mprotect(loop);
	for (int i = 0; i < 10000; i++)
		ck_assert(task_spawn(loop, sleeper, &delay));
	loop_run(loop);
	ck_assert_int_eq(done, 10000);
}
END_TEST

/* ---- Waking ---- */

static struct task *peer;
static char order[64];

static void note(const char *s)
{
	strcat(order, s);
}

static void waits_for_peer(void *arg)
{
	(void)arg;
	peer = task_current();
	note("a");
	ck_assert_int_eq(task_park(NEVER_US), WAKE_READY);
	note("c");
	stop_if_last();
}

static void wakes_peer(void *arg)
{
	(void)arg;
	task_wake(peer);
	task_wake(peer);
	note("b"); /* the peer doesn't run nested */
	task_yield();
	note("d");
	stop_if_last();
}

START_TEST(a_wake_runs_from_the_loop)
{
	order[0] = '\0';
	ck_assert(task_spawn(loop, waits_for_peer, NULL));
	ck_assert(task_spawn(loop, wakes_peer, NULL));
	loop_run(loop);
	ck_assert_str_eq(order, "abcd");
}
END_TEST

static void woken_before(void *arg)
{
	const int64_t soon = loop_now_us(loop) + 10 * MS;

	(void)arg;
	task_wake(task_current());
	task_wake(task_current());
	ck_assert_int_eq(task_park(NEVER_US), WAKE_READY);
	ck_assert_int_eq(task_park(soon), WAKE_TIMEOUT); /* two wakes were one */
	ck_assert_int_eq(task_park(soon), WAKE_TIMEOUT); /* passed already: at once */
	done++;
	loop_stop(loop);
}

START_TEST(a_wake_before_the_park_is_remembered)
{
	ck_assert(task_spawn(loop, woken_before, NULL));
	loop_run(loop);
	ck_assert_int_eq(done, 1);
}
END_TEST

/* A short wait after a long one and the other way round: the timer is reused, the deadlines hold.
 */
static void mixed_deadlines(void *arg)
{
	(void)arg;
	for (int i = 0; i < 5; i++) {
		const int64_t start = loop_now_us(loop);

		task_wake(task_current());
		ck_assert_int_eq(task_park(start + 1000 * MS), WAKE_READY);
		ck_assert_int_eq(task_park(start + 5 * MS), WAKE_TIMEOUT);
		task_wake(task_current());
		ck_assert_int_eq(task_park(start + 6 * MS), WAKE_READY);
		ck_assert_int_eq(task_park(start + 20 * MS), WAKE_TIMEOUT);
		ck_assert_int_ge(loop_now_us(loop), start + 20 * MS);
	}
	done++;
	loop_stop(loop);
}

START_TEST(deadlines_hold_whatever_came_before)
{
	ck_assert(task_spawn(loop, mixed_deadlines, NULL));
	loop_run(loop);
	ck_assert_int_eq(done, 1);
}
END_TEST

/* The deadline of a wait that was woken must not end the next one. */
static void waits_twice(void *arg)
{
	const int64_t start = loop_now_us(loop);

	(void)arg;
	peer = task_current();
	ck_assert_int_eq(task_park(start + 300 * MS), WAKE_READY);
	ck_assert_int_eq(task_park(start + 400 * MS), WAKE_TIMEOUT);
	ck_assert_int_ge(loop_now_us(loop), start + 400 * MS);
	ck_assert_int_eq(task_park(NEVER_US), WAKE_READY);
	done++;
	loop_stop(loop);
}

static void wakes_waiter(void *arg)
{
	(void)arg;
	task_yield();
	task_wake(peer);
	task_sleep_until(loop_now_us(loop) + 500 * MS);
	task_wake(peer);
}

START_TEST(an_old_deadline_does_not_end_a_later_wait)
{
	ck_assert(task_spawn(loop, waits_twice, NULL));
	ck_assert(task_spawn(loop, wakes_waiter, NULL));
	loop_run(loop);
	ck_assert_int_eq(done, 1);
}
END_TEST

/* ---- Cancelling ---- */

static bool job_done;

static void cancelled_everywhere(void *arg)
{
	(void)arg;
	peer = task_current();
	ck_assert_int_eq(task_park(NEVER_US), WAKE_CANCELLED);
	ck_assert_int_eq(task_park(NEVER_US), WAKE_CANCELLED);
	ck_assert_int_eq(task_sleep_until(loop_now_us(loop) + 1000 * MS), WAKE_CANCELLED);
	ck_assert(task_is_cancelled(task_current()));
	done++;
	task_park_until(&job_done); /* waits all the same */
	ck_assert(job_done);
	done++;
	loop_stop(loop);
}

static void finish_job(void *arg)
{
	(void)arg;
	ck_assert_int_eq(done, 1);
	task_cancel(peer); /* again: must not end the wait that can't be called off */
	task_yield();
	ck_assert_int_eq(done, 1);
	task_wake(peer);
	task_yield();
	ck_assert_int_eq(done, 1);
	job_done = true;
	task_wake(peer);
}

static void canceller(void *arg)
{
	(void)arg;
	task_cancel(peer);
	task_yield();
	ck_assert(task_spawn(loop, finish_job, NULL));
}

START_TEST(a_cancelled_task_waits_no_more)
{
	job_done = false;
	ck_assert(task_spawn(loop, cancelled_everywhere, NULL));
	ck_assert(task_spawn(loop, canceller, NULL));
	loop_run(loop);
	ck_assert_int_eq(done, 2);
}
END_TEST

static void parks_for_ever(void *arg)
{
	(void)arg;
	ck_assert_int_eq(task_park(NEVER_US), WAKE_CANCELLED);
	done++;
	stop_if_last();
}

START_TEST(all_can_be_cancelled)
{
	for (int i = 0; i < 100; i++)
		ck_assert(task_spawn(loop, parks_for_ever, NULL));
	task_set_rest_us(loop, 5 * MS);
	run_for(30 * MS); /* some of them rest by now */
	for (int i = 0; i < 3; i++)
		ck_assert(task_spawn(loop, parks_for_ever, NULL));
	task_cancel_all(loop);
	loop_run(loop);
	ck_assert_int_eq(done, 103);
	ck_assert_uint_eq(task_count(loop), 0);
}
END_TEST

/* ---- Memory ---- */

START_TEST(no_memory_starts_nothing)
{
	struct rlimit was, now;
	int started = 0;

#ifdef GATEPOST_SANITIZED
	return; /* the sanitizer's own mappings are over any such limit */
#endif
	ck_assert_int_eq(getrlimit(RLIMIT_AS, &was), 0);
	now = was;
	now.rlim_cur = 256 * 1024 * 1024;
	ck_assert_int_eq(setrlimit(RLIMIT_AS, &now), 0);
	while (started < 100000 && task_spawn(loop, parks_for_ever, NULL))
		started++;
	ck_assert_int_lt(started, 100000);
	ck_assert_int_gt(started, 100);
	ck_assert_uint_eq(task_count(loop), (size_t)started);
	setrlimit(RLIMIT_AS, &was);
	task_cancel_all(loop);
	loop_run(loop);
	ck_assert_int_eq(done, started);
}
END_TEST

/* ---- Stacks ---- */

static __attribute__((noinline)) size_t deep(size_t bytes)
{
	volatile char local[1024];

	local[0] = (char)bytes;
	return bytes <= sizeof(local) ? (size_t)local[0]
				      : deep(bytes - sizeof(local)) + (size_t)local[0];
}

static void uses_stack(void *arg)
{
	deep(*(size_t *)arg);
	task_park(NEVER_US);
	stop_if_last();
}

START_TEST(high_water_is_the_deepest_use)
{
	size_t depth[] = {1024, 20 * 1024, 4096};

	task_measure_stacks(loop);
	for (int i = 0; i < 3; i++)
		ck_assert(task_spawn(loop, uses_stack, &depth[i]));
	run_for(1 * MS);
	ck_assert_uint_ge(task_stack_high_water(loop), 20 * 1024);
	ck_assert_uint_le(task_stack_high_water(loop), TASK_STACK_BYTES * 3 / 4);
	task_cancel_all(loop);
	loop_run(loop);
}
END_TEST

static size_t resident_pages(void)
{
	size_t size = 0, pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(fscanf(f, "%zu %zu", &size, &pages), 2);
	fclose(f);
	return pages;
}

START_TEST(a_long_wait_gives_pages_back)
{
	size_t depth = 40 * 1024;

	task_set_rest_us(loop, 50 * MS);
	for (int i = 0; i < 200; i++)
		ck_assert(task_spawn(loop, uses_stack, &depth));
	run_for(1);
	const size_t before = resident_pages();
	run_for(300 * MS);
	const size_t after = resident_pages();

	ck_assert_uint_ge(before, after + 200 * 8);
	task_cancel_all(loop);
	loop_run(loop);
}
END_TEST

static void overflows(void *arg)
{
	struct rlimit none = {0, 0};

	(void)arg;
	setrlimit(RLIMIT_CORE, &none);
	signal(SIGSEGV, SIG_DFL);
	deep(TASK_STACK_BYTES + 1024);
}

static void sleeps_below(void *arg)
{
	(void)arg;
	task_park(NEVER_US);
}

/* The task's stack has neighbours on both sides; the guard must end it all the same. */
static int status_of_overflow(bool by_mprotect)
{
	int status;
	const pid_t pid = fork();

	if (pid == 0) {
		struct loop *l = loop_new();

		if (by_mprotect)
			task_guard_by_mprotect(l);
		if (!task_spawn(l, sleeps_below, NULL) || !task_spawn(l, overflows, NULL))
			_exit(3);
		loop_run(l);
		_exit(4);
	}
	ck_assert_int_gt(pid, 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status;
}

START_TEST(an_overflow_hits_the_guard)
{
	const int status = status_of_overflow(_i);

	ck_assert_msg(WIFSIGNALED(status), "status %d", status);
	ck_assert_int_eq(WTERMSIG(status), SIGSEGV);
}
END_TEST

#ifdef GATEPOST_SANITIZED
static volatile int past_end = 32;

static void writes_past_its_local(void *arg)
{
	char local[32];
	volatile char *p = local;

	(void)arg;
	task_yield();
	task_sleep_until(loop_now_us(loop) + 1 * MS);
	close(STDERR_FILENO); /* the report is expected */
	p[past_end] = 1;
	_exit(0);
}

START_TEST(the_sanitizer_sees_an_overflow_after_a_wait)
{
	ck_assert(task_spawn(loop, writes_past_its_local, NULL));
	loop_run(loop);
}
END_TEST
#endif

/* Stacks are used again, and hold nothing that a sanitizer could take for live frames. */
static void spawns_next(void *arg)
{
	int *left = arg;
	char local[2000];

	memset(local, 0x55, sizeof(local));
	ck_assert_int_eq(local[1999], 0x55);
	task_yield();
	if (--*left > 0)
		ck_assert(task_spawn(loop, spawns_next, left));
	else
		loop_stop(loop);
}

START_TEST(stacks_are_used_again)
{
	int left = 5000;

	ck_assert(task_spawn(loop, spawns_next, &left));
	run_for(10000 * MS);
	ck_assert_int_eq(left, 0);
	ck_assert_uint_eq(task_count(loop), 0);
}
END_TEST

/* More than are kept warm: some of the next crowd's stacks have given their pages back. */
enum { CROWD = STACKS_WARM + 300 };

static void marks(void *arg)
{
	ck_assert(!task_is_cancelled(task_current()));
	task_yield();
	++*(int *)arg;
	stop_if_last();
	if (*(int *)arg % 2)
		task_cancel(task_current());
}

START_TEST(crowds_follow_one_another)
{
	static int ran[CROWD];

	memset(ran, 0, sizeof(ran));
	for (int crowd = 1; crowd <= 3; crowd++) {
		for (int i = 0; i < CROWD; i++)
			ck_assert(task_spawn(loop, marks, &ran[i]));
		run_for(10000 * MS);
		ck_assert_uint_eq(task_count(loop), 0);
		for (int i = 0; i < CROWD; i++)
			ck_assert_int_eq(ran[i], crowd);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("task");
	TCase *t = tcase_create("tasks");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, ten_thousand_sleep_and_wake);
	tcase_add_test(t, ten_thousand_with_mprotect_guards);
	tcase_add_test(t, a_wake_runs_from_the_loop);
	tcase_add_test(t, a_wake_before_the_park_is_remembered);
	tcase_add_test(t, deadlines_hold_whatever_came_before);
	tcase_add_test(t, an_old_deadline_does_not_end_a_later_wait);
	tcase_add_test(t, a_cancelled_task_waits_no_more);
	tcase_add_test(t, all_can_be_cancelled);
	tcase_add_test(t, no_memory_starts_nothing);
	tcase_add_test(t, high_water_is_the_deepest_use);
	tcase_add_test(t, a_long_wait_gives_pages_back);
	tcase_add_loop_test(t, an_overflow_hits_the_guard, 0, 2);
#ifdef GATEPOST_SANITIZED
	tcase_add_exit_test(t, the_sanitizer_sees_an_overflow_after_a_wait, 1);
#endif
	tcase_add_test(t, stacks_are_used_again);
	tcase_add_test(t, crowds_follow_one_another);
	suite_add_tcase(s, t);

	SRunner *sr = srunner_create(s);

	srunner_run_all(sr, CK_NORMAL);
	const int failed = srunner_ntests_failed(sr);

	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
