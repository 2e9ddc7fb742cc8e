/* One question for an address at a time: who asks, who waits, and what becomes of those who wait
 * when the one who asks goes away. */
#include "worker/smtp/verification.h"

#include "shm/base/clock.h"
#include "worker/io/task.h"
#include "worker/smtp/session.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { SESSIONS = 5, RING_BYTES = 64 * 1024 };
#define MS INT64_C(1000)

static struct loop *loop;
static struct segment seg;
static struct smtp_server server;
static int segment_fd;

static struct one {
	struct smtp_session ss;
	const char *key;
	int64_t wait_us,
	    works_us; /* how long it waits for others; how long its own question takes */
	bool dies;    /* instead of an answer */
	struct verify_answer answers, got;
	bool asked;
} all[SESSIONS];

static void setup(void)
{
	static const struct siphash_key key = {1, 2};

	loop = loop_new();
	ck_assert_ptr_nonnull(loop);
	segment_fd = segment_create(1000, RING_BYTES, &key, &seg);
	ck_assert_int_ge(segment_fd, 0);
	server = (struct smtp_server){.loop = loop, .seg = &seg};
	for (unsigned i = 0; i < SESSIONS; i++) {
		all[i] = (struct one){
		    .key = "ann@example.org", .wait_us = 20 * SECOND_US, .works_us = 30 * MS};
		all[i].ss.server = &server;
		all[i].answers =
		    (struct verify_answer){.said = VERIFY_REFUSES,
					   .found = {.code = (short)(550 + i), .until_wall_us = 1}};
	}
}

static void teardown(void)
{
	verifications_free(&server.verifications);
	segment_detach(&seg);
	close(segment_fd);
	loop_free(loop);
}

static void session(void *arg)
{
	struct one *o = arg;

	if (!verification_join(&o->ss, VERIFIED_SENDER, text_of(o->key), o->wait_us, &o->got)) {
		o->asked = true;
		task_sleep_until(loop_now_us(loop) + o->works_us);
		if (!o->dies) {
			/* what the keeper is told of it */
			ck_assert(ring_push(&seg.rings[0], "event", 5, RING_AUDIT));
			verification_end(&o->ss, &o->answers);
			o->got = o->answers;
		}
	}
	verification_abandon(&o->ss); /* as every session does at its end */
	if (task_count(loop) == 1)
		loop_stop(loop);
}

static void run(unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++)
		ck_assert(task_spawn(loop, session, &all[i]));
	loop_run(loop);
}

static unsigned asked(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < SESSIONS; i++)
		n += all[i].asked;
	return n;
}

START_TEST(one_asks_for_all)
{
	run(0, SESSIONS);
	ck_assert_uint_eq(asked(), 1);
	for (unsigned i = 0; i < SESSIONS; i++) {
		ck_assert_int_eq(all[i].got.said, VERIFY_REFUSES);
		ck_assert_int_eq(all[i].got.found.code, 550);
	}
}
END_TEST

START_TEST(other_addresses_are_other_questions)
{
	all[1].key = "bob@example.org";
	run(0, SESSIONS);
	ck_assert_uint_eq(asked(), 2);
	ck_assert_int_eq(all[1].got.found.code, 551);
	ck_assert_int_eq(all[2].got.found.code, 550);
}
END_TEST

/* The session that asked is over: another one asks, and the rest waits for that. */
START_TEST(another_takes_over)
{
	all[0].dies = true;
	run(0, SESSIONS);
	ck_assert_uint_eq(asked(), 2);
	for (unsigned i = 1; i < SESSIONS; i++)
		ck_assert_int_eq(all[i].got.said, VERIFY_REFUSES);
}
END_TEST

START_TEST(nobody_waits_for_ever)
{
	all[0].works_us = 300 * MS;
	all[1].wait_us = 20 * MS;
	run(0, 3);
	ck_assert_uint_eq(asked(), 1);
	ck_assert_int_eq(all[1].got.said, VERIFY_SILENT);
	ck_assert_int_eq(all[2].got.said, VERIFY_REFUSES);
}
END_TEST

/* Until the keeper has written it, nobody asks again; then it is the store that says. */
START_TEST(kept_until_it_is_written)
{
	run(0, 1);
	run(1, 2);
	ck_assert_uint_eq(asked(), 1);
	ck_assert_int_eq(all[1].got.found.code, 550);
	ring_release(&seg.rings[0], ring_head(&seg.rings[0]));
	run(2, 3);
	ck_assert_uint_eq(asked(), 2);
	ck_assert_int_eq(all[2].got.found.code, 552);
}
END_TEST

START_TEST(what_nobody_remembers_is_not_kept)
{
	all[0].answers = (struct verify_answer){.said = VERIFY_LATER, .found = {.code = 450}};
	run(0, 2);
	ck_assert_uint_eq(asked(), 1);
	ck_assert_int_eq(all[1].got.said, VERIFY_LATER);
	run(2, 3);
	ck_assert_uint_eq(asked(), 2);
	ck_assert_int_eq(all[2].got.said, VERIFY_REFUSES);
}
END_TEST

/* While the keeper is away: not without end. */
START_TEST(no_more_are_kept_than_there_may_be)
{
	char key[32];

	all[0].works_us = 0;
	all[0].key = key;
	for (unsigned i = 0; i < 1500; i++) {
		snprintf(key, sizeof(key), "u%u@example.org", i);
		run(0, 1);
	}
	ck_assert_uint_eq(server.verifications.done_count, 1024);
	all[0].asked = false;
	run(0, 1); /* the last one is there */
	ck_assert(!all[0].asked);
	snprintf(key, sizeof(key), "u0@example.org");
	run(0, 1); /* the first isn't */
	ck_assert(all[0].asked);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("verification");
	TCase *tc = tcase_create("verification");
	SRunner *sr = srunner_create(s);

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, one_asks_for_all);
	tcase_add_test(tc, other_addresses_are_other_questions);
	tcase_add_test(tc, another_takes_over);
	tcase_add_test(tc, nobody_waits_for_ever);
	tcase_add_test(tc, kept_until_it_is_written);
	tcase_add_test(tc, what_nobody_remembers_is_not_kept);
	tcase_add_test(tc, no_more_are_kept_than_there_may_be);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
