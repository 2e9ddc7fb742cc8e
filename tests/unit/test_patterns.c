/* Patterns: what matches, what is no pattern, and that no pattern costs more than its limit. */
#include "policy/patterns.h"
#include "shm/base/clock.h"

#include <check.h>
#include <stdlib.h>

static struct pattern_list *list;

static void set_up(void)
{
	list = patterns_new();
}

static void tear_down(void)
{
	patterns_free(list);
}

static void add(const char *pattern)
{
	struct pattern_error error;

	ck_assert(patterns_add(list, text_of(pattern), text_of(pattern), &error));
}

static enum pattern_answer match(const char *subject)
{
	return patterns_match(list, text_of(subject), NULL);
}

START_TEST(case_and_place_do_not_matter)
{
	struct text where = {0};

	add("cheap  *pills");
	add("^\\s*$");
	ck_assert_int_eq(match("Buy CHEAP pills now"), PATTERN_MATCH);
	ck_assert_int_eq(match("cheappills"), PATTERN_NONE);
	ck_assert_int_eq(match(""), PATTERN_MATCH);
	ck_assert_int_eq(patterns_match(list, LIT(" \t"), &where), PATTERN_MATCH);
	ck_assert(text_eq(where, LIT("^\\s*$")));
	ck_assert_uint_eq(patterns_count(list), 2);
}
END_TEST

START_TEST(text_is_utf8_and_may_be_broken)
{
	add("\xc3\xa4rger.\\b"); /* ärger */
	ck_assert_int_eq(match("\xc3\x84RGER\xc3\xa9"), PATTERN_MATCH);
	ck_assert_int_eq(match("\xff\xc3 \xc3\xa4rger!a"), PATTERN_MATCH);
	ck_assert_int_eq(match("\xff\xfe\xc3"), PATTERN_NONE);
	ck_assert_int_eq(patterns_match(list, text_make("a\0b", 3), NULL), PATTERN_NONE);
	ck_assert_int_eq(patterns_match(list, text_make(NULL, 0), NULL), PATTERN_NONE);
}
END_TEST

START_TEST(an_empty_list_matches_nothing)
{
	ck_assert_int_eq(match("x"), PATTERN_NONE);
	ck_assert_int_eq(patterns_match(NULL, LIT("x"), NULL), PATTERN_NONE);
	ck_assert_uint_eq(patterns_count(NULL), 0);
	patterns_free(NULL);
}
END_TEST

START_TEST(what_is_no_pattern_says_where)
{
	static const struct {
		const char *pattern;
		size_t offset;
	} bad[] = {{"(", 1}, {"a{2,1}", 5}, {"[z-a]", 3}, {"x\\Cy", 3}, {"\xff", 0}};
	struct pattern_error error;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert(!patterns_add(list, text_of(bad[i].pattern), LIT(""), &error));
		ck_assert_uint_eq(error.offset, bad[i].offset);
		ck_assert_str_ne(error.message, "");
	}
	ck_assert_uint_eq(patterns_count(list), 0);
}
END_TEST

/* Without a limit each of these would run for years. */
START_TEST(a_hostile_subject_costs_little_and_decides_nothing)
{
	char subject[4096];
	struct text where = {0};
	int64_t start;

	memset(subject, 'a', sizeof(subject));
	add("(a+)+[bc]");
	add("^(a|aa|aaa)*[cd]$");
	add("(.*)*[0-9]");
	start = clock_mono_us();
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(patterns_match(list, text_make(subject, sizeof(subject)), &where),
				 PATTERN_UNDECIDED);
	/* some ms in truth; generous for a sanitizer on a busy machine */
	ck_assert_int_lt(clock_mono_us() - start, 10 * SECOND_US);
	ck_assert(where.n > 0);
}
END_TEST

START_TEST(a_match_counts_though_another_pattern_gave_up)
{
	char subject[2048];

	memset(subject, 'a', sizeof(subject));
	memcpy(subject + sizeof(subject) - 5, "pills", 5);
	add("(a+)+[bc]");
	add("pills$");
	ck_assert_int_eq(patterns_match(list, text_make(subject, sizeof(subject)), NULL),
			 PATTERN_MATCH);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("patterns");
	TCase *t = tcase_create("patterns");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, case_and_place_do_not_matter);
	tcase_add_test(t, text_is_utf8_and_may_be_broken);
	tcase_add_test(t, an_empty_list_matches_nothing);
	tcase_add_test(t, what_is_no_pattern_says_where);
	tcase_add_test(t, a_hostile_subject_costs_little_and_decides_nothing);
	tcase_add_test(t, a_match_counts_though_another_pattern_gave_up);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
