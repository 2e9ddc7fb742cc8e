/* Encoded words to UTF-8. */
#include "policy/message/rfc2047.h"

#include "policy/message/utf8.h"
#include "shm/base/clock.h"

#include <check.h>
#include <stdlib.h>
#include <time.h>

static struct arena arena;

static void setup(void)
{
	arena_init(&arena, NULL, NULL);
}

static void teardown(void)
{
	arena_reset(&arena);
}

START_TEST(words)
{
	static const char *const cases[][2] = {
	    {"plain", "plain"},
	    {"", ""},
	    {" =?utf-8?q?a=C3=BC_b?= ", "a\xC3\xBC b"},
	    {"=?UTF-8?B?w7w=?=", "\xC3\xBC"},
	    {"=?iso-8859-1?Q?=FC?=", "\xC3\xBC"},
	    {"=?ISO-8859-1*de?q?=FC?=", "\xC3\xBC"},
	    {"=?windows-1251?B?z/Do4uXy?=", "\xD0\x9F\xD1\x80\xD0\xB8\xD0\xB2\xD0\xB5\xD1\x82"},
	    {"=?koi8-r?B?8NLJ18XU?=", "\xD0\x9F\xD1\x80\xD0\xB8\xD0\xB2\xD0\xB5\xD1\x82"},
	    {"=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=", "\xE6\x97\xA5\xE6\x9C\xAC"},
	    {"=?gb2312?B?xOO6ww==?=", "\xE4\xBD\xA0\xE5\xA5\xBD"},
	    /* blanks between words vanish, others stay */
	    {"=?utf-8?q?a?= =?utf-8?q?b?=", "ab"},
	    {"=?utf-8?q?a?=\r\n =?iso-8859-1?q?=FC?=", "a\xC3\xBC"},
	    {"x =?utf-8?q?a?= y =?utf-8?q?b?=\tz", "x a y b\tz"},
	    {"=?utf-8?q?a?=  ", "a"},
	    /* a character in two words */
	    {"=?utf-8?B?w4==?= =?UTF-8?q?=BC?=", "\xC3\xBC"},
	    {"=?utf-8?q?=E4=BD?=\r\n =?utf-8?q?=A0?=", "\xE4\xBD\xA0"},
	    /* generous */
	    {"x=?utf-8?q?a?=y", "xay"},
	    {"=?utf-8?q?a b?=", "a b"},
	    {"=?utf-8?q?=4?=", "=4"},
	    {"=?utf-8?q?=?=", "="},
	    {"=?utf-8?q?\?=", ""},
	    {"=?utf-8?B?d293!!!?=", "wow"},
	    {"=?utf-8?B?d293d2==?=", "woww"},
	    {"=?utf-8?B?dw==dw==?=", "ww"},
	    /* no words */
	    {"=?utf-8?x?a?=", "=?utf-8?x?a?="},
	    {"=?utf-8?q?a", "=?utf-8?q?a"},
	    {"=??q?a?=", "=??q?a?="},
	    {"=?", "=?"},
	    {"=?=?=", "=?=?="},
	    {"=?a=?utf-8?q?b?=", "=?ab"},
	    /* unknown or broken charsets: the bytes as they are */
	    {"=?x-none?q?abc?=", "abc"},
	    {"=?x-none?q?=FC=C3=BC?=", "\xC3\xBC\xC3\xBC"},
	    {"=?utf-8?q?a=FFb?=", "a\xC3\xBF"
				  "b"},
	    {"=?gb2312?q?a=FFb?=", "a\xC3\xBF"
				   "b"},
	    {"=?utf-8?q?=C3?=", "\xC3\x83"},
	    {"=?/etc/passwd?q?a?=", "a"},
	    /* raw 8 bit */
	    {"\xC3\xBC \xFC", "\xC3\xBC \xC3\xBC"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct text t = rfc2047_decode(text_of(cases[i][0]), 1000, &arena);

		ck_assert_msg(text_eq(t, text_of(cases[i][1])), "%s: got '%.*s'", cases[i][0],
			      TEXT(t));
	}
}
END_TEST

START_TEST(bounded)
{
	static const char *const cases[] = {
	    "=?utf-8?q?=C3=BC=C3=BC=C3=BC?=",
	    "\xC3\xBC\xC3\xBC\xC3\xBC",
	    "=?windows-1251?q?=CF=CF=CF?=",
	    "=?iso-8859-1?q?=FC=FC=FC?=",
	    "=?gbk?q?=FF=FF=FF?=",
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (size_t max = 0; max <= 7; max++) {
			struct text t = rfc2047_decode(text_of(cases[i]), max, &arena);

			/* whole characters only */
			ck_assert_msg(t.n == (max > 6 ? 6 : max & ~1UL), "%s %zu: %zu", cases[i],
				      max, t.n);
			ck_assert(utf8_is_valid(t));
		}
	}
	/* nothing follows a gap */
	struct text t = rfc2047_decode(LIT("a\xC3\xBC"
					   "b"),
				       2, &arena);
	ck_assert(text_eq(t, LIT("a")));
}
END_TEST

static void fill(struct buf *b, const char *piece)
{
	while (!b->cut)
		buf_text(b, text_of(piece));
}

START_TEST(linear)
{
	static const char *const pieces[] = {
	    "=?a?q?", "=?", "=?utf-8?q?\?= ", "=?a", "?=", "=?utf-8?q?=FF?=", "=?utf-7?q?+?=", " "};
	enum { SIZE = 262144 };
	char *bytes = malloc(SIZE);
	const clock_t start = clock();

	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		struct buf b = buf_over(bytes, SIZE);

		fill(&b, pieces[i]);
		ck_assert(utf8_is_valid(rfc2047_decode(buf_view(&b), SIZE, &arena)));
	}
	/* the square of the length would be minutes */
	ck_assert_int_lt(clock() - start, 10 * CLOCKS_PER_SEC);
	free(bytes);
}
END_TEST

