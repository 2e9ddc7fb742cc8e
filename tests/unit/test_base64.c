/* Base64: every length there and back, and what is none. */
#include "shm/base/base64.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

static struct text encode(const char *bytes, size_t n)
{
	static char room[8192];
	struct buf b = buf_over(room, sizeof(room));

	base64_put(&b, text_make(bytes, n));
	ck_assert(!b.cut);
	ck_assert_uint_eq(b.n, base64_encoded_size(n));
	return buf_view(&b);
}

static bool is_none(const char *t)
{
	char out[8192];
	size_t n;

	return !base64_decode(text_of(t), out, &n);
}

START_TEST(rfc4648_vectors)
{
	static const char *const rows[][2] = {{"", ""},
					      {"f", "Zg=="},
					      {"fo", "Zm8="},
					      {"foo", "Zm9v"},
					      {"foob", "Zm9vYg=="},
					      {"fooba", "Zm9vYmE="},
					      {"foobar", "Zm9vYmFy"},
					      {"\xfb\xff\xfe", "+//+"}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		ck_assert(text_eq(encode(rows[i][0], strlen(rows[i][0])), text_of(rows[i][1])));
}
END_TEST

START_TEST(every_length_there_and_back)
{
	char bytes[4096], out[4096 + 3];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(i * 167 + i / 256);
	for (size_t n = 0; n <= sizeof(bytes); n += n < 300 ? 1 : 97) {
		const struct text t = encode(bytes, n);
		size_t m = 0;

		memset(out, '!', sizeof(out));
		ck_assert(base64_decode(t, out, &m));
		ck_assert_uint_eq(m, n);
		ck_assert(memcmp(out, bytes, n) == 0);
		/* Nothing was written beyond what there is room for. */
		ck_assert(base64_decoded_size(t.n) <= n + 2 &&
			  out[base64_decoded_size(t.n)] == '!');
	}
}
END_TEST

START_TEST(in_place)
{
	char text[] = "Zm9vYmFy";
	size_t n;

	ck_assert(base64_decode(text_of(text), text, &n));
	ck_assert(n == 6 && memcmp(text, "foobar", 6) == 0);
}
END_TEST

START_TEST(what_is_none)
{
	static const char *const rows[] = {
	    "Z",      "Zg",   "Zg=",      "Zm9vY",    "=",     "==",
	    "===",    "====", "Z===",     "Zg==Zg==", "Zg=a",  "Z=g=",
	    "Zm9v\n", "Zm 9", "Zm9v ",    "Zm-_",     "Zm9v.", "\x80\x80\x80\x80",
	    "Zh==",   "Zm9=", "Zm9v====", "=Zm9",     "Zm=v",  "*"};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		ck_assert_msg(is_none(rows[i]), "%s", rows[i]);
}
END_TEST

/* All lengths with all numbers of pads behind: good only where they fit. */
START_TEST(padding)
{
	char text[80];

	for (size_t n = 0; n <= 64; n++) {
		for (size_t pads = 0; pads <= 4; pads++) {
			memset(text, 'A', n);
			memset(text + n, '=', pads);
			text[n + pads] = '\0';
			const bool good =
			    (n + pads) % 4 == 0 && (pads == 0 || (n > 0 && pads <= 2));

			ck_assert_msg(is_none(text) == !good, "%zu and %zu pads", n, pads);
		}
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("base64");
	TCase *tc = tcase_create("base64");
	SRunner *sr = srunner_create(s);

	tcase_add_test(tc, rfc4648_vectors);
	tcase_add_test(tc, every_length_there_and_back);
	tcase_add_test(tc, in_place);
	tcase_add_test(tc, what_is_none);
	tcase_add_test(tc, padding);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
