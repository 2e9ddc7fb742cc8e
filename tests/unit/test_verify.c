/* Addresses that other servers are asked about, by the whole engine: what each answer means, what
 * is remembered of it, and who is never asked. */
#include "policy/reachable.h"
#include "policy/verify.h"
#include "tests/unit/world_table.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#define CLIENT  "198.51.100.7"
#define TO      "b@example.net"
#define REFUSED "550 5.1.7 Sender verification failed"
#define LATER   "451 4.3.0 A check could not be completed, try again later"
#define HOUR_US INT64_C(3600000000)

static struct fixture f;

static void start(void)
{
	fixture_init(&f);
	f.config.base.sender_callout.mode = MODE_ENFORCE;
	f.world.callout.stage = CALLOUT_RCPT;
	snprintf(f.world.callout.hop, sizeof(f.world.callout.hop), "mx.example.org [192.0.2.1]");
	table_records(&f.world, "example.org", DNS_MX, "20 b.example.org", "10 a.example.org",
		      "30 c.example.org", "40 d.example.org");
	table_records(&f.world, "a.example.org", DNS_A, "192.0.2.1", "10.0.0.1");
	table_records(&f.world, "b.example.org", DNS_A, "127.0.0.1");
	table_records(&f.world, "b.example.org", DNS_AAAA, "::1", "2001:db8::1");
	table_records(&f.world, "c.example.org", DNS_A, "192.0.2.3", "192.0.2.4", "192.0.2.5");
}

static void stop(void)
{
	fixture_free(&f);
}

static struct callout_reply reply(short code, const char *enhanced)
{
	struct callout_reply r = {.code = code, .text = "some words"};

	snprintf(r.enhanced, sizeof(r.enhanced), "%s", enhanced);
	return r;
}

static void answers(short code, const char *enhanced, short second)
{
	f.world.callout.stage = CALLOUT_RCPT;
	f.world.callout.first = reply(code, enhanced);
	f.world.callout.second = reply(second, "");
}

static struct decision from(const char *sender)
{
	fixture_connect(&f, CLIENT);
	fixture_helo(&f, "client.example.org");
	fixture_mail(&f, sender);
	return fixture_rcpt(&f, TO);
}

START_TEST(servers_by_preference_and_within_reach)
{
	char ip[IP_TEXT_MAX];
	static const char *const wanted[] = {"192.0.2.1", "2001:db8::1", "192.0.2.3", "192.0.2.4"};

	answers(250, "", 550);
	ck_said(from("a@example.org"), "pass");
	ck_assert_uint_eq(f.world.callout_asked.target_count, 4);
	for (int i = 0; i < 4; i++)
		ck_assert_str_eq(ip_format(&f.world.callout_targets[i].ip, ip), wanted[i]);
	ck_assert(text_eq(f.world.callout_targets[1].name, LIT("b.example.org")));
	ck_assert_uint_eq(f.world.callout_asked.port, 25);
	ck_assert(text_iends(f.world.callout_asked.if_taken, LIT("@example.org")));
	ck_assert(text_eq(f.world.callout_asked.if_unclear, LIT("postmaster@example.org")));
	ck_assert_uint_eq(f.world.verify_joined, 1);
	ck_assert_uint_eq(f.world.verify_ended, 1);
}
END_TEST

START_TEST(without_an_mx_record)
{
	answers(550, "5.1.1", 0);
	table_dns(&f.world, "example.com", DNS_MX, DNS_NODATA);
	table_records(&f.world, "example.com", DNS_A, "192.0.2.9");
	ck_said(from("a@example.com"), REFUSED);
	ck_assert_uint_eq(f.world.callout_asked.target_count, 1);
	table_records(&f.world, "null.example", DNS_MX, "0 ");
	ck_said(from("a@null.example"), "pass");
	table_records(&f.world, "inner.example", DNS_MX, "10 inner.example");
	table_records(&f.world, "inner.example", DNS_A, "192.168.1.1");
	table_dns(&f.world, "inner.example", DNS_AAAA, DNS_NODATA);
	ck_said(from("a@inner.example"), "pass");
	ck_assert_uint_eq(f.world.callouts, 1);
	f.config.base.sender_verify.private_targets = true;
	ck_said(from("a@inner.example"), REFUSED);
}
END_TEST

