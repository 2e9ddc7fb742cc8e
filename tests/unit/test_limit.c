/* Rate limits: random arrivals against a bucket counted in plain fractions, and the edges. */
#include "shm/limit.h"

#include "shm/base/clock.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>

#define HOUR_US (3600 * SECOND_US)

START_TEST(reads_and_writes_rates)
{
	struct rate r;
	char text[48];

	ck_assert(rate_parse(LIT("100/1h"), &r));
	ck_assert_uint_eq(r.n, 100);
	ck_assert_int_eq(r.period_us, HOUR_US);
	ck_assert_str_eq(rate_format(&r, text), "100/1h");
	ck_assert(rate_parse(LIT("50M/1d"), &r));
	ck_assert_uint_eq(r.n, 50 << 20);
	ck_assert_str_eq(rate_format(&r, text), "50M/1d");
	ck_assert(rate_parse(LIT("1/90s"), &r));
	ck_assert_str_eq(rate_format(&r, text), "1/90s");
}
END_TEST

START_TEST(refuses_what_is_no_rate)
{
	static const char *const BAD[] = {"",     "100",   "100/",       "/1h",       "0/1h",
					  "1/0s", "-1/1h", "1/-1h",      "1/1h/1h",   "1.5/1h",
					  "x/1h", "1/x",   "1/9999999w", "1 000/1h x"};
	struct rate r;

	for (unsigned i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++)
		ck_assert_msg(!rate_parse(text_of(BAD[i]), &r), "%s", BAD[i]);
}
END_TEST

START_TEST(a_burst_of_n_then_one_a_share)
{
	struct rate r = {100, HOUR_US};
	int64_t now_us = 5 * HOUR_US, retry_us;
	uint64_t tat = 0;

	for (unsigned i = 0; i < 100; i++) {
		ck_assert(rate_allows(&r, tat, 1, now_us, &retry_us));
		ck_assert_int_eq(retry_us, 0);
		tat = rate_charge(&r, tat, 1, now_us);
		ck_assert_uint_eq(rate_used(&r, tat, now_us), i + 1);
	}
	ck_assert(!rate_allows(&r, tat, 1, now_us, &retry_us));
	ck_assert_int_eq(retry_us, 36 * SECOND_US);
	ck_assert(!rate_allows(&r, tat, 1, now_us + retry_us - 1, NULL));
	ck_assert(rate_allows(&r, tat, 1, now_us + retry_us, NULL));
	ck_assert_uint_eq(rate_used(&r, tat, now_us + HOUR_US / 2), 50);
	ck_assert_uint_eq(rate_used(&r, tat, now_us + HOUR_US), 0);
	ck_assert_uint_eq(rate_used(&r, tat, now_us + 2 * HOUR_US), 0);
}
END_TEST

START_TEST(more_than_n_passes_a_full_bucket_once)
{
	struct rate r = {10, 10 * SECOND_US};
	int64_t now_us = HOUR_US, retry_us;
	uint64_t tat = rate_charge(&r, 0, 25, now_us);

	ck_assert(rate_allows(&r, 0, 25, now_us, NULL));
	ck_assert_uint_eq(rate_used(&r, tat, now_us), 25);
	ck_assert(!rate_allows(&r, tat, 1, now_us, &retry_us));
	ck_assert_int_eq(retry_us, 16 * SECOND_US);
	ck_assert(!rate_allows(&r, tat, 25, now_us + 25 * SECOND_US - 1, &retry_us));
	ck_assert_int_eq(retry_us, 1);
	ck_assert(rate_allows(&r, tat, 25, now_us + 25 * SECOND_US, NULL));
}
END_TEST

