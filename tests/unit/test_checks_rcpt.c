/* The checks on a recipient, by the whole engine. */
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

static struct decision to(const char *recipient)
{
	return fixture_send(&f, "198.51.100.7", recipient);
}

START_TEST(relay)
{
	struct route out = {0};

	ck_said(to("x@elsewhere.example"), "550 5.7.1 Relay not permitted");
	f.s.own = true;
	ck_said(to("x@elsewhere.example"), "550 5.7.1 Relay not permitted");
	f.config.relay_route = &out;
	ck_said(to("x@elsewhere.example"), "pass");
	ck_said(to("x@example.net"), "pass");
	f.s.own = false;
	ck_said(to("x@elsewhere.example"), "550 5.7.1 Relay not permitted");
}
END_TEST

/* An open relay is what no setting may make. */
START_TEST(relay_knows_no_mode_and_no_exemption)
{
	f.config.base.relay.mode = MODE_OFF;
	f.config.global.mode = RUN_MONITOR;
	table_exempt(&f.world, "relay", LIST_CLIENT, "198.51.100.7");
	table_exempt(&f.world, "*", LIST_CLIENT, "198.51.100.7");
	ck_said(to("x@elsewhere.example"), "550 5.7.1 Relay not permitted");
	ck_said(to("postmaster@elsewhere.example"), "550 5.7.1 Relay not permitted");
	f.config.global.mode = RUN_SOFT;
	ck_said(to("x@elsewhere.example"), "451 4.7.1 Relay not permitted");
}
END_TEST

START_TEST(restricted_recipient)
{
	static const char *const refused[] = {
	    "\".a\"@example.net",      "\"a@b\"@example.net",     "a%elsewhere.example@example.net",
	    "elsewhere!a@example.net", "/etc/passwd@example.net", "\"|sh\"@example.net",
	};
	static const char *const taken[] = {
	    "o'brien@example.net",
	    "list+a=b.example@example.net",
	    "a&b@example.net",
	    "prvs=123-x=user@example.net",
	    "SRS0=HHH=TT=e.com=u@example.net",
	    "#1@example.net",
	    "~a@example.net",
	    "a_b-c*d?e^f@example.net",
	};

	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		ck_said(to(refused[i]), "553 5.1.3 Restricted characters in address");
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
		ck_said(to(taken[i]), "pass");
	f.config.base.restricted_recipient.characters = LIT("~");
	ck_said(to("~a@example.net"), "553 5.1.3 Restricted characters in address");
	ck_said(to("a%b@example.net"), "pass");
	f.config.base.restricted_recipient.mode = MODE_MONITOR;
	ck_said(to("~a@example.net"), "pass");
}
END_TEST

START_TEST(banned_recipient)
{
	table_ban(&f.world, LIST_RECIPIENT, "old@example.net");
	table_ban(&f.world, LIST_RECIPIENT, "@other.example");
	ck_said(to("Old@example.net"), "550 5.7.1 The recipient Old@example.net is banned");
	ck_said(to("old+x@example.net"), "550 5.7.1 The recipient old+x@example.net is banned");
	ck_said(to("x@other.example"), "550 5.7.1 The recipient x@other.example is banned");
	ck_said(to("new@example.net"), "pass");
}
END_TEST

START_TEST(tls_required)
{
	struct net net = {0};

	f.domains[0].set.tls = DOMAIN_TLS_REQUIRED;
	ck_said(to("x@example.net"), "530 5.7.0 TLS is required");
	/* The way to tell us that TLS can't be had. */
	ck_said(to("postmaster@example.net"), "pass");
	fixture_connect(&f, "198.51.100.7");
	f.s.tls = true;
	fixture_helo(&f, "mx.example.org");
	fixture_mail(&f, "a@example.org");
	ck_said(fixture_rcpt(&f, "x@example.net"), "pass");
	table_exempt(&f.world, "tls-required", LIST_CLIENT, "198.51.100.7");
	ck_said(to("x@example.net"), "pass");
	ck_said(fixture_send(&f, "198.51.100.8", "x@example.net"), "530 5.7.0 TLS is required");
	f.domains[0].set.tls = DOMAIN_TLS_OFFERED;
	ck_said(fixture_send(&f, "198.51.100.8", "x@example.net"), "pass");

	net_parse(LIT("198.51.100.8/31"), &net);
	f.config.base.tls_required.clients = (struct net_list){&net, 1};
	ck_said(fixture_send(&f, "198.51.100.9", "x@example.net"), "530 5.7.0 TLS is required");
	ck_said(fixture_send(&f, "198.51.100.10", "x@example.net"), "pass");
	f.config.base.tls_required.mode = MODE_MONITOR;
	ck_said(fixture_send(&f, "198.51.100.9", "x@example.net"), "pass");
}
END_TEST

