/* The catalog against the specification's texts, and the form of every row. */
#include "policy/catalog.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

/* The specification, word for word, with values filled in. */
static const struct {
	enum reply_id id;
	int code;
	const char *enhanced;
	const char *values[2];
	const char *text;
} specified[] = {
    {REPLY_RATE_LIMIT, 450, "4.7.1", {"100", "1h"}, "You can only send 100 msgs per 1h"},
    {REPLY_BANNED_CLIENT, 550, "5.7.1", {"192.0.2.1"}, "The sender 192.0.2.1 is banned"},
    {REPLY_BANNED_DOMAIN, 550, "5.7.1", {"example.com"}, "The domain example.com is banned"},
    {REPLY_DICTIONARY_ATTACK, 550, "5.7.1", {0}, "Dictionary attack detected"},
    {REPLY_BOUNCE_RECIPIENTS,
     550,
     "5.7.1",
     {0},
     "Legitimate bounces are never sent to more than one recipient."},
    {REPLY_RESTRICTED_RECIPIENT, 553, "5.1.3", {0}, "Restricted characters in address"},
    {REPLY_RESTRICTED_SENDER, 553, "5.1.7", {0}, "Restricted characters in address"},
    {REPLY_SENDER_UNVERIFIED, 550, "5.1.8", {0}, "Sender verification failed"},
    {REPLY_RECIPIENT_UNVERIFIED, 550, "5.1.1", {0}, "Recipient verification failed"},
    {REPLY_RELAY_DENIED, 550, "5.7.1", {0}, "Relay not permitted"},
    {REPLY_UNKNOWN_RECIPIENT, 550, "5.1.1", {0}, "The email address does not exist"},
    {REPLY_DNSBL, 550, "5.7.1", {"rbl.baruwa.net"}, "The sender is in a black list rbl.baruwa.net"},
    {REPLY_DNSBL,
     550,
     "5.7.1",
     {"hostkarma.junkemailfilter.com"},
     "The sender is in a black list hostkarma.junkemailfilter.com"},
    {REPLY_DNSBL,
     550,
     "5.7.1",
     {"bl.spameatingmonkey.net"},
     "The sender is in a black list bl.spameatingmonkey.net"},
    {REPLY_DNSBL,
     550,
     "5.7.1",
     {"zen.spamhaus.org"},
     "The sender is in a black list zen.spamhaus.org"},
    {REPLY_DNSBL, 550, "5.7.1", {"bl.spamcop.net"}, "The sender is in a black list bl.spamcop.net"},
    {REPLY_DNSBL,
     550,
     "5.7.1",
     {"cbl.abuseat.org"},
     "The sender is in a black list cbl.abuseat.org"},
    {REPLY_SPF, 550, "5.7.23", {0}, "The message failed SPF checks"},
    {REPLY_REVERSE_DNS,
     550,
     "5.7.25",
     {"192.0.2.1"},
     "The sender 192.0.2.1 has no reverse DNS record"},
    {REPLY_ATTACHMENT, 550, "5.7.1", {0}, "Blacklisted file extension detected."},
    {REPLY_ANTIVIRUS, 550, "5.7.1", {0}, "The message was rejected due to security policies"},
    {REPLY_PROHIBITED_SUBJECT, 550, "5.7.1", {0}, "This message is administratively prohibited"},
    {REPLY_EMPTY_REPLY_TO, 550, "5.7.1", {0}, "This message is administratively prohibited"},
    {REPLY_NO_HELO, 503, "5.5.1", {0}, "The sender did not present a HELO/EHLO greeting"},
    {REPLY_HELO_IS_IP, 550, "5.7.1", {0}, "The sender presented HELO as an IP address"},
    {REPLY_DKIM, 550, "5.7.20", {"no signature"}, "DKIM failure: no signature"},
    {REPLY_AUTH_ONCE, 503, "5.5.1", {0}, "Authentication is allowed only once per message"},
    {REPLY_AUTH_BLOCKED,
     550,
     "5.7.1",
     {0},
     "The sender is blacklisted due to repeated auth failures"},
    {REPLY_TLS_REQUIRED, 530, "5.7.0", {0}, "TLS is required"},
    {REPLY_INVALID_HEADERS, 550, "5.6.0", {0}, "This message contains invalid headers"},
    {REPLY_BANNED_AT_CONNECT, 554, "", {"2001:db8::1"}, "The sender 2001:db8::1 is banned"},
};

static const char *filled(enum reply_id id, const char *one, const char *two)
{
	static char line[600];
	const struct text values[CATALOG_VALUES] = {text_of(one), text_of(two)};
	struct buf b = buf_over(line, sizeof(line));

	catalog_text(id, values, &b);
	ck_assert(!b.cut);
	return line;
}

START_TEST(says_what_is_specified)
{
	for (size_t i = 0; i < sizeof(specified) / sizeof(specified[0]); i++) {
		const struct catalog_row *row = catalog_row(specified[i].id);

		ck_assert_str_eq(
		    filled(specified[i].id, specified[i].values[0], specified[i].values[1]),
		    specified[i].text);
		ck_assert_int_eq(row->code, specified[i].code);
		ck_assert_str_eq(row->enhanced, specified[i].enhanced);
	}
}
END_TEST

/* RFC 3463: class.subject.detail, of the reply's class; RFC 2034 leaves greetings without. */
static void check_enhanced(const struct catalog_row *row)
{
	int class, subject, detail, n = 0;

	if (!*row->enhanced) {
		ck_assert_msg(row->code == 554 || row->code == 421, "%s", row->id);
		return;
	}
	ck_assert_int_eq(sscanf(row->enhanced, "%d.%d.%d%n", &class, &subject, &detail, &n), 3);
	ck_assert_int_eq(n, (int)strlen(row->enhanced));
	ck_assert_msg(class == row->code / 100, "%s", row->id);
}

START_TEST(every_row_has_its_form)
{
	for (unsigned id = 0; id < REPLY_COUNT; id++) {
		const struct catalog_row *row = catalog_row(id);

		ck_assert_msg(row->code >= 400 && row->code < 600, "%s", row->id);
		ck_assert_msg(strlen(row->meaning) > 10 && strlen(row->remedy) > 5, "%s", row->id);
		ck_assert(strlen(row->text) > 1);
		for (const char *p = row->text; *p; p++)
			ck_assert_msg(*p >= 0x20 && *p < 0x7f, "%s", row->id);
		check_enhanced(row);
	}
}
END_TEST

START_TEST(values_are_cleaned_and_cut)
{
	char longest[1000];

	ck_assert_str_eq(filled(REPLY_BANNED_ADDRESS, "a\r\nb\t\x7f\xc3\xa9%s", ""),
			 "The sender a??b????%s is banned");
	memset(longest, 'x', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	for (unsigned id = 0; id < REPLY_COUNT; id++) {
		const char *line = filled(id, longest, longest);

		ck_assert_msg(strlen(line) < 450, "%s", catalog_row(id)->id);
	}
	ck_assert_ptr_nonnull(strstr(filled(REPLY_BANNED_ADDRESS, longest, ""), "x... is banned"));
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("catalog");
	Suite *suite = suite_create("catalog");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, says_what_is_specified);
	tcase_add_test(tc, every_row_has_its_form);
	tcase_add_test(tc, values_are_cleaned_and_cut);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