START_TEST(who_is_not_asked_about)
{
	answers(550, "5.1.1", 0);
	ck_said(from(""), "pass");
	ck_said(from("a@[192.0.2.1]"), "pass");
	ck_said(from("a@example.net"), "pass"); /* ours */
	ck_said(from("j\xc3\xbcrg@example.org"), "pass");
	fixture_connect(&f, CLIENT);
	fixture_helo(&f, "client.example.org");
	fixture_mail(&f, "a@example.org");
	ck_said(fixture_rcpt(&f, "postmaster@example.net"), "pass");
	ck_said(fixture_rcpt(&f, "x@elsewhere.example"), "550 5.7.1 Relay not permitted");
	table_ban(&f.world, LIST_RECIPIENT, TO);
	ck_said(fixture_rcpt(&f, TO), "550 5.7.1 The recipient " TO " is banned");
	f.world.listed_count = 0;
	ck_assert_uint_eq(f.world.callouts, 0);
	f.s.own = true;
	ck_said(from("a@example.org"), "pass");
	ck_assert_uint_eq(f.world.callouts, 0);
	f.s.own = false;
	ck_said(from("a@example.org"), REFUSED);
}
END_TEST

static const struct meaning {
	short code;
	const char *enhanced;
	short second;
	const char *said;       /* to the client */
	const char *strictly;   /* with unknown = defer */
	const char *remembered; /* of the address; "": nothing */
	const char *of_domain;
	unsigned asked; /* in the three sessions that follow each other */
} meanings[] = {
    {250, "2.1.5", 550, "pass", "pass", "takes", "discerns", 1},
    {250, "", 553, "pass", "pass", "takes", "discerns", 1},
    {251, "", 450, "pass", "pass", "takes", "", 1},
    {250, "", 0, "pass", "pass", "takes", "", 1},
    {250, "", 250, "pass", "pass", "", "anything", 1},
    {550, "5.1.1", 0, REFUSED, REFUSED, "refuses", "", 1},
    {553, "5.1.3", 0, REFUSED, REFUSED, "refuses", "", 1},
    {550, "5.2.1", 0, REFUSED, REFUSED, "refuses", "", 1},
    {550, "", 250, REFUSED, REFUSED, "refuses", "", 1},
    {551, "", 250, REFUSED, REFUSED, "refuses", "", 1},
    {550, "", 550, "pass", "pass", "nothing", "", 1},
    {550, "", 450, "pass", "pass", "nothing", "", 1},
    {550, "", 0, "pass", "pass", "nothing", "", 1},
    {550, "5.7.1", 250, "pass", "pass", "nothing", "", 1},
    {552, "5.2.2", 250, "pass", "pass", "nothing", "", 1},
    {554, "", 250, "pass", "pass", "nothing", "", 1},
    {450, "4.2.1", 0, "pass", LATER, "nothing", "", 1},
    {421, "4.3.2", 0, "pass", LATER, "nothing", "", 1},
    {0, "", 0, "pass", LATER, "nothing", "", 1},
};

/* The last that the keeper was told of a key. */
static const char *told_of(const char *key)
{
	static char what[32];

	what[0] = '\0';
	for (unsigned i = 0; i < f.world.event_count; i++) {
		const struct event *e = &f.world.events[i];

		if (event_kind(e) == EVENT_VERIFIED && strcmp(table_field(e, FIELD_key), key) == 0)
			snprintf(what, sizeof(what), "%s", table_field(e, FIELD_verdict));
	}
	return what;
}

