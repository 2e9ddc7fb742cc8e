/* The event loop: timers, watches, descriptors with callbacks, and events of things that are gone.
 */
#include "worker/io/loop.h"

#include "worker/io/task.h"

#include <check.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
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

static void stop(void *arg)
{
	(void)arg;
	loop_stop(loop);
}

static void run_for(int64_t us)
{
	struct timer t = {0};

	timer_set(loop, &t, loop_now_us(loop) + us, stop, NULL);
	loop_run(loop);
}

/* ---- Timers ---- */

#define TIMERS 2000
static struct numbered {
	struct timer timer;
	int fired;
} timers[TIMERS];
static int64_t last_us;

static void in_order(void *arg)
{
	struct numbered *n = arg;

	ck_assert_int_ge(n->timer.at_us, last_us);
	ck_assert_int_le(n->timer.at_us, loop_now_us(loop));
	last_us = n->timer.at_us;
	n->fired++;
	done++;
}

/* Set, moved and cleared at random: those that are set fire once each, in the order of their times.
 */
START_TEST(timers_fire_in_order)
{
	const int64_t base = loop_now_us(loop);
	int expected = 0;

	srand(7);
	last_us = 0;
	for (int i = 0; i < TIMERS; i++)
		timer_set(loop, &timers[i].timer, base + rand() % 20000, in_order, &timers[i]);
	for (int i = 0; i < 3 * TIMERS; i++) {
		struct numbered *n = &timers[rand() % TIMERS];

		if (rand() % 3 == 0)
			timer_clear(loop, &n->timer);
		else
			timer_set(loop, &n->timer, base + rand() % 20000, in_order, n);
	}
	for (int i = 0; i < TIMERS; i++)
		expected += timer_is_set(&timers[i].timer);
	ck_assert_int_gt(expected, TIMERS / 4);
	run_for(40 * MS);
	ck_assert_int_eq(done, expected);
	for (int i = 0; i < TIMERS; i++) {
		ck_assert_int_le(timers[i].fired, 1);
		ck_assert(!timer_is_set(&timers[i].timer));
	}
}
END_TEST

static struct timer again, other;

static void sets_itself_into_the_past(void *arg)
{
	(void)arg;
	done++;
	timer_set(loop, &again, loop_now_us(loop) - 1, sets_itself_into_the_past, NULL);
}

START_TEST(a_timer_in_the_past_does_not_hold_the_loop)
{
	timer_set(loop, &again, 0, sets_itself_into_the_past, NULL);
	run_for(5 * MS);
	ck_assert_int_gt(done, 0);
}
END_TEST

static void clears_other(void *arg)
{
	(void)arg;
	done++;
	timer_clear(loop, &again);
	timer_clear(loop, &other);
}

START_TEST(a_timer_may_clear_one_that_is_due_too)
{
	timer_set(loop, &again, 5, clears_other, NULL);
	timer_set(loop, &other, 5, clears_other, NULL);
	run_for(1 * MS);
	ck_assert_int_eq(done, 1);
}
END_TEST

START_TEST(time_passes_only_between_rounds)
{
	const int64_t before = loop_now_us(loop);

	usleep(3000);
	ck_assert_int_eq(loop_now_us(loop), before);
	run_for(1);
	ck_assert_int_ge(loop_now_us(loop), before + 3000);
}
END_TEST

/* ---- Watches ---- */

static struct watch watches[2];
static int pair[2];

static void make_pair(void)
{
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair),
			 0);
}

