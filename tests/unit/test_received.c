/* The Received field: its words for each kind of session, and names that try to break out of it. */
#include "worker/smtp/received.h"

#include <check.h>
#include <stdlib.h>

static struct config config;
static struct transaction tx;
static struct recipient rcpt[2];
static struct session s;
static char field[RECEIVED_MAX];

static void set_up(void)
{
	config = (struct config){.global = {.hostname = LIT("mx1.test")}};
	tx = (struct transaction){.recipients = rcpt, .recipient_count = 1};
	rcpt[0] = (struct recipient){.mailbox = {.whole = LIT("bob@local.test")}};
	s = (struct session){.config = &config,
			     .tx = &tx,
			     .helo = LIT("client.example"),
			     .esmtp = true,
			     .id = "0123456789"};
	ck_assert(ip_parse(LIT("192.0.2.1"), &s.client));
	setenv("TZ", "UTC", 1);
}

static const char *format(void)
{
	struct buf out = buf_over(field, sizeof(field));

	received_format(&s, 3, 1780302847000000, &out);
	ck_assert(!out.cut);
	return field;
}

START_TEST(whole)
{
	ck_assert_str_eq(format(), "Received: from client.example ([192.0.2.1])\r\n"
				   "\tby mx1.test with ESMTP id 0123456789.3\r\n"
				   "\tfor <bob@local.test>;\r\n"
				   "\tMon, 01 Jun 2026 08:34:07 +0000\r\n");
	s.host = LIT("mail.client.example");
	tx.recipient_count = 2;
	ck_assert(ip_parse(LIT("2001:db8::1"), &s.client));
	ck_assert_str_eq(
	    format(), "Received: from client.example (mail.client.example [IPv6:2001:db8::1])\r\n"
		      "\tby mx1.test with ESMTP id 0123456789.3;\r\n"
		      "\tMon, 01 Jun 2026 08:34:07 +0000\r\n");
}
END_TEST

START_TEST(protocols)
{
	static const struct {
		bool esmtp, tls, login, utf8;
		const char *want;
	} rows[] = {
	    {false, false, false, false, "SMTP"},   {true, false, false, false, "ESMTP"},
	    {true, true, false, false, "ESMTPS"},   {true, false, true, false, "ESMTPA"},
	    {true, true, true, false, "ESMTPSA"},   {true, false, false, true, "UTF8SMTP"},
	    {true, true, false, true, "UTF8SMTPS"}, {true, true, true, true, "UTF8SMTPSA"},
	    {false, true, false, false, "ESMTPS"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char word[16];

		s.esmtp = rows[i].esmtp;
		s.tls = rows[i].tls;
		s.login = rows[i].login ? LIT("ann") : LIT("");
		tx.smtputf8 = rows[i].utf8;
		ck_assert_str_eq(received_protocol(&s, word), rows[i].want);
	}
}
END_TEST

START_TEST(hostile_names)
{
	s.helo = LIT("x) by evil (\r\nX-Evil: 1\0\x7f\xff\"\\<>;,");
	ck_assert(strstr(format(), "from x??by?evil????X-Evil:?1????????? ([192.0.2.1])\r\n"));
	s.helo = LIT("[192.0.2.7]");
	ck_assert(strstr(format(), "from [192.0.2.7] ("));
	s.helo = LIT("");
	ck_assert(strstr(format(), "from unknown ("));
}
END_TEST

START_TEST(longest)
{
	static char name[4000], path[ADDRESS_PATH_MAX], us[255];

	memset(name, 'a', sizeof(name));
	memset(path, 'p', sizeof(path));
	memset(us, 'u', sizeof(us));
	s.helo = text_make(name, sizeof(name));
	s.host = text_make(name, sizeof(name));
	rcpt[0].mailbox.whole = text_make(path, sizeof(path));
	config.global.hostname = text_make(us, sizeof(us));
	ck_assert(ip_parse(LIT("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"), &s.client));
	/* Nothing is cut, and no line is longer than a message's line may be. */
	size_t line = 0;
	for (const char *p = format(); *p; p++) {
		line = *p == '\n' ? 0 : line + 1;
		ck_assert_uint_le(line, 999);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("received");
	TCase *tc = tcase_create("received");
	SRunner *sr = srunner_create(suite);

	tcase_add_checked_fixture(tc, set_up, NULL);
	tcase_add_test(tc, whole);
	tcase_add_test(tc, protocols);
	tcase_add_test(tc, hostile_names);
	tcase_add_test(tc, longest);
	suite_add_tcase(suite, tc);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
