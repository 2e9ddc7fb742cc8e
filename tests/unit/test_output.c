/* What reaches the terminal, and how numbers and times read. */
#include "master/admin/output.h"

#include "shm/base/clock.h"

#include <check.h>
#include <stdlib.h>
#include <time.h>

static char *cleaned(const char *s)
{
	char *out = NULL;
	size_t n;
	FILE *f = open_memstream(&out, &n);

	print_clean(f, s);
	fclose(f);
	return out;
}

static void check_clean(const char *s, const char *shown)
{
	char *out = cleaned(s);

	ck_assert_str_eq(out, shown);
	free(out);
}

START_TEST(people_see_what_is_there)
{
	check_clean("", "");
	check_clean("plain, m\xc3\xbcller, \xe2\x82\xac", "plain, m\xc3\xbcller, \xe2\x82\xac");
	check_clean("\x1b[31m", "\\x1B[31m");
	check_clean("a\r\n\tb\x7f", "a\\x0D\\x0A\\x09b\\x7F");
	/* C1, a right-to-left override, a byte-order mark */
	check_clean("\xc2\x9b"
		    "1m",
		    "\\xC2\\x9B1m");
	check_clean("\xe2\x80\xae", "\\xE2\\x80\\xAE");
	check_clean("\xef\xbb\xbf", "\\xEF\\xBB\\xBF");
	/* not UTF-8: cut, overlong, a surrogate, a lone continuation */
	check_clean("\xe2\x82", "\\xE2\\x82");
	check_clean("\xc0\xaf", "\\xC0\\xAF");
	check_clean("\xed\xa0\x80", "\\xED\\xA0\\x80");
	check_clean("\x80"
		    "a",
		    "\\x80a");
}
END_TEST

START_TEST(counts)
{
	char b[32];

	ck_assert_str_eq(count_format(false, 0, b), "0");
	ck_assert_str_eq(count_format(false, 999, b), "999");
	ck_assert_str_eq(count_format(false, 1204, b), "1,204");
	ck_assert_str_eq(count_format(false, 1000214, b), "1,000,214");
	ck_assert_str_eq(count_format(false, UINT64_MAX, b), "18,446,744,073,709,551,615");
	ck_assert_str_eq(count_format(true, 1000214, b), "1000214");
}
END_TEST

START_TEST(spans)
{
	char b[32];

	ck_assert_str_eq(span_format(0, b), "0 s");
	ck_assert_str_eq(span_format(1, b), "1 s");
	ck_assert_str_eq(span_format(41 * SECOND_US, b), "41 s");
	ck_assert_str_eq(span_format(1200 * SECOND_US, b), "20 min");
	ck_assert_str_eq(span_format(3 * 3600 * SECOND_US, b), "3 h");
	ck_assert_str_eq(span_format((12 * 86400 + 4 * 3600) * SECOND_US, b), "12 d 4 h");
}
END_TEST

START_TEST(times)
{
	const int64_t at = INT64_C(1780298047) * SECOND_US + 310999;
	char b[40];

	setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
	tzset();
	ck_assert_str_eq(when(false, 0, b), "");
	ck_assert_str_eq(when(true, 0, b), "");
	ck_assert_str_eq(when(false, at, b), "2026-06-01 09:14");
	ck_assert_str_eq(when(true, at, b), "2026-06-01T07:14:07.310Z");
	ck_assert_str_eq(minute_format(at, b), "2026-06-01 09:14 CEST");
	ck_assert_str_eq(moment_format(at, b), "2026-06-01 09:14:07.310 CEST");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("output");
	TCase *tc = tcase_create("output");

	tcase_add_test(tc, people_see_what_is_there);
	tcase_add_test(tc, counts);
	tcase_add_test(tc, spans);
	tcase_add_test(tc, times);
	suite_add_tcase(s, tc);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
