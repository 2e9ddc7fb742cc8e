/* What goes between a worker and an anti-virus engine: our inspector's answer, a clamd's line. */
#include "worker/inspect/antivirus.h"
#include "worker/inspect/clamd.h"

#include <check.h>
#include <stdlib.h>

static char room[4096];

static struct scan_result answered(const struct scan_result *given, bool *ok)
{
	struct buf b = buf_over(room, sizeof(room));
	struct scan_result out;

	antivirus_answer_put(&b, given);
	*ok = antivirus_answer_get(buf_view(&b), &out);
	return out;
}

START_TEST(an_answer)
{
	const struct scan_result given = {
	    .code = SCAN_DONE,
	    .matches = {{SCAN_SIGNATURE, LIT("Eicar")}, {SCAN_PUA, LIT("PUA.X")}},
	    .match_count = 2,
	};
	bool ok;
	const struct scan_result r = answered(&given, &ok);

	ck_assert(ok && r.code == SCAN_DONE && r.match_count == 2);
	ck_assert(text_eq(r.matches[0].name, LIT("Eicar")));
	ck_assert_int_eq(r.matches[1].kind, SCAN_PUA);
	/* Cut at any place it is none. */
	for (size_t n = 0; room[0] && n < 20; n++) {
		struct scan_result out;

		ck_assert(!antivirus_answer_get(text_make(room, n), &out));
	}
}
END_TEST

/* An inspector may have been taken over: what it says goes into the log and to people's screens. */
START_TEST(an_answer_that_is_none)
{
	const struct scan_result given[] = {
	    {.code = SCAN_DONE, .matches = {{SCAN_SIGNATURE, LIT("a b")}}, .match_count = 1},
	    {.code = SCAN_DONE, .matches = {{SCAN_SIGNATURE, LIT("\033[2J")}}, .match_count = 1},
	    {.code = SCAN_DONE, .matches = {{SCAN_SIGNATURE, LIT("")}}, .match_count = 1},
	    {.code = SCAN_FAILED, .reason = LIT("a\nb")},
	    {.code = (enum scan_code)9},
	};
	bool ok;

	for (size_t i = 0; i < sizeof(given) / sizeof(given[0]); i++) {
		(void)answered(&given[i], &ok);
		ck_assert_msg(!ok, "row %zu", i);
	}
}
END_TEST

START_TEST(a_question)
{
	char bytes[64];
	struct buf b = buf_over(bytes, sizeof(bytes));
	uint64_t size;

	ck_assert(antivirus_question_put(&b, 1234567));
	ck_assert(antivirus_question_get(buf_view(&b), &size) && size == 1234567);
	ck_assert(!antivirus_question_get(text_make(bytes, 7), &size));
}
END_TEST

START_TEST(what_clamd_says)
{
	static const struct {
		const char *line;
		enum scan_code code;
		const char *name;
		enum scan_kind kind;
	} rows[] = {
	    {"stream: OK", SCAN_DONE, NULL, 0},
	    {"stream: Eicar FOUND", SCAN_DONE, "Eicar", SCAN_SIGNATURE},
	    {"stream: Heuristics.Limits.Exceeded.MaxFiles FOUND", SCAN_DONE,
	     "Heuristics.Limits.Exceeded.MaxFiles", SCAN_LIMITS},
	    {"stream: a b FOUND", SCAN_DONE, "without-a-name", SCAN_SIGNATURE},
	    {"stream:  FOUND", SCAN_DONE, "without-a-name", SCAN_SIGNATURE},
	    {"INSTREAM size limit exceeded. ERROR", SCAN_FAILED, NULL, 0},
	    {"stream: Can't allocate memory ERROR", SCAN_FAILED, NULL, 0},
	    {"stream: OKAY", SCAN_FAILED, NULL, 0},
	    {"stream: FOUND", SCAN_FAILED, NULL, 0},
	    {"", SCAN_FAILED, NULL, 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct scan_result r;

		clamd_read_reply(text_of(rows[i].line), &r);
		ck_assert_msg(r.code == rows[i].code, "%s", rows[i].line);
		ck_assert_uint_eq(r.match_count, rows[i].name != NULL);
		ck_assert(r.code == SCAN_DONE || !text_empty(r.reason));
		if (rows[i].name) {
			ck_assert(text_eq(r.matches[0].name, text_of(rows[i].name)));
			ck_assert_int_eq(r.matches[0].kind, rows[i].kind);
		}
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("scan answer");
	TCase *tc = tcase_create("scan answer");
	SRunner *sr = srunner_create(s);

	tcase_add_test(tc, an_answer);
	tcase_add_test(tc, an_answer_that_is_none);
	tcase_add_test(tc, a_question);
	tcase_add_test(tc, what_clamd_says);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
