/* The check header-rules: fields, decoded values, actions, order. */
#include "policy/patterns.h"
#include "tests/unit/world_table.h"

#include <check.h>
#include <stdlib.h>

static struct fixture f;
static struct header_rule rules[4];
static struct text fields[4];

#define FROM_DATE "From: a@example.org\r\nDate: Mon, 1 Jun 2026 09:14:07 +0200\r\n"
#define REFUSED   "550 5.7.1 This message is administratively prohibited"
#define DEFERRED  "451 4.7.1 This message is administratively put off, try again later"

static void start(void)
{
	fixture_init(&f);
	f.config.header_rules = rules;
}

static void stop(void)
{
	for (size_t i = 0; i < f.config.header_rule_count; i++)
		patterns_free(rules[i].patterns);
	fixture_free(&f);
}

static void rule(const char *name, const char *field, const char *pattern, int action)
{
	const size_t i = f.config.header_rule_count++;
	struct pattern_error error;

	fields[i] = text_of(field);
	rules[i] = (struct header_rule){.patterns = patterns_new()};
	rules[i].set.name = text_of(name);
	rules[i].set.field = (struct text_list){&fields[i], 1};
	rules[i].set.action = action;
	ck_assert(patterns_add(rules[i].patterns, text_of(pattern), LIT("conf:1"), &error));
}

static struct decision message(const char *header)
{
	ck_said(fixture_send(&f, "198.51.100.7", "b@example.net"), "pass");
	return fixture_message(&f, header, 1000);
}

static struct text facts_said(void)
{
	return f.s.runs[CHECK_header_rules].verdict->facts;
}

START_TEST(fields_and_values)
{
	rule("mailer", "X-Mailer", "^bulk +mailer", HEADER_RULE_REFUSE);
	ck_said(message(FROM_DATE), "pass");
	ck_said(message(FROM_DATE "Subject: Bulk Mailer\r\n"), "pass");
	ck_said(message(FROM_DATE "x-mailer: The Bulk Mailer\r\n"), "pass");
	ck_said(message(FROM_DATE "x-mailer: Bulk Mailer 2\r\n"), REFUSED);
	ck_assert(
	    text_eq(facts_said(), LIT("header-rule \"mailer\" matches x-mailer: Bulk Mailer 2")));
	/* folded, encoded, the second of two */
	ck_said(message(FROM_DATE "X-Mailer: Bulk\r\n Mailer\r\n"), REFUSED);
	ck_said(message(FROM_DATE "X-Mailer: =?utf-8?B?QnVsayBNYWlsZXI=?=\r\n"), REFUSED);
	ck_said(message(FROM_DATE "X-Mailer: a\r\nX-Mailer: bulk mailer\r\n"), REFUSED);
}
END_TEST

START_TEST(all_fields)
{
	rule("any", "*", "evil", HEADER_RULE_REFUSE);
	ck_said(message(FROM_DATE "Evil: good\r\n"), "pass");
	ck_said(message(FROM_DATE "Good: evil\r\n"), REFUSED);
}
END_TEST

START_TEST(actions)
{
	rule("note", "X-A", "a", HEADER_RULE_NOTE);
	rule("defer", "X-B", "b", HEADER_RULE_DEFER);
	rule("refuse", "X-C", "c", HEADER_RULE_REFUSE);
	ck_said(message(FROM_DATE "X-A: a\r\n"), "pass");
	ck_assert_uint_eq(f.world.metrics[METRIC_would_refuse], 1);
	ck_assert(text_eq(facts_said(), LIT("header-rule \"note\" matches X-A: a")));
	ck_said(message(FROM_DATE "X-B: b\r\n"), DEFERRED);
	/* the first that does something, in the order of the rules */
	ck_said(message(FROM_DATE "X-C: c\r\nX-B: b\r\nX-A: a\r\n"), DEFERRED);
	ck_said(message(FROM_DATE "X-C: c\r\nX-A: a\r\n"), REFUSED);
	table_exempt(&f.world, "header-rules", LIST_ADDRESS, "a@example.org");
	ck_said(message(FROM_DATE "X-C: c\r\n"), "pass");
}
END_TEST

/* A pattern that takes too long is ours: another rule may still decide. */
START_TEST(too_long)
{
	rule("slow", "X-A", "(a+)+$", HEADER_RULE_REFUSE);
	ck_said(message(FROM_DATE "X-A: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!\r\n"),
		"pass");
	ck_assert_int_eq(f.s.runs[CHECK_header_rules].verdict->outcome, OUTCOME_UNDECIDED);
	rule("quick", "X-A", "!$", HEADER_RULE_REFUSE);
	ck_said(message(FROM_DATE "X-A: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!\r\n"),
		REFUSED);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("header_rules");
	TCase *tc = tcase_create("header_rules");
	SRunner *sr = srunner_create(suite);

	tcase_add_checked_fixture(tc, start, stop);
	tcase_add_test(tc, fields_and_values);
	tcase_add_test(tc, all_fields);
	tcase_add_test(tc, actions);
	tcase_add_test(tc, too_long);
	suite_add_tcase(suite, tc);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