START_TEST(what_an_answer_means)
{
	const struct meaning *m = &meanings[_i];

	answers(m->code, m->enhanced, m->second);
	ck_said(from("A@example.org"), m->said);
	ck_said(from("a@example.org"), m->said);
	f.config.base.sender_callout.unknown = NO_ANSWER_DEFER;
	ck_said(from("a@example.org"), m->strictly);
	ck_assert_uint_eq(f.world.callouts, m->asked);
	ck_assert_str_eq(told_of("a@example.org"), m->remembered);
	ck_assert_str_eq(told_of("@example.org"), m->of_domain);
}
END_TEST

START_TEST(before_the_recipient)
{
	answers(550, "5.7.1", 0);
	f.world.callout.stage = CALLOUT_MAIL;
	f.config.base.sender_callout.unknown = NO_ANSWER_DEFER;
	ck_said(from("a@example.org"), "pass");
	ck_said(from("b@example.org"), "pass");
	ck_assert_uint_eq(f.world.callouts, 1);
	ck_assert_str_eq(told_of("@example.org"), "no-null-sender");
	f.world.wall_us += 2 * HOUR_US;
	f.world.boot_us += 2 * HOUR_US;
	f.world.callout.stage = CALLOUT_GREETING;
	ck_said(from("a@example.org"), LATER);
	ck_said(from("b@example.org"), LATER);
	ck_assert_uint_eq(f.world.callouts, 2);
}
END_TEST

START_TEST(times_to_live)
{
	answers(250, "", 550);
	from("a@example.org");
	answers(550, "5.1.1", 0);
	ck_said(from("b@example.org"), REFUSED);
	answers(250, "", 550);
	f.world.wall_us += 2 * HOUR_US - 1000000;
	f.world.boot_us += 2 * HOUR_US - 1000000;
	ck_said(from("b@example.org"), REFUSED);
	ck_assert_uint_eq(f.world.callouts, 2);
	f.world.wall_us += 1000001;
	f.world.boot_us += 1000001;
	ck_said(from("b@example.org"), "pass");
	ck_assert_uint_eq(f.world.callouts, 3);
	f.world.wall_us += 165 * HOUR_US;
	answers(550, "5.1.1", 0);
	ck_said(from("a@example.org"), "pass");
	f.world.wall_us += 2 * HOUR_US;
	ck_said(from("a@example.org"), REFUSED);
}
END_TEST

/* Who has no useful answer is left in peace for a while; our own faults are held against nobody. */
START_TEST(in_peace_for_a_while)
{
	answers(0, "", 0);
	f.world.callout.stage = CALLOUT_UNREACHED;
	f.world.callout.ours = true;
	ck_said(from("a@example.org"), "pass");
	ck_said(from("a@example.org"), "pass");
	ck_assert_uint_eq(f.world.callouts, 2);
	f.world.callout.ours = false;
	ck_said(from("a@example.org"), "pass");
	ck_said(from("b@example.org"), "pass");
	ck_assert_uint_eq(f.world.callouts, 3);
	f.world.boot_us += 6 * 60 * INT64_C(1000000);
	ck_said(from("b@example.org"), "pass");
	ck_assert_uint_eq(f.world.callouts, 4);
}
END_TEST

START_TEST(a_limit_for_each_target)
{
	answers(550, "5.1.1", 0);
	f.config.base.sender_callout.rate = (struct rate){2, HOUR_US};
	ck_said(from("a@example.org"), REFUSED);
	ck_said(from("b@example.org"), REFUSED);
	ck_said(from("c@example.org"), "pass");
	ck_said(from("b@example.org"), REFUSED); /* remembered */
	/* another domain at the same server */
	table_records(&f.world, "example.com", DNS_MX, "10 a.example.org");
	ck_said(from("a@example.com"), "pass");
	table_records(&f.world, "example.info", DNS_MX, "10 c.example.org");
	ck_said(from("a@example.info"), REFUSED);
	f.config.base.sender_callout.unknown = NO_ANSWER_DEFER;
	ck_said(from("c@example.org"), "pass"); /* or who fills it could stop the others' mail */
	ck_assert_uint_eq(f.world.callouts, 3);
	ck_assert_uint_eq(f.world.verify_ended, f.world.verify_joined);
}
END_TEST

