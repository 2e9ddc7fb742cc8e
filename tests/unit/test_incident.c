/* Incident ids, as they are written and as people type them back. */
#include "shm/event.h"

#include <check.h>
#include <stdlib.h>

static uint64_t parse(const char *s)
{
	uint64_t id = UINT64_MAX;

	ck_assert_msg(incident_parse(text_of(s), &id), "%s", s);
	return id;
}

START_TEST(is_short_enough_for_the_phone)
{
	char text[INCIDENT_TEXT_MAX];

	ck_assert_str_eq(incident_format(LIT("mx1"), 0, text), "mx1-0000-0000");
	ck_assert_str_eq(incident_format(LIT("mx1"), (UINT64_C(1) << 40) - 1, text),
			 "mx1-ZZZZ-ZZZZ");
	ck_assert_str_eq(incident_format(LIT(""), 33, text), "0000-0011");
	ck_assert_uint_eq(parse("mx1-7KQ2-M4XD"), parse("7KQ2-M4XD"));
	ck_assert_str_eq(incident_format(LIT("mx1"), parse("7KQ2-M4XD"), text), "mx1-7KQ2-M4XD");
}
END_TEST

START_TEST(reads_back_every_id)
{
	char text[INCIDENT_TEXT_MAX];

	srand(1);
	for (int i = 0; i < 10000; i++) {
		uint64_t id =
		    ((uint64_t)rand() << 20 ^ (uint64_t)rand()) & ((UINT64_C(1) << 40) - 1);
		ck_assert_uint_eq(parse(incident_format(LIT("a-b.c"), id, text)), id);
		ck_assert_uint_eq(parse(incident_format(LIT(""), id, text)), id);
	}
}
END_TEST

START_TEST(a_long_label_is_cut)
{
	char text[INCIDENT_TEXT_MAX], label[200];

	memset(label, 'x', sizeof(label));
	incident_format(text_make(label, sizeof(label)), 5, text);
	ck_assert_uint_eq(strlen(text), INCIDENT_TEXT_MAX - 1);
	ck_assert_uint_eq(parse(text), 5);
}
END_TEST

START_TEST(forgives_what_people_do)
{
	uint64_t id = parse("mx1-10Q2-M4XD");

	ck_assert_uint_eq(parse("MX1-10q2-m4xd"), id);
	ck_assert_uint_eq(parse("mx1-IOQ2-M4XD"), id);
	ck_assert_uint_eq(parse("loq2-m4xd"), id);
	ck_assert_uint_eq(parse("10Q2M4XD"), id);
	ck_assert_uint_eq(parse("  10Q2-M4XD \r\n"), id);
	ck_assert_uint_eq(parse("mail-2.example.org-10Q2-M4XD"), id);
}
END_TEST

START_TEST(refuses_what_is_none)
{
	static const char *const BAD[] = {"",
					  "-",
					  "7KQ2",
					  "7KQ2-M4X",
					  "7KQ2-M4XU",
					  "7KQ2--M4XD",
					  "mx17KQ2-M4XD",
					  "-7KQ2-M4XD",
					  "mx 1-7KQ2-M4XD",
					  "mx1\n-7KQ2-M4XD",
					  "7KQ2-M4XD-",
					  "7K-Q2M4XD",
					  "7KQ2-M4X\xc3\xa4"};
	uint64_t id;

	for (unsigned i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++)
		ck_assert_msg(!incident_parse(text_of(BAD[i]), &id), "%s", BAD[i]);
	ck_assert(!incident_parse(text_make("7KQ2-M4X\0", 9), &id));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("incident");
	TCase *tc = tcase_create("incident");

	tcase_add_test(tc, is_short_enough_for_the_phone);
	tcase_add_test(tc, reads_back_every_id);
	tcase_add_test(tc, a_long_label_is_cut);
	tcase_add_test(tc, forgives_what_people_do);
	tcase_add_test(tc, refuses_what_is_none);
	suite_add_tcase(s, tc);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