static void waits_for_byte(void *arg)
{
	char c;

	(void)arg;
	ck_assert(!watches[0].readable);
	ck_assert_int_eq(watch_wait_readable(&watches[0], NEVER_US), WAKE_READY);
	ck_assert_int_eq(watch_wait_readable(&watches[0], 0), WAKE_READY); /* remembered */
	ck_assert_int_eq(read(pair[0], &c, 1), 1);
	ck_assert_int_lt(read(pair[0], &c, 1), 0);
	watch_spent_readable(&watches[0]);
	ck_assert_int_eq(watch_wait_readable(&watches[0], loop_now_us(loop) + 5 * MS),
			 WAKE_TIMEOUT);
	ck_assert_int_eq(watch_wait_writable(&watches[0], 0), WAKE_READY);
	done++;
	ck_assert_int_eq(watch_wait_readable(&watches[0], NEVER_US), WAKE_READY);
	ck_assert(watches[0].hangup);
	watch_short_read(&watches[0]);
	ck_assert(watches[0].readable); /* its end is not forgotten */
	watch_remove(&watches[0]);
	watch_remove(&watches[0]);
	loop_stop(loop);
}

static void sends_byte(void *arg)
{
	(void)arg;
	task_sleep_until(loop_now_us(loop) + 2 * MS);
	ck_assert_int_eq(write(pair[1], "x", 1), 1);
	task_sleep_until(loop_now_us(loop) + 30 * MS);
	ck_assert_int_eq(done, 1);
	close(pair[1]);
}

START_TEST(readiness_is_waited_for_and_remembered)
{
	make_pair();
	ck_assert(watch_add(loop, &watches[0], pair[0]));
	ck_assert(task_spawn(loop, waits_for_byte, NULL));
	ck_assert(task_spawn(loop, sends_byte, NULL));
	loop_run(loop);
	close(pair[0]);
}
END_TEST

static void waits_until_writable(void *arg)
{
	static char block[65536];
	size_t sent = 0;
	ssize_t n;

	(void)arg;
	while ((n = write(pair[0], block, sizeof(block))) > 0)
		sent += (size_t)n;
	watch_spent_writable(&watches[0]);
	ck_assert_int_eq(watch_wait_writable(&watches[0], loop_now_us(loop) + 5 * MS),
			 WAKE_TIMEOUT);
	while (sent > 0 && (n = read(pair[1], block, sizeof(block))) > 0)
		sent -= (size_t)n;
	ck_assert_int_eq(watch_wait_writable(&watches[0], NEVER_US), WAKE_READY);
	watch_remove(&watches[0]);
	loop_stop(loop);
}

START_TEST(a_full_socket_is_waited_for)
{
	make_pair();
	ck_assert(watch_add(loop, &watches[0], pair[0]));
	ck_assert(task_spawn(loop, waits_until_writable, NULL));
	loop_run(loop);
	close(pair[0]);
	close(pair[1]);
}
END_TEST

/* Other wakes don't end the wait for a descriptor, and cancelling does. */
static struct task *waiter;

static void waits_for_nothing(void *arg)
{
	(void)arg;
	waiter = task_current();
	ck_assert_int_eq(watch_wait_readable(&watches[0], NEVER_US), WAKE_CANCELLED);
	watches[0].readable = true;
	ck_assert_int_eq(watch_wait_readable(&watches[0], NEVER_US), WAKE_CANCELLED);
	watch_remove(&watches[0]);
	done++;
	loop_stop(loop);
}

static void disturbs(void *arg)
{
	(void)arg;
	task_wake(waiter);
	task_yield();
	task_wake(waiter);
	task_yield();
	ck_assert_int_eq(done, 0);
	task_cancel(waiter);
}

START_TEST(only_readiness_or_cancelling_ends_a_wait)
{
	make_pair();
	ck_assert(watch_add(loop, &watches[0], pair[0]));
	ck_assert(task_spawn(loop, waits_for_nothing, NULL));
	ck_assert(task_spawn(loop, disturbs, NULL));
	loop_run(loop);
	ck_assert_int_eq(done, 1);
	close(pair[0]);
	close(pair[1]);
}
END_TEST

/* Two connections get events in one batch; the first to run frees the other one's watch. */
static struct watch *freed_in_batch;

static void frees_the_other(void *arg)
{
	struct watch *mine = arg;

	ck_assert_int_eq(watch_wait_readable(mine, NEVER_US), WAKE_READY);
	done++;
	if (freed_in_batch) {
		watch_remove(freed_in_batch);
		free(freed_in_batch);
		freed_in_batch = NULL;
	}
	watch_remove(mine);
	loop_stop(loop);
}

