/* Asking real inspectors: rounds, bounds, turns, deaths. */
#include "shm/base/clock.h"
#include "tests/unit/inspect_fixture.h"
#include "worker/io/task.h"

#include <check.h>

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static struct inspect_fixture f;

static void tear_down(void)
{
	inspect_fixture_stop(&f);
}

static void fill_zone(void)
{
	zone_txt(&f.zone, "good.test", "v=spf1 ip4:192.0.2.1 -all");
	zone_txt(&f.zone, "deep.test", "v=spf1 include:a.test include:b.test mx -all");
	zone_txt(&f.zone, "a.test", "v=spf1 include:c.test ~all");
	zone_txt(&f.zone, "b.test", "v=spf1 ip4:198.51.100.7 ~all");
	zone_txt(&f.zone, "c.test", "v=spf1 ip4:203.0.113.1 ~all");
	zone_add(&f.zone, "deep.test", DNS_MX, 10, "mx.deep.test", 12);
	zone_add(&f.zone, "mx.deep.test", DNS_A, 0, "192.0.2.9", 9);
}

static void set_up(void)
{
	inspect_fixture_start(&f, 2);
	fill_zone();
}

static void set_up_alone(void)
{
	inspect_fixture_start(&f, 0);
	fill_zone();
}

START_TEST(one_round_for_each_depth)
{
	struct spf_result r;
	struct inspect_outcome o =
	    inspect_fixture_ask_spf(&f, "192.0.2.1", "x.test", "a@good.test", &r);

	ck_assert_int_eq(o.result, INSPECT_ANSWERED);
	ck_assert_int_eq(r.code, SPF_PASS);
	ck_assert_uint_eq(o.rounds, 2);
	ck_assert_uint_eq(o.queries, 1);
	/* The record; its three terms at once; what the first include includes; the mx's address.
	 */
	o = inspect_fixture_ask_spf(&f, "192.0.2.9", "x.test", "a@deep.test", &r);
	ck_assert_int_eq(r.code, SPF_PASS);
	ck_assert_uint_eq(o.rounds, 5);
	ck_assert_uint_eq(o.queries, 6);
}
END_TEST

/* ---- Bounds */

struct bounded {
	unsigned queries_max, rounds_max;
	struct inspect_outcome out;
};

static void resolve(void *self, struct inspect_query *queries, size_t n, struct arena *a,
		    int64_t deadline_us)
{
	(void)self;
	(void)deadline_us;
	for (size_t i = 0; i < n; i++)
		zone_ask(&f.zone, queries[i].name, queries[i].type, a, &queries[i].answer);
}

static void ask_bounded(void *arg)
{
	struct bounded *b = arg;
	char bytes[1024];
	struct buf body = buf_over(bytes, sizeof(bytes));
	struct spf_question q = {
	    .helo = LIT("x.test"), .domain = LIT("deep.test"), .receiver = LIT("mx1.test")};

	ck_assert(ip_parse(LIT("192.0.2.9"), &q.client) && spf_question_put(&body, &q));
	b->out = inspect_ask(
	    f.inspect,
	    &(struct inspect_request){.type = QUESTION_SPF,
				      .body = buf_view(&body),
				      .message_fd = -1,
				      .deadline_us = loop_now_us(f.loop) + 10 * SECOND_US,
				      .look_up = resolve,
				      .queries_max = b->queries_max,
				      .rounds_max = b->rounds_max},
	    &f.arena);
	loop_stop(f.loop);
}

static void run_bounded(struct bounded *b)
{
	ck_assert(task_spawn(f.loop, ask_bounded, b));
	loop_run(f.loop);
}

START_TEST(rounds_and_queries_are_bounded)
{
	struct bounded b = {.queries_max = 3};

	run_bounded(&b);
	ck_assert_int_eq(b.out.result, INSPECT_TOO_MUCH);
	b = (struct bounded){.rounds_max = 3};
	run_bounded(&b);
	ck_assert_int_eq(b.out.result, INSPECT_TOO_MUCH);
	ck_assert_uint_eq(b.out.rounds, 3);
	b = (struct bounded){0};
	run_bounded(&b);
	ck_assert_int_eq(b.out.result, INSPECT_ANSWERED);
	ck_assert_uint_eq(b.out.known_count, 6);
	ck_assert_uint_eq(inspect_outstanding(f.inspect), 0);
}
END_TEST