static void bounce(void)
{
	fixture_connect(&f, "198.51.100.7");
	fixture_helo(&f, "mx.example.org");
	fixture_mail(&f, "");
}

START_TEST(bounce_recipients)
{
	const char *refused =
	    "550 5.7.1 Legitimate bounces are never sent to more than one recipient.";

	bounce();
	ck_said(fixture_rcpt(&f, "a@example.net"), "pass");
	ck_said(engine_data(&f.s), "pass");
	ck_said(fixture_rcpt(&f, "b@example.net"), refused);
	/* Else the first recipient would get what the second was refused. */
	ck_said(engine_data(&f.s), refused);
	bounce();
	ck_said(fixture_rcpt(&f, "a@example.net"), "pass");
	ck_said(engine_data(&f.s), "pass");
	/* A refused recipient is none. */
	bounce();
	ck_said(fixture_rcpt(&f, "x@elsewhere.example"), "550 5.7.1 Relay not permitted");
	ck_said(fixture_rcpt(&f, "a@example.net"), "pass");
	ck_said(engine_data(&f.s), "pass");
	/* Journals of own servers have several. */
	f.s.own = true;
	bounce();
	ck_said(fixture_rcpt(&f, "a@example.net"), "pass");
	ck_said(fixture_rcpt(&f, "b@example.net"), "pass");
	ck_said(engine_data(&f.s), "pass");
}
END_TEST

/* The rest of the transaction is judged anew, for those who would get it. */
START_TEST(bounce_recipients_at_data)
{
	bounce();
	ck_said(fixture_rcpt(&f, "postmaster@example.net"), "pass");
	ck_assert(fixture_rcpt(&f, "b@example.net").refused);
	ck_said(engine_data(&f.s), "pass");
	/* An exemption that can't be read is ours, and stays so whoever was asked for since. */
	f.world.lists_away = true;
	bounce();
	ck_said(fixture_rcpt(&f, "a@example.net"), "pass");
	ck_said(fixture_rcpt(&f, "b@example.net"),
		"451 4.3.0 A check could not be completed, try again later");
	ck_said(fixture_rcpt(&f, "postmaster@example.net"), "pass");
	ck_said(engine_data(&f.s), "451 4.3.0 A check could not be completed, try again later");
}
END_TEST

START_TEST(bounce_recipients_monitored)
{
	f.config.base.bounce_recipients.mode = MODE_MONITOR;
	bounce();
	ck_said(fixture_rcpt(&f, "a@example.net"), "pass");
	ck_said(fixture_rcpt(&f, "b@example.net"), "pass");
	ck_said(engine_data(&f.s), "pass");
}
END_TEST

START_TEST(unknown_recipient)
{
	const char *refused = "550 5.1.1 The email address does not exist";

	f.domains[0].set.recipients = RECIPIENTS_LIST;
	f.world.has_recipients = true;
	f.world.recipients[0] = "a@example.net";
	ck_said(to("a@example.net"), "pass");
	ck_assert_uint_eq(f.world.hop_asked, 0);
	ck_said(to("b@example.net"), refused);
	ck_assert_uint_eq(f.world.hop_asked, 0);
	table_exempt(&f.world, "unknown-recipient", LIST_RECIPIENT, "b@example.net");
	ck_said(to("b@example.net"), "pass");
	ck_assert_uint_eq(f.world.hop_asked, 1);
	/* No list is asked of another domain's. */
	ck_said(to("b@other.example"), "pass");
	ck_assert_uint_eq(f.world.hop_asked, 1);
}
END_TEST