START_TEST(extremes_do_not_overflow)
{
	struct rate slow = {1, 36500 * 24 * HOUR_US}, fast = {UINT64_MAX, 1};
	int64_t retry_us, now_us = INT64_C(1) << 50;
	uint64_t tat = rate_charge(&slow, 0, UINT64_MAX, now_us);

	ck_assert_uint_lt(tat, UINT64_C(1) << 63);
	ck_assert(!rate_allows(&slow, tat, UINT64_MAX, now_us, &retry_us));
	ck_assert_int_gt(retry_us, 0);
	ck_assert(!rate_allows(&slow, INT64_MAX, 1, now_us, &retry_us));
	ck_assert_int_gt(retry_us, 0);
	ck_assert_uint_eq(rate_charge(&fast, 0, 1, now_us), (uint64_t)now_us + 1);
	ck_assert_uint_gt(rate_used(&fast, INT64_MAX, now_us), 0);
	/* Nothing is always within the rate of an idle bucket, and costs nothing. */
	ck_assert(rate_allows(&slow, 0, 0, now_us, NULL));
	ck_assert_uint_eq(rate_charge(&slow, 7, 0, now_us), 7);
}
END_TEST

/* The bucket as the manual has it: n at most, refilled n a period, in plain fractions. */
struct bucket {
	double n, per_us, left;
	int64_t at_us;
};

static void refill(struct bucket *b, int64_t now_us)
{
	b->left = fmin(b->n, b->left + (double)(now_us - b->at_us) * b->per_us);
	b->at_us = now_us;
}

static void check_random_arrivals(const struct rate *r, uint64_t amount_max)
{
	struct bucket b = {(double)r->n, (double)r->n / (double)r->period_us, (double)r->n, 0};
	int64_t now_us = b.at_us = HOUR_US;
	int64_t step_us = r->period_us / (int64_t)(r->n / amount_max + 1) * 2;
	uint64_t tat = 0;
	/* What rounding to microseconds can have come to. */
	double slack = b.per_us * 2;

	for (unsigned i = 0; i < 5000; i++) {
		uint64_t amount = 1 + (uint64_t)rand() % amount_max;
		double need = fmin((double)amount, b.n);
		int64_t retry_us;
		now_us += rand() % 3 ? rand() % (step_us + 1) : 0;
		refill(&b, now_us);
		if (b.left >= b.n)
			slack = b.per_us * 2;
		bool allowed = rate_allows(r, tat, amount, now_us, &retry_us);
		if (fabs(b.left - need) > slack)
			ck_assert_msg(allowed == (b.left > need), "%u: %f left, %f asked, %d", i,
				      b.left, need, allowed);
		if (!allowed) {
			ck_assert(fabs((need - b.left) / b.per_us - (double)retry_us) <=
				  slack / b.per_us + 1);
			ck_assert(rate_allows(r, tat, amount, now_us + retry_us, NULL));
			continue;
		}
		tat = rate_charge(r, tat, amount, now_us);
		b.left -= (double)amount;
		slack += b.per_us;
	}
}

START_TEST(random_arrivals_agree_with_a_plain_bucket)
{
	srand(7);
	for (unsigned i = 0; i < 50; i++) {
		struct rate r = {1 + (uint64_t)rand() % 5000,
				 (1 + (int64_t)rand() % 7200) * SECOND_US};
		uint64_t amount_max = 1 + (uint64_t)rand() % (r.n + r.n / 2);
		check_random_arrivals(&r, rand() % 2 ? 1 : amount_max);
	}
	check_random_arrivals(&(struct rate){50 << 20, 24 * HOUR_US}, 20 << 20);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("limit");
	TCase *tc = tcase_create("limit");

	tcase_add_test(tc, reads_and_writes_rates);
	tcase_add_test(tc, refuses_what_is_no_rate);
	tcase_add_test(tc, a_burst_of_n_then_one_a_share);
	tcase_add_test(tc, more_than_n_passes_a_full_bucket_once);
	tcase_add_test(tc, extremes_do_not_overflow);
	tcase_add_test(tc, random_arrivals_agree_with_a_plain_bucket);
	tcase_set_timeout(tc, 30);
	suite_add_tcase(s, tc);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