START_TEST(an_event_of_a_freed_watch_is_harmless)
{
	int second[2];
	struct watch *mine = calloc(1, sizeof(*mine));

	make_pair();
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, second), 0);
	freed_in_batch = calloc(1, sizeof(*freed_in_batch));
	ck_assert(watch_add(loop, mine, pair[0]));
	ck_assert(watch_add(loop, freed_in_batch, second[0]));
	ck_assert(task_spawn(loop, frees_the_other, mine));
	ck_assert_int_eq(write(pair[1], "x", 1), 1);
	ck_assert_int_eq(write(second[1], "x", 1), 1);
	loop_run(loop);
	run_for(1);
	ck_assert_int_eq(done, 1);
	free(mine);
	close(pair[0]);
	close(pair[1]);
	close(second[0]);
	close(second[1]);
}
END_TEST

/* ---- Descriptors with callbacks ---- */

static struct fd_event *events[3];
static int fds[3];

static void removes_all_others(void *arg, uint32_t what)
{
	struct fd_event *mine = arg;

	ck_assert_uint_eq(what, EPOLLIN);
	done++;
	for (int i = 0; i < 3; i++) {
		if (events[i] == mine || !events[i])
			continue;
		loop_fd_remove(events[i]);
		free(events[i]);
		events[i] = NULL;
	}
	if (done == 3) { /* level-triggered: nobody has read it */
		loop_fd_remove(mine);
		free(mine);
		loop_stop(loop);
	}
}

START_TEST(a_callback_may_remove_others_that_are_due)
{
	for (int i = 0; i < 3; i++) {
		fds[i] = eventfd(1, EFD_NONBLOCK);
		events[i] = calloc(1, sizeof(*events[i]));
		ck_assert(
		    loop_fd_add(loop, events[i], fds[i], EPOLLIN, removes_all_others, events[i]));
	}
	loop_run(loop);
	ck_assert_int_eq(done, 3);
	for (int i = 0; i < 3; i++)
		close(fds[i]);
}
END_TEST

static struct fd_event modified;

static void counts(void *arg, uint32_t what)
{
	(void)arg;
	(void)what;
	done++;
}

START_TEST(interest_can_be_changed)
{
	const int fd = eventfd(1, EFD_NONBLOCK);

	ck_assert(loop_fd_add(loop, &modified, fd, 0, counts, NULL));
	run_for(2 * MS);
	ck_assert_int_eq(done, 0);
	ck_assert(loop_fd_modify(&modified, EPOLLIN));
	run_for(2 * MS);
	ck_assert_int_gt(done, 0);
	loop_fd_remove(&modified);
	loop_fd_remove(&modified);
	done = 0;
	run_for(2 * MS);
	ck_assert_int_eq(done, 0);
	ck_assert(!loop_fd_add(loop, &modified, -1, EPOLLIN, counts, NULL));
	ck_assert(!watch_add(loop, &watches[0], -1));
	watch_remove(&watches[0]);
	close(fd);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("loop");
	TCase *t = tcase_create("loop");

	tcase_set_timeout(t, 30);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, timers_fire_in_order);
	tcase_add_test(t, a_timer_in_the_past_does_not_hold_the_loop);
	tcase_add_test(t, a_timer_may_clear_one_that_is_due_too);
	tcase_add_test(t, time_passes_only_between_rounds);
	tcase_add_test(t, readiness_is_waited_for_and_remembered);
	tcase_add_test(t, a_full_socket_is_waited_for);
	tcase_add_test(t, only_readiness_or_cancelling_ends_a_wait);
	tcase_add_test(t, an_event_of_a_freed_watch_is_harmless);
	tcase_add_test(t, a_callback_may_remove_others_that_are_due);
	tcase_add_test(t, interest_can_be_changed);
	suite_add_tcase(s, t);

	SRunner *sr = srunner_create(s);

	srunner_run_all(sr, CK_NORMAL);
	const int failed = srunner_ntests_failed(sr);

	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
