/* The checks on a message, by the whole engine. */
#include "policy/patterns.h"
#include "tests/unit/world_table.h"

#include <check.h>
#include <stdlib.h>

static struct fixture f;

static void start(void)
{
	fixture_init(&f);
}

static void stop(void)
{
	fixture_free(&f);
}

#define FROM_DATE "From: a@example.org\r\nDate: Mon, 1 Jun 2026 09:14:07 +0200\r\n"

static struct decision message(const char *header)
{
	ck_said(fixture_send(&f, "198.51.100.7", "b@example.net"), "pass");
	return fixture_message(&f, header, 1000);
}

START_TEST(invalid_headers)
{
	const char *refused = "550 5.6.0 This message contains invalid headers";

	ck_said(message(FROM_DATE), "pass");
	ck_said(message(FROM_DATE "S\xc3\xbc\x62ject: x\r\n"), refused);
	ck_said(message(FROM_DATE "Sub\x01ject: x\r\n"), refused);
	/* Everyday mail: obsolete syntax, an mbox line, raw 8 bit, a malformed line. */
	ck_said(message("From a@example.org Mon Jun  1\r\n" FROM_DATE "Subject : x\r\n"), "pass");
	ck_said(message(FROM_DATE "Subject: \xe4\r\n"), "pass");
	ck_said(message(FROM_DATE "no field at all\r\n"), "pass");
	ck_said(message("Subject: x\r\n"), "pass");
}
END_TEST

START_TEST(invalid_headers_options)
{
	const char *refused = "550 5.6.0 This message contains invalid headers";

	ck_said(message("Subject: x\r\n"), "pass");
	ck_assert_uint_eq(f.world.metrics[METRIC_would_refuse], 1);
	f.config.base.invalid_headers.malformed = MODE_OFF;
	ck_said(message("Subject: x\r\n"), "pass");
	ck_assert_uint_eq(f.world.metrics[METRIC_would_refuse], 1);
	f.config.base.invalid_headers.malformed = MODE_ENFORCE;
	ck_said(message("Subject: x\r\n"), refused);
	ck_said(message(FROM_DATE "no field at all\r\n"), refused);
	f.config.base.invalid_headers.malformed = MODE_MONITOR;
	f.config.base.invalid_headers.raw_8bit = MODE_ENFORCE;
	/* Noted for one flaw, refused for the other. */
	ck_said(message("Subject: \xe4\r\n"), refused);
	ck_said(fixture_send(&f, "198.51.100.7", "b@example.net"), "pass");
	f.tx.smtputf8 = true;
	ck_said(fixture_message(&f, FROM_DATE "Subject: \xc3\xa4\r\n", 100), "pass");
}
END_TEST

START_TEST(subject)
{
	const char *refused = "550 5.7.1 This message is administratively prohibited";
	struct pattern_list *list = patterns_new();
	struct pattern_error error;

	ck_assert(patterns_add(list, LIT("cheap +pills"), LIT("subjects:1"), &error));
	ck_said(message(FROM_DATE "Subject: Cheap  pills\r\n"), "pass");
	f.config.base.subject_patterns = list;
	ck_said(message(FROM_DATE "Subject: Buy CHEAP  pills now\r\n"), refused);
	ck_said(message(FROM_DATE "Subject: =?utf-8?b?Y2hlYXA=?= =?utf-8?q?_pills?=\r\n"), refused);
	ck_said(message(FROM_DATE "Subject: cheap\r\n  pills\r\n"), refused);
	ck_said(message(FROM_DATE "Subject: dear pills\r\n"), "pass");
	ck_said(message(FROM_DATE "Subject: dear\r\nSubject: cheap pills\r\n"), refused);
	ck_said(message(FROM_DATE "X-Subject: cheap pills\r\n"), "pass");
	table_exempt(&f.world, "subject", LIST_ADDRESS, "a@example.org");
	ck_said(message(FROM_DATE "Subject: cheap pills\r\n"), "pass");
	patterns_free(list);
}
END_TEST