START_TEST(random_bytes_stay_valid)
{
	static const char *const pieces[] = {
	    "=?",          "?=",         "?q?",    "?B?", "utf-8", "gb18030", "utf-7",
	    "iso-2022-kr", "big5-hkscs", "utf-16", "=FF", "=1B",   "$)C",     " ",
	    "\r\n ",       "+2AA-",      "=D8",    "=00", "\xC3"};
	char bytes[400];

	rfc2047_open();
	srand(5);
	for (int i = 0; i < 20000; i++) {
		struct buf b = buf_over(bytes, sizeof(bytes));

		for (int n = rand() % 40; n > 0; n--) {
			if (rand() % 4)
				buf_text(&b, text_of(pieces[rand() % 19]));
			else
				buf_char(&b, (char)rand());
		}
		size_t max = (size_t)rand() % 200;
		struct text t = rfc2047_decode(buf_view(&b), max, &arena);
		ck_assert(utf8_is_valid(t));
		ck_assert_uint_le(t.n, max);
		arena_reset(&arena);
	}
}
END_TEST

START_TEST(strict_utf8)
{
	static const struct text bad[] = {LIT("\x80"),
					  LIT("\xC0\x80"),
					  LIT("\xC1\xBF"),
					  LIT("\xE0\x9F\xBF"),
					  LIT("\xED\xA0\x80"),
					  LIT("\xF0\x8F\xBF\xBF"),
					  LIT("\xF4\x90\x80\x80"),
					  LIT("\xF5\x80\x80\x80"),
					  LIT("\xC3"),
					  LIT("\xE4\xBD"),
					  LIT("\xF0\x9F\x98"),
					  LIT("\xFF")};
	uint32_t numbers[] = {0,      0x7f,   0x80,   0x7ff,   0x800,
			      0xd7ff, 0xe000, 0xffff, 0x10000, 0x10ffff};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(!utf8_is_valid(bad[i]), "%zu", i);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		uint32_t c = 1;
		char p[4];
		size_t n = utf8_put(numbers[i], p);

		ck_assert_uint_eq(utf8_first(text_make(p, n), &c), n);
		ck_assert_uint_eq(c, numbers[i]);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("rfc2047");
	TCase *tc = tcase_create("rfc2047");
	SRunner *sr = srunner_create(s);

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, words);
	tcase_add_test(tc, bounded);
	tcase_add_test(tc, linear);
	tcase_add_test(tc, random_bytes_stay_valid);
	tcase_add_test(tc, strict_utf8);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