START_TEST(another_session_asks_the_same)
{
	struct verify_answer other = {.said = VERIFY_REFUSES,
				      .found = {.code = 550, .hop = "mx", .text = "no"}};

	f.world.other = &other;
	ck_said(from("a@example.org"), REFUSED);
	other.said = VERIFY_SILENT;
	ck_said(from("a@example.org"), "pass");
	ck_assert_uint_eq(f.world.callouts, 0);
	ck_assert_uint_eq(f.world.verify_ended, 0);
}
END_TEST

START_TEST(modes_and_exemptions)
{
	answers(550, "5.1.1", 0);
	f.config.base.sender_callout.mode = MODE_MONITOR;
	ck_said(from("a@example.org"), "pass");
	ck_assert_uint_eq(f.world.metrics[METRIC_would_refuse], 1);
	f.config.base.sender_callout.mode = MODE_ENFORCE;
	table_exempt(&f.world, "sender-callout", LIST_ADDRESS, "a@example.org");
	ck_said(from("a@example.org"), "pass");
	f.world.listed_count = 0;
	ck_said(from("a@example.org"), REFUSED);
	/* it stands for all recipients of the transaction */
	ck_said(fixture_rcpt(&f, "c@example.net"), REFUSED);
	ck_assert_uint_eq(f.world.callouts, 1);
	f.config.base.sender_callout.mode = MODE_OFF;
	ck_said(from("a@example.org"), "pass");
}
END_TEST

/* --- recipients */

#define UNVERIFIED "550 5.1.1 Recipient verification failed"

static void verify_recipients(void)
{
	f.config.base.sender_callout.mode = MODE_OFF;
	f.domains[0].set.recipients = RECIPIENTS_VERIFY;
	f.domains[0].verify_route = &f.route;
}

static struct decision to(const char *recipient)
{
	return fixture_send(&f, CLIENT, recipient);
}

static const struct {
	short code;
	const char *enhanced, *said, *remembered;
} of_recipients[] = {
    {250, "2.1.5", "pass", "takes"},
    {550, "5.1.1", UNVERIFIED, "refuses"},
    {550, "", UNVERIFIED, "refuses"},
    {550, "5.2.1", "550 5.2.1 Recipient verification failed", "refuses"},
    {550, "5.7.1", "550 5.7.1 Recipient verification failed", "nothing"},
    {552, "5.2.2", "552 5.1.1 Recipient verification failed", "nothing"},
    {553, "5.6.7", "553 5.6.7 The address needs SMTPUTF8", "nothing"},
    {530, "5.7.0", "451 4.3.0 The next hop is not available, try again later", "nothing"},
    {450, "4.2.1", "450 4.2.1 The next hop deferred the message", "nothing"},
    {0, "", "451 4.3.0 The next hop is not available, try again later", "nothing"},
};

START_TEST(recipients_are_asked_once)
{
	const bool is_final = of_recipients[_i].remembered[0] != 'n';

	verify_recipients();
	answers(of_recipients[_i].code, of_recipients[_i].enhanced, 550);
	f.world.hop_answer = ANSWER_NO; /* live */
	f.world.hop.code = 550;
	ck_said(to(TO), of_recipients[_i].said);
	ck_said(to("B@example.net"), of_recipients[_i].said);
	ck_assert_uint_eq(f.world.callouts, is_final ? 1 : 2);
	ck_assert_str_eq(told_of(TO), of_recipients[_i].remembered);
	ck_assert_ptr_eq(f.world.callout_asked.route, &f.route);
	ck_assert_uint_eq(f.world.callout_asked.target_count, 0);
	ck_assert_uint_eq(f.world.hop_asked, 0);
}
END_TEST