START_TEST(empty_reply_to)
{
	const char *refused = "550 5.7.1 This message is administratively prohibited";

	ck_said(message(FROM_DATE "Reply-To: \r\n"), "pass");
	ck_assert_uint_eq(f.world.metrics[METRIC_would_refuse], 1);
	f.config.base.empty_reply_to.mode = MODE_ENFORCE;
	ck_said(message(FROM_DATE "Reply-To: \r\n"), refused);
	ck_said(message(FROM_DATE "Reply-To: <>\r\n"), refused);
	ck_said(message(FROM_DATE "Reply-To: (nobody)\r\n"), refused);
	ck_said(message(FROM_DATE "Reply-To: x@example.org\r\n"), "pass");
	ck_said(message(FROM_DATE), "pass");
	table_exempt(&f.world, "empty-reply-to", LIST_DOMAIN, "example.org");
	ck_said(message(FROM_DATE "Reply-To: <>\r\n"), "pass");
}
END_TEST

START_TEST(bare_newline)
{
	ck_said(fixture_send(&f, "198.51.100.7", "b@example.net"), "pass");
	f.tx.bare_newlines = true;
	ck_said(fixture_message(&f, FROM_DATE, 100), "pass");
	f.config.global.bare_newline = BARE_NEWLINE_REJECT;
	ck_said(message(FROM_DATE), "pass");
	ck_said(fixture_send(&f, "198.51.100.7", "b@example.net"), "pass");
	f.tx.bare_newlines = true;
	ck_said(fixture_message(&f, FROM_DATE, 100),
		"550 5.6.0 The message contains a bare CR or LF");
}
END_TEST

/* The first in the table's order decides; the rest is noted. */
START_TEST(the_first_decides)
{
	const struct event *e;
	struct event_view v;
	struct field_view ran;
	unsigned refusing = 0;
	size_t at = 0;

	f.config.base.empty_reply_to.mode = MODE_ENFORCE;
	ck_said(message(FROM_DATE "\xc3: x\r\nReply-To: <>\r\n"),
		"550 5.6.0 This message contains invalid headers");
	e = table_event(&f.world, EVENT_INCIDENT, 0);
	ck_assert_str_eq(table_field(e, FIELD_check), "invalid-headers");
	ck_assert(event_parse(e->bytes, e->n, &v));
	while (event_next(&v, &at, &ran)) {
		if (ran.field != FIELD_ran)
			continue;
		refusing += text_istarts(ran.text, LIT("invalid-headers refuse "));
		refusing += 10 * text_istarts(ran.text, LIT("empty-reply-to would-refuse "));
	}
	ck_assert_uint_eq(refusing, 11);
}
END_TEST

/* Exempt by recipient only if all of them are. */
START_TEST(exempt_if_all_recipients_are)
{
	f.config.base.empty_reply_to.mode = MODE_ENFORCE;
	table_exempt(&f.world, "empty-reply-to", LIST_RECIPIENT, "b@example.net");
	table_exempt(&f.world, "*", LIST_RECIPIENT, "@other.example");
	ck_said(message(FROM_DATE "Reply-To: <>\r\n"), "pass");
	ck_said(fixture_send(&f, "198.51.100.7", "b@example.net"), "pass");
	ck_said(fixture_rcpt(&f, "c@other.example"), "pass");
	ck_said(fixture_message(&f, FROM_DATE "Reply-To: <>\r\n", 100), "pass");
	ck_said(fixture_send(&f, "198.51.100.7", "b@example.net"), "pass");
	ck_said(fixture_rcpt(&f, "c@example.net"), "pass");
	ck_said(fixture_message(&f, FROM_DATE "Reply-To: <>\r\n", 100),
		"550 5.7.1 This message is administratively prohibited");
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("checks");
	Suite *suite = suite_create("checks_message");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, start, stop);
	tcase_add_test(tc, invalid_headers);
	tcase_add_test(tc, invalid_headers_options);
	tcase_add_test(tc, subject);
	tcase_add_test(tc, empty_reply_to);
	tcase_add_test(tc, bare_newline);
	tcase_add_test(tc, the_first_decides);
	tcase_add_test(tc, exempt_if_all_recipients_are);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