/* More bytes than go inline: by a sealed memfd. */
START_TEST(long_question_by_descriptor)
{
	static char record[8000];
	char name[32];
	struct spf_result r;
	struct buf all = buf_over(record, sizeof(record));

	for (int i = 0; i < 10; i++)
		buf_printf(&all, "%s include:i%d.test", i ? "" : "v=spf1", i);
	buf_printf(&all, " -all");
	zone_txt(&f.zone, "wide.test", record);
	all = buf_over(record, sizeof(record));
	buf_printf(&all, "v=spf1");
	while (all.n < 7900)
		buf_printf(&all, " ip4:203.0.113.7");
	for (int i = 0; i < 9; i++) {
		snprintf(name, sizeof(name), "i%d.test", i);
		zone_txt(&f.zone, name, record);
	}
	zone_txt(&f.zone, "i9.test", "v=spf1 ip4:192.0.2.77 -all");
	const struct inspect_outcome o =
	    inspect_fixture_ask_spf(&f, "192.0.2.77", "x.test", "a@wide.test", &r);
	ck_assert_int_eq(o.result, INSPECT_ANSWERED);
	ck_assert_int_eq(r.code, SPF_PASS);
	ck_assert_uint_eq(atomic_load(&f.status->deaths), 0);
}
END_TEST

/* ---- Many at once */

enum { TASKS = 200 };

static unsigned running, answered, undecided;
static int64_t timeout_us = 20 * SECOND_US;

static void ask_good(void *arg)
{
	struct spf_result r;
	const struct inspect_outcome o =
	    inspect_fixture_spf(&f, "192.0.2.9", "x.test", "a@deep.test", timeout_us, &r);

	(void)arg;
	if (o.result == INSPECT_ANSWERED && r.code == SPF_PASS)
		answered++;
	else
		undecided++;
	if (--running == 0)
		loop_stop(f.loop);
}

static void spawn_all(unsigned n)
{
	running = n;
	for (unsigned i = 0; i < n; i++)
		ck_assert(task_spawn(f.loop, ask_good, NULL));
}

START_TEST(each_has_its_turn)
{
	spawn_all(TASKS);
	loop_run(f.loop);
	ck_assert_uint_eq(answered, TASKS);
	ck_assert_uint_eq(inspect_outstanding(f.inspect), 0);
	ck_assert_uint_eq(inspect_waiting(f.inspect), 0);
}
END_TEST

static void cancel_all(void *arg)
{
	(void)arg;
	task_cancel_all(f.loop);
}

/* Nobody serves: the deadline ends it, or the session's end does; no turn is lost. */
START_TEST(nobody_answers)
{
	struct timer t = {0};

	timeout_us = SECOND_US / 20;
	spawn_all(TASKS);
	loop_run(f.loop);
	ck_assert_uint_eq(undecided, TASKS);
	ck_assert_uint_eq(inspect_outstanding(f.inspect), 0);
	timeout_us = 20 * SECOND_US;
	spawn_all(TASKS);
	timer_set(f.loop, &t, loop_now_us(f.loop) + SECOND_US / 50, cancel_all, NULL);
	loop_run(f.loop);
	ck_assert_uint_eq(undecided, 2 * TASKS);
	ck_assert_uint_eq(inspect_outstanding(f.inspect), 0);
	ck_assert_uint_eq(inspect_waiting(f.inspect), 0);
	/* What was asked in vain is passed over by whoever comes. */
	inspect_fixture_zygote(&f, 2);
	spawn_all(TASKS);
	loop_run(f.loop);
	ck_assert_uint_eq(answered, TASKS);
}
END_TEST

/* ---- Deaths */

static struct timer killer;
static unsigned kills;

static void kill_one(void *arg)
{
	pid_t pids[INSPECTORS_MAX];
	const unsigned n = inspect_fixture_inspectors(&f, pids);

	(void)arg;
	if (n > 0)
		kill(pids[kills++ % n], SIGKILL);
	timer_set(f.loop, &killer, loop_now_us(f.loop) + SECOND_US / 100, kill_one, NULL);
}

/* Undecided at worst; every task comes back. */
START_TEST(killed_at_any_time)
{
	timer_set(f.loop, &killer, loop_now_us(f.loop) + 1000, kill_one, NULL);
	for (int i = 0; i < 10 || kills < 5; i++) {
		spawn_all(TASKS);
		loop_run(f.loop);
	}
	timer_clear(f.loop, &killer);
	ck_assert_uint_gt(answered, TASKS);
	ck_assert_uint_eq(inspect_outstanding(f.inspect), 0);
}
END_TEST

/* Whoever was just about to wait for a question may take it to its grave: asked of both, it stays
 * undecided.  Whoever asks after them is answered. */