/* An empty list is unknown, never "nobody exists". */
START_TEST(an_empty_list_says_nothing)
{
	f.domains[0].set.recipients = RECIPIENTS_LIST;
	ck_said(to("b@example.net"), "pass");
	ck_assert_uint_eq(f.world.hop_asked, 1);
	f.config.base.unknown_recipient.unknown = UNKNOWN_DEFER;
	ck_said(to("b@example.net"), "451 4.3.0 A check could not be completed, try again later");
	ck_assert_uint_eq(f.world.hop_asked, 1);
	f.config.base.unknown_recipient.unknown = UNKNOWN_PASS;
	ck_said(to("b@example.net"), "pass");
	ck_assert_uint_eq(f.world.hop_asked, 1);
}
END_TEST

static struct decision hop_says(int code, const char *enhanced)
{
	f.world.hop_answer = code >= 500            ? ANSWER_NO
			     : code >= 400 || !code ? ANSWER_UNKNOWN
						    : ANSWER_YES;
	f.world.hop = (struct hop_reply){
	    .code = (short)code, .text = LIT("no such user here"), .hop = LIT("smtp://hop:25")};
	strcpy(f.world.hop.enhanced, enhanced);
	return to("b@example.net");
}

START_TEST(recipient_verify)
{
	f.domains[0].set.recipients = RECIPIENTS_LIVE;
	ck_said(hop_says(250, "2.1.5"), "pass");
	ck_said(hop_says(550, "5.1.1"), "550 5.1.1 Recipient verification failed");
	ck_said(hop_says(553, ""), "553 5.1.1 Recipient verification failed");
	ck_said(hop_says(550, "5.2.1"), "550 5.2.1 Recipient verification failed");
	ck_said(hop_says(554, "5.7.1"), "554 5.7.1 Recipient verification failed");
	ck_said(hop_says(552, "5.2.2"), "552 5.1.1 Recipient verification failed");
	ck_said(hop_says(550, "4.1.1"), "550 5.1.1 Recipient verification failed");
	/* The hop's 4xx stays one. */
	ck_said(hop_says(450, "4.2.0"), "450 4.2.0 The next hop deferred the message");
	ck_said(hop_says(452, ""), "452 4.3.0 The next hop deferred the message");
	f.config.global.hop_text = true;
	ck_said(hop_says(550, "5.1.1"),
		"550 5.1.1 Recipient verification failed: no such user here");
	/* Nobody is asked where everybody exists. */
	f.domains[0].set.recipients = RECIPIENTS_ANY;
	ck_said(hop_says(550, "5.1.1"), "pass");
	/* But a Maildir always is. */
	f.hop.kind = HOP_MAILDIR;
	ck_said(hop_says(550, "5.1.1"),
		"550 5.1.1 Recipient verification failed: no such user here");
}
END_TEST

/* What is ours or the network's is never a 5xx. */
START_TEST(a_hop_in_trouble_defers)
{
	const char *away = "451 4.3.0 The next hop is not available, try again later";

	f.domains[0].set.recipients = RECIPIENTS_LIVE;
	ck_said(hop_says(0, ""), away);
	ck_said(hop_says(421, "4.3.2"), away);
	ck_said(hop_says(530, "5.7.0"), away);
	ck_said(hop_says(500, ""), away);
	f.config.base.recipient_verify.mode = MODE_MONITOR;
	ck_said(hop_says(0, ""), "pass");
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("checks");
	Suite *suite = suite_create("checks_rcpt");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, start, stop);
	tcase_add_test(tc, relay);
	tcase_add_test(tc, relay_knows_no_mode_and_no_exemption);
	tcase_add_test(tc, restricted_recipient);
	tcase_add_test(tc, banned_recipient);
	tcase_add_test(tc, tls_required);
	tcase_add_test(tc, bounce_recipients);
	tcase_add_test(tc, bounce_recipients_at_data);
	tcase_add_test(tc, bounce_recipients_monitored);
	tcase_add_test(tc, unknown_recipient);
	tcase_add_test(tc, an_empty_list_says_nothing);
	tcase_add_test(tc, recipient_verify);
	tcase_add_test(tc, a_hop_in_trouble_defers);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
