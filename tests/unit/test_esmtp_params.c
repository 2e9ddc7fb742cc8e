/* Parameters of MAIL and RCPT, and xtext. */
#include "policy/message/esmtp_params.h"

#include <check.h>
#include <stdlib.h>

static void same(struct text t, const char *want)
{
	ck_assert_msg(text_eq(t, text_of(want)), "got '%.*s', not '%s'", TEXT(t), want);
}

START_TEST(iterates)
{
	struct text rest = LIT(" SIZE=100  SMTPUTF8 AUTH=<> ORCPT=rfc822;a+40b ");
	struct esmtp_param p;

	ck_assert_int_eq(esmtp_param_next(&rest, &p), ESMTP_PARAM);
	same(p.keyword, "SIZE");
	same(p.value, "100");
	same(p.whole, "SIZE=100");
	ck_assert(p.has_value);
	ck_assert_int_eq(esmtp_param_next(&rest, &p), ESMTP_PARAM);
	same(p.keyword, "SMTPUTF8");
	ck_assert(!p.has_value);
	ck_assert_int_eq(esmtp_param_next(&rest, &p), ESMTP_PARAM);
	same(p.value, "<>");
	ck_assert_int_eq(esmtp_param_next(&rest, &p), ESMTP_PARAM);
	same(p.value, "rfc822;a+40b");
	ck_assert_int_eq(esmtp_param_next(&rest, &p), ESMTP_END);
	rest = LIT("");
	ck_assert_int_eq(esmtp_param_next(&rest, &p), ESMTP_END);
}
END_TEST

START_TEST(refuses)
{
	static const struct text bad[] = {
	    LIT(" =1"),  LIT(" -A=1"), LIT(" SIZE="),  LIT(" SIZE= 1"),    LIT(" A=b=c"),
	    LIT(" A_B"), LIT("\tA"),   LIT(" A\tB"),   LIT(" A=\x7f"),     LIT(" A=b\rc"),
	    LIT(" A\0"), LIT(" A=\0"), LIT(" A=b\nX"), LIT(" \xC3\xBC=1"), LIT(" <a@b>"),
	};
	struct esmtp_param p;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct text rest = bad[i];

		ck_assert_msg(esmtp_param_next(&rest, &p) == ESMTP_SYNTAX, "%zu", i);
	}
	/* UTF-8 in a value (RFC 6531 3.3) */
	struct text rest = LIT(" ORCPT=utf-8;\xC3\xBC");
	ck_assert_int_eq(esmtp_param_next(&rest, &p), ESMTP_PARAM);
}
END_TEST

START_TEST(xtext)
{
	static const char *const bad[] = {"a+",  "a+4",  "a+4g", "a=b",
					  "a b", "+ 41", "\x7f", "\xC3"};
	char room[64];
	struct buf b = buf_over(room, sizeof(room));
	struct arena a;
	struct text t;

	arena_init(&a, NULL, NULL);
	ck_assert(xtext_decode(LIT("a+2Bb+3D+0D+0A+00c"), &a, &t));
	ck_assert(text_eq(t, LIT("a+b=\r\n\0c")));
	xtext_encode(&b, t);
	ck_assert_str_eq(room, "a+2Bb+3D+0D+0A+00c");
	ck_assert(xtext_decode(LIT("+c3"), &a, &t));
	ck_assert(text_eq(t, LIT("\xC3")));
	ck_assert(xtext_decode(LIT(""), &a, &t));
	ck_assert_uint_eq(t.n, 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_msg(!xtext_is_valid(text_of(bad[i])), "%s", bad[i]);
		ck_assert(!xtext_decode(text_of(bad[i]), &a, &t));
	}
	arena_reset(&a);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("esmtp_params");
	TCase *tc = tcase_create("esmtp_params");
	SRunner *sr = srunner_create(s);

	tcase_add_test(tc, iterates);
	tcase_add_test(tc, refuses);
	tcase_add_test(tc, xtext);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