START_TEST(stopped_one_is_killed)
{
	pid_t pids[INSPECTORS_MAX];
	struct spf_result r;

	inspect_fixture_await(&f, 2);
	ck_assert_uint_eq(inspect_fixture_inspectors(&f, pids), 2);
	kill(pids[0], SIGSTOP);
	kill(pids[1], SIGSTOP);
	const enum inspect_result first =
	    inspect_fixture_ask_spf(&f, "192.0.2.1", "x.test", "a@good.test", &r).result;
	ck_assert_msg(first == INSPECT_ANSWERED || first == INSPECT_DIED, "%s",
		      inspect_result_text(first));
	while (atomic_load(&f.status->hung) < 2)
		usleep(2000);
	ck_assert_int_eq(
	    inspect_fixture_ask_spf(&f, "192.0.2.1", "x.test", "a@good.test", &r).result,
	    INSPECT_ANSWERED);
}
END_TEST

/* They die with their zygote, but nobody waits for them. */
static void await_end(const pid_t *pids, const int *ends, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct pollfd end = {.fd = ends[i], .events = POLLIN};

		ck_assert_msg(poll(&end, 1, 10000) == 1, "inspector %d lives on", (int)pids[i]);
		close(ends[i]);
	}
}

/* What is queued outlives the zygote. */
START_TEST(zygote_is_replaced)
{
	pid_t pids[INSPECTORS_MAX];
	int ends[2];
	struct spf_result r;

	inspect_fixture_await(&f, 2);
	ck_assert_uint_eq(inspect_fixture_inspectors(&f, pids), 2);
	for (int i = 0; i < 2; i++) {
		ends[i] = (int)syscall(SYS_pidfd_open, pids[i], 0);
		ck_assert_int_ge(ends[i], 0);
	}
	kill(f.zygote, SIGKILL);
	waitpid(f.zygote, NULL, 0);
	await_end(pids, ends, 2);
	inspect_fixture_zygote(&f, 1);
	ck_assert_int_eq(
	    inspect_fixture_ask_spf(&f, "192.0.2.1", "x.test", "a@good.test", &r).result,
	    INSPECT_ANSWERED);
}
END_TEST

/* ---- Records as attackers write them: decided, and nobody dies of it */

START_TEST(hostile_records)
{
	static char record[8100];
	struct buf b = buf_over(record, sizeof(record));
	struct spf_result r;
	static const char *const senders[] = {"a@macros.test", "a@wide.test",
					      "a@zero.test",   "\x80\xff\xfe@upper.test",
					      "a@labels.test", "a@longexp.test"};

	buf_printf(&b, "v=spf1 exists:");
	for (int i = 0; i < 127; i++)
		buf_printf(&b, "%%{i}");
	while (b.n < 4090)
		buf_char(&b, 'x');
	buf_printf(&b, ".macros.test ~all");
	zone_txt(&f.zone, "macros.test", record);
	zone_txt(&f.zone, "wide.test", "v=spf1 exists:%{l999999999999r}.%{d}.wide.test ?all");
	zone_txt(&f.zone, "zero.test", "v=spf1 a:%{d0}.test -all");
	zone_txt(&f.zone, "upper.test", "v=spf1 exists:%{L}.%{S}.upper.test ?all");
	b = buf_over(record, sizeof(record));
	buf_printf(&b, "v=spf1 exists:");
	for (int i = 0; i < 512; i++)
		buf_printf(&b, "%%{d}.");
	buf_printf(&b, "labels.test ~all");
	zone_txt(&f.zone, "labels.test", record);
	zone_txt(&f.zone, "longexp.test", "v=spf1 -all exp=exp.longexp.test");
	memset(record, 'e', 8000);
	record[8000] = '\0';
	zone_txt(&f.zone, "exp.longexp.test", record);
	for (size_t i = 0; i < sizeof(senders) / sizeof(senders[0]); i++) {
		const struct inspect_outcome o =
		    inspect_fixture_ask_spf(&f, "2001:db8::1", "x.test", senders[i], &r);

		ck_assert_msg(o.result == INSPECT_ANSWERED, "%s: %s", senders[i],
			      inspect_result_text(o.result));
	}
	ck_assert_int_eq(r.code, SPF_FAIL);
	ck_assert_uint_eq(r.explanation.n, SPF_EXPLANATION_MAX);
	ck_assert_uint_eq(atomic_load(&f.status->deaths), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("inspect");
	TCase *tc = tcase_create("served"), *alone = tcase_create("alone");
	SRunner *sr = srunner_create(s);

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, one_round_for_each_depth);
	tcase_add_test(tc, rounds_and_queries_are_bounded);
	tcase_add_test(tc, long_question_by_descriptor);
	tcase_add_test(tc, each_has_its_turn);
	tcase_add_test(tc, killed_at_any_time);
	tcase_add_test(tc, stopped_one_is_killed);
	tcase_add_test(tc, zygote_is_replaced);
	tcase_add_test(tc, hostile_records);
	tcase_add_checked_fixture(alone, set_up_alone, tear_down);
	tcase_set_timeout(alone, 60);
	tcase_add_test(alone, nobody_answers);
	suite_add_tcase(s, tc);
	suite_add_tcase(s, alone);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
