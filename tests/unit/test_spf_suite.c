/* The published test suite of RFC 7208, each case through a real inspector. */
#include "tests/unit/inspect_fixture.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

enum { FIELDS_MAX = 7, LINE_BYTES = 32768 };

static unsigned cases, wrong;

static size_t unhex(char *t)
{
	size_t n = 0;

	if (strcmp(t, "-") == 0) {
		t[0] = '\0';
		return 0;
	}
	for (; t[2 * n] && t[2 * n + 1]; n++) {
		char two[3] = {t[2 * n], t[2 * n + 1], '\0'};

		t[n] = (char)strtoul(two, NULL, 16);
	}
	t[n] = '\0';
	return n;
}

static bool allowed(const char *results, const char *got)
{
	char list[128], *rest = list, *one;

	snprintf(list, sizeof(list), "%s", results);
	while ((one = strsep(&rest, " "))) {
		if (strcmp(one, got) == 0)
			return true;
	}
	return false;
}

/* DEFAULT: none of the domain's own. */
static bool explained(const char *wanted, const struct spf_result *r)
{
	char got[512];

	if (!wanted[0])
		return true;
	snprintf(got, sizeof(got), "%.*s", TEXT(r->explanation));
	return strcasecmp(strcmp(wanted, "DEFAULT") == 0 ? "" : wanted, got) == 0;
}

static void judge(struct inspect_fixture *f, char *field[FIELDS_MAX])
{
	struct spf_result r;
	const struct inspect_outcome out =
	    inspect_fixture_ask_spf(f, field[3], field[1], field[2], &r);
	const char *got = spf_code_name(r.code);

	cases++;
	if (out.result == INSPECT_ANSWERED && allowed(field[4], got) && explained(field[5], &r))
		return;
	wrong++;
	printf("%s: %s (%.*s), explanation \"%.*s\", %s; wanted %s \"%s\"\n", field[0], got,
	       TEXT(r.reason), TEXT(r.explanation), inspect_result_text(out.result), field[4],
	       field[5]);
}

static void take_line(struct inspect_fixture *f, char *line)
{
	char *field[FIELDS_MAX], *rest = line + 2, *one;
	size_t length[FIELDS_MAX], n = 0;

	while (n < FIELDS_MAX && (one = strsep(&rest, " \n")) && *one) {
		length[n] = unhex(one);
		field[n++] = one;
	}
	switch (line[0]) {
	case 'Z':
		zone_clear(&f->zone);
		break;
	case 'R':
		ck_assert_uint_eq(n, 4);
		zone_add(&f->zone, field[0], (uint16_t)atoi(field[1]), (uint16_t)atoi(field[2]),
			 field[3], length[3]);
		break;
	case 'C':
		ck_assert_uint_eq(n, 6);
		judge(f, field);
		break;
	default:
		ck_abort_msg("a line that is none: %s", line);
	}
}

static FILE *open_suite(char line[LINE_BYTES])
{
	FILE *suite = popen("/usr/bin/python3 tests/unit/spf_suite.py", "r");

	ck_assert_ptr_nonnull(suite);
	if (!fgets(line, LINE_BYTES, suite))
		ck_abort_msg("the suite is empty");
	return suite;
}

START_TEST(published_suite)
{
	static char line[LINE_BYTES];
	struct inspect_fixture f;
	FILE *suite = open_suite(line);

	if (line[0] == 'S') {
		fputs(line, stdout);
		pclose(suite);
		return;
	}
	inspect_fixture_start(&f, 2);
	do {
		take_line(&f, line);
	} while (fgets(line, sizeof(line), suite));
	ck_assert_int_eq(pclose(suite), 0);
	printf("%u cases, %u wrong\n", cases, wrong);
	ck_assert_uint_ge(cases, 200);
	ck_assert_uint_eq(wrong, 0);
	ck_assert_uint_eq(atomic_load(&f.status->deaths), 0);
	inspect_fixture_stop(&f);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("spf_suite");
	TCase *tc = tcase_create("spf_suite");
	SRunner *sr = srunner_create(s);

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, published_suite);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
