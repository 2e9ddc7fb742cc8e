/* The nearest name: distances, and when nothing is near enough. */
#include "policy/suggest.h"

#include <check.h>
#include <stdlib.h>

START_TEST(distances_are_edits)
{
	static const struct {
		const char *a, *b;
		unsigned distance;
	} cases[] = {
	    {"", "", 0},
	    {"a", "", 1},
	    {"", "abc", 3},
	    {"mode", "mode", 0},
	    {"mdoe", "mode", 1}, /* neighbours swapped */
	    {"helo-iq", "helo-ip", 1},
	    {"max-sesions", "max-sessions", 1},
	    {"kitten", "sitting", 3},
	    {"abcdef", "ghijkl", 6},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct text a = text_of(cases[i].a), b = text_of(cases[i].b);

		ck_assert_uint_eq(suggest_distance(a, b), cases[i].distance);
		ck_assert_uint_eq(suggest_distance(b, a), cases[i].distance);
	}
}
END_TEST

START_TEST(long_names_are_far_away_and_harmless)
{
	char text[1000];

	memset(text, 'a', sizeof(text));
	ck_assert_uint_ge(suggest_distance(text_make(text, 1000), LIT("a")), 64);
	ck_assert_uint_ge(suggest_distance(LIT("a"), text_make(text, 64)), 64);
	ck_assert_uint_eq(suggest_distance(text_make(text, 63), text_make(text, 62)), 1);
}
END_TEST

static const char *nearest(struct suggestion *s, const char *wanted)
{
	static const char *const known[] = {"max-sessions", "max-errors", "mode",
					    "user",         "dsn",        "min-rate"};

	suggest_begin(s, text_of(wanted));
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		suggest_offer(s, text_of(known[i]));
	return s->best;
}

START_TEST(the_nearest_is_named_and_only_if_it_is_near)
{
	struct suggestion s;

	ck_assert_str_eq(nearest(&s, "max-sesion"), "max-sessions");
	ck_assert_str_eq(nearest(&s, "mod"), "mode");
	ck_assert_str_eq(nearest(&s, "modus"), "mode");
	ck_assert_str_eq(nearest(&s, "maxerrors"), "max-errors");
	ck_assert_str_eq(nearest(&s, "certificate"), "");
	ck_assert_str_eq(nearest(&s, "xy"), "");
	ck_assert_str_eq(nearest(&s, ""), "");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("suggest");
	TCase *t = tcase_create("suggest");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, distances_are_edits);
	tcase_add_test(t, long_names_are_far_away_and_harmless);
	tcase_add_test(t, the_nearest_is_named_and_only_if_it_is_near);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
