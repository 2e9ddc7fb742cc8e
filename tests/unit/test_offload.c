/* Jobs in threads: done in order, waited for, called off before they begin and never after. */
#include "worker/io/offload.h"

#include "worker/io/task.h"

#include <check.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define MS INT64_C(1000)

static struct loop *loop;
static struct offload *offload;
static pthread_t main_thread;
static sem_t gate; /* holds the thread up */
static int done;

static void start(unsigned threads)
{
	loop = loop_new();
	ck_assert_ptr_nonnull(loop);
	offload = offload_new(loop, threads);
	ck_assert_ptr_nonnull(offload);
	main_thread = pthread_self();
	sem_init(&gate, 0, 0);
	done = 0;
}

static void teardown(void)
{
	offload_free(offload);
	loop_free(loop);
	sem_destroy(&gate);
}

static void stop_if_last(void)
{
	if (task_count(loop) == 1)
		loop_stop(loop);
}

static void add_one(void *arg)
{
	ck_assert(!pthread_equal(pthread_self(), main_thread));
	usleep(100);
	++*(int *)arg;
}

static void runs_jobs(void *arg)
{
	int sum = 0; /* the thread writes to our stack */

	(void)arg;
	for (int i = 0; i < 5; i++) {
		offload_run(offload, add_one, &sum);
		ck_assert_int_eq(sum, i + 1);
	}
	done++;
	stop_if_last();
}

START_TEST(more_jobs_than_threads)
{
	start(3);
	for (int i = 0; i < 200; i++)
		ck_assert(task_spawn(loop, runs_jobs, NULL));
	loop_run(loop);
	ck_assert_int_eq(done, 200);
	ck_assert_uint_eq(offload_waiting(offload), 0);
}
END_TEST

static char order[8];
static int ordered;

static void append(void *arg)
{
	order[ordered++] = *(const char *)arg;
}

static void appends(void *arg)
{
	offload_run(offload, append, arg);
	stop_if_last();
}

START_TEST(jobs_run_in_their_order)
{
	static char names[] = "abcdef";

	start(1);
	ordered = 0;
	for (int i = 0; i < 6; i++)
		ck_assert(task_spawn(loop, appends, &names[i]));
	loop_run(loop);
	ck_assert_mem_eq(order, "abcdef", 6);
}
END_TEST

static void waits_at_gate(void *arg)
{
	*(bool *)arg = true;
	sem_wait(&gate);
}

static struct task *victim;
static bool begun, never;

static void is_cancelled_while_running(void *arg)
{
	(void)arg;
	victim = task_current();
	begun = false;
	ck_assert_int_eq(
	    offload_run_before(offload, waits_at_gate, &begun, loop_now_us(loop) + 5 * MS),
	    WAKE_READY);
	ck_assert(begun);
	ck_assert(task_is_cancelled(victim));
	/* A cancelled task can still clean up, but begins nothing that may be called off. */
	int sum = 0;
	offload_run(offload, add_one, &sum);
	ck_assert_int_eq(sum, 1);
	ck_assert_int_eq(offload_run_before(offload, add_one, &sum, NEVER_US), WAKE_CANCELLED);
	done++;
	stop_if_last();
}

static void times_out_in_queue(void *arg)
{
	(void)arg;
	task_sleep_until(loop_now_us(loop) + 5 * MS); /* the thread is at the gate */
	ck_assert_int_eq(
	    offload_run_before(offload, waits_at_gate, &never, loop_now_us(loop) + 10 * MS),
	    WAKE_TIMEOUT);
	ck_assert_int_eq(done, 0);
	task_cancel(victim);
	task_sleep_until(loop_now_us(loop) + 5 * MS);
	ck_assert_int_eq(done, 0); /* its job can't be called off */
	sem_post(&gate);
	done++;
	stop_if_last();
}

START_TEST(only_what_has_not_begun_is_called_off)
{
	start(1);
	never = false;
	ck_assert(task_spawn(loop, is_cancelled_while_running, NULL));
	ck_assert(task_spawn(loop, times_out_in_queue, NULL));
	loop_run(loop);
	ck_assert_int_eq(done, 2);
	ck_assert(!never);
}
END_TEST

static void blocks_signals(void *arg)
{
	sigset_t set;

	pthread_sigmask(SIG_BLOCK, NULL, &set);
	*(bool *)arg = sigismember(&set, SIGTERM) == 1 && sigismember(&set, SIGCHLD) == 1;
}

static void asks_for_mask(void *arg)
{
	(void)arg;
	bool blocked = false;
	sigset_t mine;

	offload_run(offload, blocks_signals, &blocked);
	ck_assert(blocked);
	pthread_sigmask(SIG_BLOCK, NULL, &mine);
	ck_assert_int_eq(sigismember(&mine, SIGTERM), 0);
	stop_if_last();
}

START_TEST(threads_take_no_signals)
{
	start(2);
	ck_assert(task_spawn(loop, asks_for_mask, NULL));
	loop_run(loop);
}
END_TEST

static void note_thread(void *arg)
{
	*(bool *)arg = pthread_equal(pthread_self(), main_thread);
}

START_TEST(outside_of_tasks_it_runs_here)
{
	bool here = false;

	start(1);
	offload_run(offload, note_thread, &here);
	ck_assert(here);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("offload");
	TCase *t = tcase_create("offload");

	tcase_set_timeout(t, 30);
	tcase_add_checked_fixture(t, NULL, teardown);
	tcase_add_test(t, more_jobs_than_threads);
	tcase_add_test(t, jobs_run_in_their_order);
	tcase_add_test(t, only_what_has_not_begun_is_called_off);
	tcase_add_test(t, threads_take_no_signals);
	tcase_add_test(t, outside_of_tasks_it_runs_here);
	suite_add_tcase(s, t);

	SRunner *sr = srunner_create(s);

	srunner_run_all(sr, CK_NORMAL);
	const int failed = srunner_ntests_failed(sr);

	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
