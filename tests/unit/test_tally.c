/* Tallies and marks: periods that end together, what is taken, and who is first. */
#include "policy/tally.h"

#include "policy/mark.h"
#include "shm/base/clock.h"
#include "tests/unit/world_table.h"

#include <check.h>
#include <stdlib.h>

#define MINUTES(n) ((int64_t)(n)*60 * SECOND_US)
#define TAG        ((uint64_t)TABLE_MARK << 62 | 77)

static struct fixture f;

static void start(void)
{
	fixture_init(&f);
	f.world.boot_us = MINUTES(1000) + 30 * SECOND_US;
	fixture_connect(&f, "198.51.100.7");
}

static void stop(void)
{
	fixture_free(&f);
}

static void ck_tally(struct tally t, uint32_t first, uint32_t second)
{
	ck_assert_uint_eq(t.first, first);
	ck_assert_uint_eq(t.second, second);
}

START_TEST(a_period_ends_on_a_full_minute)
{
	struct tally t = tally_add(&f.s, TAG, MINUTES(10), 1, 2);

	ck_tally(t, 1, 2);
	ck_assert_uint_eq(t.end_min, 1011);
	f.world.boot_us = MINUTES(1011) - 1;
	ck_tally(tally_add(&f.s, TAG, MINUTES(10), 1, 0), 2, 2);
	ck_tally(tally_read(&f.s, TAG), 2, 2);
	f.world.boot_us++;
	ck_tally(tally_read(&f.s, TAG), 0, 0);
	t = tally_add(&f.s, TAG, MINUTES(10), 0, 0);
	ck_tally(t, 0, 0);
	ck_assert_uint_eq(t.end_min, 1021);
}
END_TEST

START_TEST(full_numbers_are_halved_both)
{
	ck_tally(tally_add(&f.s, TAG, MINUTES(10), 400000, (1 << 20) - 1), 400000, (1 << 20) - 1);
	ck_tally(tally_add(&f.s, TAG, MINUTES(10), 0, 1), 200000, 1 << 19);
}
END_TEST

START_TEST(numbers_of_another_period)
{
	tally_add(&f.s, TAG, MINUTES(10), 5, 0);
	ck_tally(tally_add_until(&f.s, TAG, 1011, 1, 0), 6, 0);
	ck_tally(tally_add_until(&f.s, TAG, 1012, 1, 0), 1, 0);
	tally_lessen(&f.s, TAG, 1011, 1, 1);
	ck_tally(tally_read(&f.s, TAG), 1, 0);
	tally_lessen(&f.s, TAG, 0, 3, 3);
	ck_tally(tally_read(&f.s, TAG), 0, 0);
	ck_tally(tally_add_until(&f.s, TAG, 1012, 4, 1), 4, 1);
	tally_lessen(&f.s, TAG, 1012, 3, 0);
	ck_tally(tally_read(&f.s, TAG), 1, 1);
}
END_TEST

START_TEST(taken_once)
{
	ck_tally(tally_take(&f.s, TAG), 0, 0);
	tally_add(&f.s, TAG, MINUTES(10), 5, 2);
	ck_tally(tally_take(&f.s, TAG), 5, 2);
	ck_tally(tally_take(&f.s, TAG), 0, 0);
	tally_add(&f.s, TAG, MINUTES(1), 5, 2);
	f.world.boot_us += MINUTES(2);
	ck_tally(tally_take(&f.s, TAG), 0, 0);
}
END_TEST

START_TEST(one_claims_a_mark)
{
	ck_assert(mark_claim(&f.s, TAG, 7, MINUTES(1)));
	ck_assert(!mark_claim(&f.s, TAG, 8, MINUTES(60)));
	ck_assert_uint_eq(mark_read(&f.s, TAG), 7);
	f.world.boot_us += MINUTES(2);
	ck_assert_uint_eq(mark_read(&f.s, TAG), 0);
	ck_assert(mark_claim_or_renew(&f.s, TAG, 9, MINUTES(3)));
	for (int i = 0; i < 5; i++) {
		f.world.boot_us += MINUTES(2);
		ck_assert(!mark_claim_or_renew(&f.s, TAG, 9, MINUTES(3)));
	}
	f.world.boot_us += MINUTES(4);
	ck_assert(mark_claim_or_renew(&f.s, TAG, 9, MINUTES(3)));
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("tally");
	Suite *suite = suite_create("tally");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, start, stop);
	tcase_add_test(tc, a_period_ends_on_a_full_minute);
	tcase_add_test(tc, full_numbers_are_halved_both);
	tcase_add_test(tc, numbers_of_another_period);
	tcase_add_test(tc, taken_once);
	tcase_add_test(tc, one_claims_a_mark);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