START_TEST(next_hops_that_can_not_be_asked_so)
{
	struct route other = f.route;

	verify_recipients();
	answers(250, "", 250);
	ck_said(to(TO), "pass");
	ck_said(to("c@example.net"), "pass");
	ck_assert_uint_eq(f.world.callouts, 1);
	f.world.event_count = 0;
	answers(550, "5.7.1", 0);
	f.world.callout.stage = CALLOUT_MAIL;
	f.world.hop_answer = ANSWER_NO;
	f.world.hop = (struct hop_reply){.code = 550, .enhanced = "5.1.1"};
	ck_said(to(TO), UNVERIFIED); /* live */
	ck_assert_uint_eq(f.world.hop_asked, 1);
	f.domains[0].verify_route = &other;
	ck_said(to(TO), "pass");
	ck_assert_uint_eq(f.world.hop_asked, 1);
}
END_TEST

START_TEST(hosts_are_asked_within_a_limit)
{
	verify_recipients();
	answers(550, "5.1.1", 0);
	f.config.base.recipient_verify.rate = (struct rate){1, HOUR_US};
	ck_said(to(TO), UNVERIFIED);
	ck_said(to("c@example.net"), LATER);
	ck_said(to(TO), UNVERIFIED);
	ck_assert_uint_eq(f.world.callouts, 1);
}
END_TEST

static const char *const nowhere[] = {"0.0.0.0",      "10.1.2.3",        "127.0.0.1",
				      "169.254.1.1",  "172.16.0.1",      "172.31.255.255",
				      "192.168.0.1",  "192.0.0.1",       "198.18.0.1",
				      "198.19.9.9",   "100.64.0.1",      "100.127.0.1",
				      "224.0.0.1",    "255.255.255.255", "::",
				      "::1",          "::7f00:1",        "fc00::1",
				      "fd12::1",      "fe80::1",         "fec0::1",
				      "ff02::1",      "64:ff9b::a00:1",  "64:ff9b:1::1",
				      "2002:a00:1::1"};
static const char *const somewhere[] = {"1.1.1.1",     "192.0.2.1", "172.32.0.1",  "198.17.0.1",
					"100.128.0.1", "223.1.1.1", "2001:db8::1", "2a00::1"};

START_TEST(reach)
{
	struct ip ip;

	for (size_t i = 0; i < sizeof(nowhere) / sizeof(nowhere[0]); i++) {
		ck_assert(ip_parse(text_of(nowhere[i]), &ip));
		ck_assert_msg(!ip_is_reachable(&ip), "%s", nowhere[i]);
	}
	for (size_t i = 0; i < sizeof(somewhere) / sizeof(somewhere[0]); i++) {
		ck_assert(ip_parse(text_of(somewhere[i]), &ip));
		ck_assert_msg(ip_is_reachable(&ip), "%s", somewhere[i]);
	}
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("verify");
	Suite *suite = suite_create("verify");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, start, stop);
	tcase_add_test(tc, servers_by_preference_and_within_reach);
	tcase_add_test(tc, without_an_mx_record);
	tcase_add_test(tc, who_is_not_asked_about);
	tcase_add_loop_test(tc, what_an_answer_means, 0, sizeof(meanings) / sizeof(meanings[0]));
	tcase_add_test(tc, before_the_recipient);
	tcase_add_test(tc, times_to_live);
	tcase_add_test(tc, in_peace_for_a_while);
	tcase_add_test(tc, a_limit_for_each_target);
	tcase_add_test(tc, another_session_asks_the_same);
	tcase_add_test(tc, modes_and_exemptions);
	tcase_add_loop_test(tc, recipients_are_asked_once, 0,
			    sizeof(of_recipients) / sizeof(of_recipients[0]));
	tcase_add_test(tc, next_hops_that_can_not_be_asked_so);
	tcase_add_test(tc, hosts_are_asked_within_a_limit);
	tcase_add_test(tc, reach);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
