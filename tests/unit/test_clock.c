/* Durations, sizes and dates as text. */
#include "shm/base/clock.h"

#include <check.h>
#include <stdlib.h>
#include <time.h>

START_TEST(clocks_run_forward)
{
	int64_t mono = clock_mono_us(), boot = clock_boot_us(), wall = clock_wall_us();

	ck_assert_int_gt(mono, 0);
	ck_assert_int_ge(boot, mono);
	ck_assert_int_ge(clock_mono_us(), mono);
	ck_assert_int_ge(clock_boot_us(), boot);
	/* microseconds since 1970, between 2020 and 2100 */
	ck_assert_int_gt(wall, INT64_C(1577836800) * SECOND_US);
	ck_assert_int_lt(wall, INT64_C(4102444800) * SECOND_US);
}
END_TEST

START_TEST(durations)
{
	static const struct {
		const char *text;
		int64_t seconds;
		const char *shown;
	} good[] = {
	    {"90s", 90, "90s"},         {"10m", 600, "10m"},   {"1h", 3600, "1h"},
	    {"7d", 604800, "1w"},       {"2w", 1209600, "2w"}, {"0", 0, "0s"},
	    {"60", 60, "1m"},           {"3600s", 3600, "1h"}, {"24h", 86400, "1d"},
	    {"86401", 86401, "86401s"},
	};
	static const char *const bad[] = {
	    "",
	    "s",
	    "1x",
	    "-1s",
	    "1 s",
	    "1h30m",
	    "1.5h",
	    "H",
	    "1H",
	    "h1",
	    "9223372036855s",
	    "99999999999999999999",
	    "15250285w",
	};
	char dst[24];
	int64_t us;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		ck_assert_msg(duration_parse(text_of(good[i].text), &us), "%s", good[i].text);
		ck_assert_int_eq(us, good[i].seconds * SECOND_US);
		ck_assert_str_eq(duration_format(us, dst), good[i].shown);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(!duration_parse(text_of(bad[i]), &us), "%s", bad[i]);
	ck_assert_str_eq(duration_format(1500000, dst), "1500ms");
	ck_assert_str_eq(duration_format(1, dst), "1us");
	ck_assert_str_eq(duration_format(-60 * SECOND_US, dst), "-1m");
	ck_assert_str_eq(duration_format(INT64_MIN, dst), "-9223372036854775808us");
}
END_TEST

START_TEST(sizes)
{
	static const struct {
		const char *text;
		uint64_t bytes;
		const char *shown;
	} good[] = {
	    {"0", 0, "0"},
	    {"512", 512, "512"},
	    {"1024", 1024, "1K"},
	    {"10K", 10240, "10K"},
	    {"50M", 52428800, "50M"},
	    {"1G", 1073741824, "1G"},
	    {"1536K", 1572864, "1536K"},
	    {"2g", 2147483648, "2G"},
	    {"16777215T", UINT64_C(16777215) << 40, "16777215T"},
	};
	static const char *const bad[] = {"", "K", "-1", "1.5M", "1 M", "10KB", "1X", "16777216T"};
	char dst[24];
	uint64_t bytes;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		ck_assert_msg(size_parse(text_of(good[i].text), &bytes), "%s", good[i].text);
		ck_assert_uint_eq(bytes, good[i].bytes);
		ck_assert_str_eq(size_format(bytes, dst), good[i].shown);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(!size_parse(text_of(bad[i]), &bytes), "%s", bad[i]);
	ck_assert(!size_parse(LIT("1\0"), &bytes));
	ck_assert_str_eq(size_format(UINT64_MAX, dst), "18446744073709551615");
}
END_TEST

static void zone(const char *tz)
{
	setenv("TZ", tz, 1);
	tzset();
}

START_TEST(dates)
{
	const int64_t t = INT64_C(1780298047) * SECOND_US + 123456;
	char dst[40], iso[32];

	zone("CET-1CEST,M3.5.0,M10.5.0/3");
	ck_assert_str_eq(wall_format(t, dst), "2026-06-01 09:14:07 CEST");
	ck_assert_str_eq(wall_format_rfc5322(t, dst), "Mon, 01 Jun 2026 09:14:07 +0200");
	ck_assert_str_eq(wall_format_iso(t, iso), "2026-06-01T07:14:07.123Z");
	zone("NST3:30");
	ck_assert_str_eq(wall_format_rfc5322(t, dst), "Mon, 01 Jun 2026 03:44:07 -0330");
	zone("UTC0");
	ck_assert_str_eq(wall_format_rfc5322(0, dst), "Thu, 01 Jan 1970 00:00:00 +0000");
	ck_assert_str_eq(wall_format_iso(-1, iso), "1969-12-31T23:59:59.999Z");
	/* what nobody means must still be no overflow */
	wall_format(INT64_MAX, dst);
	wall_format_rfc5322(INT64_MIN, dst);
	wall_format_iso(INT64_MAX, iso);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("clock");
	TCase *tc = tcase_create("clock");
	SRunner *sr = srunner_create(s);

	tcase_add_test(tc, clocks_run_forward);
	tcase_add_test(tc, durations);
	tcase_add_test(tc, sizes);
	tcase_add_test(tc, dates);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
