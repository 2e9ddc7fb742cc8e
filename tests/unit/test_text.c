/* Comparing, cutting and appending strings. */
#include "shm/base/text.h"

#include <check.h>
#include <stdlib.h>

static void same(struct text t, const char *want)
{
	ck_assert_uint_eq(t.n, strlen(want));
	ck_assert_int_eq(memcmp(t.n ? t.p : "", want, t.n), 0);
}

START_TEST(equality)
{
	ck_assert(text_eq(LIT("a"), LIT("a")));
	ck_assert(!text_eq(LIT("a"), LIT("A")));
	ck_assert(text_eq(text_make(NULL, 0), LIT("")));
	ck_assert(text_ieq(LIT("MAIL from"), LIT("mail FROM")));
	ck_assert(text_ieq(text_make(NULL, 0), LIT("")));
	ck_assert(!text_ieq(LIT("mail"), LIT("mai")));
	/* '@' and '`', '[' and '{' differ in the same bit as letters do */
	ck_assert(!text_ieq(LIT("@["), LIT("`{")));
	/* no case outside ASCII */
	ck_assert(!text_ieq(LIT("\xC4"), LIT("\xE4")));
}
END_TEST

START_TEST(starts_and_ends)
{
	ck_assert(text_istarts(LIT("SIZE=10"), LIT("size=")));
	ck_assert(!text_istarts(LIT("SI"), LIT("size")));
	ck_assert(text_istarts(LIT("x"), LIT("")));
	ck_assert(text_iends(LIT("a.Example.ORG"), LIT(".example.org")));
	ck_assert(!text_iends(LIT("org"), LIT("example.org")));
	ck_assert(text_iends(text_make(NULL, 0), text_make(NULL, 0)));
}
END_TEST

START_TEST(trim)
{
	same(text_trim(LIT(" \t a b \r\n")), "a b");
	same(text_trim(LIT(" \r\n ")), "");
	same(text_trim(text_make(NULL, 0)), "");
	/* only these four: a NUL or another control is content */
	same(text_trim(LIT("\v a")), "\v a");
}
END_TEST

START_TEST(split_and_find)
{
	struct text head, tail;

	ck_assert(text_split(LIT("a:b:c"), ':', &head, &tail));
	same(head, "a");
	same(tail, "b:c");
	ck_assert(text_split(LIT(":"), ':', &head, &tail));
	same(head, "");
	same(tail, "");
	ck_assert(!text_split(LIT("abc"), ':', &head, &tail));
	same(head, "abc");
	same(tail, "");
	ck_assert(!text_split(text_make(NULL, 0), ':', &head, &tail));
	ck_assert_uint_eq(text_find(LIT("abc"), 'c'), 2);
	ck_assert_uint_eq(text_find(LIT("abc"), 'x'), 3);
	ck_assert_uint_eq(text_find(LIT("a\0b"), 'b'), 2);
}
END_TEST

START_TEST(numbers)
{
	uint64_t v = 7;

	ck_assert(text_u64(LIT("0"), &v) && v == 0);
	ck_assert(text_u64(LIT("18446744073709551615"), &v) && v == UINT64_MAX);
	ck_assert(text_u64(LIT("00000000000000000000000042"), &v) && v == 42);
	v = 7;
	ck_assert(!text_u64(LIT("18446744073709551616"), &v));
	ck_assert(!text_u64(LIT("99999999999999999999"), &v));
	ck_assert(!text_u64(LIT(""), &v));
	ck_assert(!text_u64(LIT("-1"), &v));
	ck_assert(!text_u64(LIT("+1"), &v));
	ck_assert(!text_u64(LIT(" 1"), &v));
	ck_assert(!text_u64(LIT("1 "), &v));
	ck_assert(!text_u64(LIT("0x1"), &v));
	ck_assert_uint_eq(v, 7);
}
END_TEST

START_TEST(copies)
{
	char dst[4] = "xxx";

	ck_assert_uint_eq(text_cstr(LIT("abcdef"), dst, sizeof(dst)), 3);
	ck_assert_str_eq(dst, "abc");
	ck_assert_uint_eq(text_cstr(text_make(NULL, 0), dst, sizeof(dst)), 0);
	ck_assert_str_eq(dst, "");
	ck_assert_uint_eq(text_cstr(LIT("a"), dst, 0), 0);

	char mixed[] = "AbZ@[\xC4";
	text_lower(text_of(mixed), mixed);
	ck_assert_str_eq(mixed, "abz@[\xC4");
}
END_TEST

START_TEST(buf_never_overflows)
{
	char room[8];
	struct buf b = buf_over(room, sizeof(room));

	buf_text(&b, LIT("abc"));
	buf_char(&b, 'd');
	ck_assert(!b.cut);
	buf_printf(&b, "%d", 567);
	ck_assert(!b.cut);
	same(buf_view(&b), "abcd567");
	buf_char(&b, 'x');
	ck_assert(b.cut);
	ck_assert_str_eq(room, "abcd567");

	b = buf_over(room, sizeof(room));
	buf_printf(&b, "%s", "123456789");
	ck_assert(b.cut);
	ck_assert_str_eq(room, "1234567");
	ck_assert_uint_eq(b.n, 7);

	b = buf_over(room, 1);
	buf_put(&b, "x", 1);
	buf_printf(&b, "y");
	buf_escaped(&b, LIT("z"));
	ck_assert(b.cut);
	ck_assert_uint_eq(b.n, 0);
	ck_assert_str_eq(room, "");
}
END_TEST

START_TEST(numbers_are_written)
{
	static const struct {
		uint64_t n;
		const char *text;
	} rows[] = {
	    {0, "0"}, {9, "9"}, {10, "10"}, {255, "255"}, {UINT64_MAX, "18446744073709551615"}};
	char room[24];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf b = buf_over(room, sizeof(room));
		uint64_t back;

		buf_u64(&b, rows[i].n);
		ck_assert_str_eq(room, rows[i].text);
		ck_assert(text_u64(buf_view(&b), &back) && back == rows[i].n);
	}
	struct buf b = buf_over(room, 3);

	buf_u64(&b, 1234);
	ck_assert(b.cut);
}
END_TEST

START_TEST(escapes)
{
	char room[64];
	struct buf b = buf_over(room, sizeof(room));

	buf_escaped(&b, LIT("a b\r\n\0\"\\\x7f\xff~"));
	ck_assert_str_eq(room, "a b\\x0D\\x0A\\x00\\x22\\x5C\\x7F\\xFF~");
	ck_assert(!b.cut);

	/* an escape stands whole or not at all, and nothing follows a gap */
	b = buf_over(room, 6);
	buf_escaped(&b, LIT("ab\nc"));
	ck_assert(b.cut);
	ck_assert_str_eq(room, "ab");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("text");
	TCase *tc = tcase_create("text");
	SRunner *sr = srunner_create(s);

	tcase_add_test(tc, equality);
	tcase_add_test(tc, starts_and_ends);
	tcase_add_test(tc, trim);
	tcase_add_test(tc, split_and_find);
	tcase_add_test(tc, numbers);
	tcase_add_test(tc, numbers_are_written);
	tcase_add_test(tc, copies);
	tcase_add_test(tc, buf_never_overflows);
	tcase_add_test(tc, escapes);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
