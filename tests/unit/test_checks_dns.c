/* The checks that ask the DNS, by the whole engine. */
#include "tests/unit/world_table.h"

#include <check.h>
#include <stdlib.h>

#define CLIENT     "198.51.100.7"
#define PTR_NAME   "7.100.51.198.in-addr.arpa"
#define TO         "b@example.net"
#define NO_PTR     "550 5.7.25 The sender " CLIENT " has no reverse DNS record"
#define MISMATCH   "550 5.7.25 The sender " CLIENT " reverse DNS record does not match"
#define DEFERRED   "451 4.4.3 A DNS look-up could not be completed, try again later"
#define UNVERIFIED "550 5.1.8 Sender verification failed"

static struct fixture f;

static void start(void)
{
	fixture_init(&f);
	f.config.base.reverse_dns.mode = MODE_ENFORCE;
}

static void stop(void)
{
	fixture_free(&f);
}

static struct decision send_one(void)
{
	f.s.host = (struct text){"", 0};
	return fixture_send(&f, CLIENT, TO);
}

/* --- reverse DNS */

START_TEST(no_ptr_record)
{
	table_dns(&f.world, PTR_NAME, DNS_PTR, DNS_NXDOMAIN);
	ck_said(send_one(), NO_PTR);
	table_dns(&f.world, PTR_NAME, DNS_PTR, DNS_NODATA);
	ck_said(send_one(), NO_PTR);
	table_exempt(&f.world, "reverse-dns", LIST_CLIENT, CLIENT);
	ck_said(send_one(), "pass");
	f.world.listed_count = 0;
	f.config.base.reverse_dns.mode = MODE_MONITOR;
	ck_said(send_one(), "pass");
	ck_assert_uint_eq(f.world.metrics[METRIC_would_refuse], 1);
}
END_TEST

START_TEST(ptr_is_asked_from_the_connection_on)
{
	struct table_dns *ptr = table_dns(&f.world, PTR_NAME, DNS_PTR, DNS_NXDOMAIN);

	fixture_connect(&f, CLIENT);
	ck_assert_uint_eq(ptr->started, 1);
	fixture_helo(&f, "client.example.org");
	fixture_mail(&f, "a@example.org");
	ck_assert_uint_eq(ptr->awaited, 0);
	ck_said(fixture_rcpt(&f, TO), NO_PTR);
	ck_assert_uint_gt(ptr->awaited, 0);
}
END_TEST

START_TEST(own_clients_and_postmasters_are_not_asked_for)
{
	table_dns(&f.world, PTR_NAME, DNS_PTR, DNS_NXDOMAIN);
	ck_said(fixture_send(&f, CLIENT, "postmaster@example.net"), "pass");
	ck_said(fixture_rcpt(&f, TO), NO_PTR);
	f.world.dns_started = f.world.dns_awaited = 0;
	f.s.own = true;
	ck_said(send_one(), "pass");
	ck_assert_uint_eq(f.world.dns_started + f.world.dns_awaited, 0);
}
END_TEST

static const enum dns_status unknown[] = {DNS_TIMEOUT, DNS_SERVFAIL, DNS_REFUSED, DNS_MALFORMED,
					  DNS_OURS};

START_TEST(no_answer_is_never_final)
{
	table_dns(&f.world, PTR_NAME, DNS_PTR, unknown[_i]);
	ck_said(send_one(), "pass");
	ck_assert_uint_eq(f.world.metrics[METRIC_undecided], 1);
	f.config.base.reverse_dns.unknown = NO_ANSWER_DEFER;
	ck_said(send_one(), DEFERRED);
}
END_TEST

START_TEST(confirmed)
{
	table_records(&f.world, PTR_NAME, DNS_PTR, "bad name", "liar.example.org",
		      "mx.example.org");
	table_records(&f.world, "liar.example.org", DNS_A, "192.0.2.1");
	table_records(&f.world, "mx.example.org", DNS_A, "192.0.2.2");
	ck_said(send_one(), "pass");
	f.config.base.reverse_dns.confirmed = true;
	ck_said(send_one(), MISMATCH);
	table_dns(&f.world, "mx.example.org", DNS_A, DNS_SERVFAIL);
	ck_said(send_one(), "pass");
	table_records(&f.world, "mx.example.org", DNS_A, "192.0.2.2", CLIENT);
	ck_said(send_one(), "pass");
	ck_assert(text_eq(f.s.host, LIT("mx.example.org")));
	table_records(&f.world, PTR_NAME, DNS_PTR, "no name at all");
	ck_said(send_one(), MISMATCH);
}
END_TEST

/* The name comes at RCPT, after the checks of connection and MAIL have run. */
START_TEST(bans_and_exemptions_by_name)
{
	table_records(&f.world, PTR_NAME, DNS_PTR, "out.mx.example.org");
	table_records(&f.world, "out.mx.example.org", DNS_A, CLIENT);
	table_ban(&f.world, LIST_HOST, "mx.example.org");
	ck_said(send_one(), "550 5.7.1 The sender " CLIENT " is banned");
	/* the same session, another transaction */
	fixture_mail(&f, "a@example.org");
	ck_said(fixture_rcpt(&f, TO), "550 5.7.1 The sender " CLIENT " is banned");
	table_exempt(&f.world, "banned-client", LIST_HOST, "mx.example.org");
	ck_said(send_one(), "pass");
	f.world.listed_count = 0;
	table_ban(&f.world, LIST_DOMAIN, "mx.example.org");
	ck_said(send_one(), "550 5.7.1 The domain mx.example.org is banned");
	table_records(&f.world, "out.mx.example.org", DNS_A, "192.0.2.1");
	ck_said(send_one(), "pass");
}
END_TEST

START_TEST(six)
{
	const char *name =
	    "7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa";

	table_records(&f.world, name, DNS_PTR, "mx.example.org");
	table_records(&f.world, "mx.example.org", DNS_AAAA, "2001:db8::7");
	ck_said(fixture_send(&f, "2001:db8::7", TO), "pass");
	ck_assert(text_eq(f.s.host, LIT("mx.example.org")));
}
END_TEST

/* --- the sender's domain */

static void sender_only(void)
{
	f.config.base.reverse_dns.mode = MODE_OFF;
	f.config.base.sender_verify.mode = MODE_ENFORCE;
}

START_TEST(domain_without_mail)
{
	sender_only();
	table_dns(&f.world, "example.org", DNS_MX, DNS_NXDOMAIN);
	ck_said(send_one(), UNVERIFIED);
	table_records(&f.world, "example.org", DNS_MX, "0 ");
	ck_said(send_one(), "550 5.7.27 Sender verification failed");
	table_dns(&f.world, "example.org", DNS_MX, DNS_NODATA);
	table_dns(&f.world, "example.org", DNS_A, DNS_NODATA);
	table_dns(&f.world, "example.org", DNS_AAAA, DNS_NODATA);
	ck_said(send_one(), UNVERIFIED);
	table_dns(&f.world, "example.org", DNS_AAAA, DNS_SERVFAIL);
	ck_said(send_one(), "pass");
	f.config.base.sender_verify.unknown = NO_ANSWER_DEFER;
	ck_said(send_one(), DEFERRED);
	table_records(&f.world, "example.org", DNS_AAAA, "2001:db8::1");
	ck_said(send_one(), "pass");
}
END_TEST

static const char *const nowhere[] = {"127.0.0.1",   "10.9.8.7",   "172.31.0.1", "192.168.0.1",
				      "169.254.1.1", "100.64.0.1", "0.0.0.0",    "224.0.0.1"};

START_TEST(targets_that_nobody_reaches)
{
	sender_only();
	table_records(&f.world, "example.org", DNS_MX, "10 mx.example.org");
	table_records(&f.world, "mx.example.org", DNS_A, nowhere[_i]);
	table_records(&f.world, "mx.example.org", DNS_AAAA, "::1", "fe80::1", "fd00::1");
	ck_said(send_one(), UNVERIFIED);
	table_records(&f.world, "mx.example.org", DNS_A, nowhere[_i], "192.0.2.1");
	ck_said(send_one(), "pass");
}
END_TEST

START_TEST(one_of_several_targets)
{
	sender_only();
	table_records(&f.world, "example.org", DNS_MX, "10 a.example.org", "20 b.example.org");
	table_dns(&f.world, "a.example.org", DNS_A, DNS_NXDOMAIN);
	table_dns(&f.world, "a.example.org", DNS_AAAA, DNS_NXDOMAIN);
	table_dns(&f.world, "b.example.org", DNS_A, DNS_NODATA);
	table_records(&f.world, "b.example.org", DNS_AAAA, "2001:db8::1");
	ck_said(send_one(), "pass");
	table_dns(&f.world, "b.example.org", DNS_AAAA, DNS_TIMEOUT);
	ck_said(send_one(), "pass");
	ck_assert_uint_eq(f.world.metrics[METRIC_undecided], 1);
	table_dns(&f.world, "b.example.org", DNS_AAAA, DNS_NODATA);
	ck_said(send_one(), UNVERIFIED);
}
END_TEST

START_TEST(senders_that_are_not_asked_for)
{
	sender_only();
	table_dns(&f.world, "example.org", DNS_MX, DNS_NXDOMAIN);
	fixture_connect(&f, CLIENT);
	fixture_helo(&f, "client.example.org");
	fixture_mail(&f, "");
	ck_said(fixture_rcpt(&f, TO), "pass");
	fixture_mail(&f, "a@[192.0.2.1]");
	ck_said(fixture_rcpt(&f, TO), "pass");
	fixture_mail(&f, "a@example.org");
	ck_said(fixture_rcpt(&f, TO), UNVERIFIED);
}
END_TEST

/* --- greylisting */

static void greylist_only(void)
{
	f.config.base.greylist.mode = MODE_ENFORCE;
	f.config.base.reverse_dns.mode = MODE_OFF;
	f.config.base.spf.mode = MODE_OFF;
}

#define GREYLISTED "451 4.7.1 The sender is not known yet, try again later"
#define SECOND     INT64_C(1000000)

static struct decision send_as(const char *client, const char *from)
{
	fixture_connect(&f, client);
	fixture_helo(&f, "client.example.org");
	fixture_mail(&f, from);
	return fixture_rcpt(&f, TO);
}

static void wait_for(int64_t us)
{
	f.world.boot_us += us;
	f.world.wall_us += us;
}

START_TEST(who_tries_again_gets_through)
{
	greylist_only();
	ck_said(send_as(CLIENT, "a@example.org"), GREYLISTED);
	wait_for(299 * SECOND);
	ck_said(send_as(CLIENT, "a@example.org"), GREYLISTED);
	wait_for(SECOND);
	ck_said(send_as("198.51.100.200", "a+tag@example.org"), "pass");
	ck_said(send_as("198.51.101.7", "a@example.org"), GREYLISTED);
	ck_said(send_as(CLIENT, "c@example.org"), GREYLISTED);
	/* known for 35 days from the last message on */
	wait_for(34 * 86400 * SECOND);
	ck_said(send_as(CLIENT, "a@example.org"), "pass");
	wait_for(34 * 86400 * SECOND);
	ck_said(send_as(CLIENT, "a@example.org"), "pass");
	wait_for(36 * 86400 * SECOND);
	ck_said(send_as(CLIENT, "a@example.org"), GREYLISTED);
}
END_TEST

START_TEST(who_comes_back_too_late_begins_anew)
{
	greylist_only();
	ck_said(send_as(CLIENT, "a@example.org"), GREYLISTED);
	wait_for(3 * 86400 * SECOND);
	ck_said(send_as(CLIENT, "a@example.org"), GREYLISTED);
}
END_TEST

START_TEST(a_client_proves_itself)
{
	greylist_only();
	for (const char *c = "cd"; *c; c++) {
		char from[] = "x@example.org";

		from[0] = *c;
		ck_said(send_as(CLIENT, from), GREYLISTED);
		wait_for(300 * SECOND);
		ck_said(send_as(CLIENT, from), "pass");
	}
	ck_said(send_as(CLIENT, "new@example.org"), "pass");
	ck_said(send_as("203.0.113.1", "new@example.org"), GREYLISTED);
}
END_TEST

START_TEST(a_pool_is_known_by_its_name)
{
	greylist_only();
	f.s.host = LIT("out1.pool.example.org");
	ck_said(send_as(CLIENT, "a@example.org"), GREYLISTED);
	wait_for(300 * SECOND);
	f.s.host = LIT("out2.pool.example.org");
	ck_said(send_as("203.0.113.1", "a@example.org"), "pass");
	/* names that hold the address have only their provider in common */
	f.s.host = LIT("7-100-51-198.pool.example.org");
	ck_said(send_as(CLIENT, "a@example.org"), GREYLISTED);
}
END_TEST

START_TEST(greylist_asks_and_remembers_nothing_of_who_is_refused)
{
	greylist_only();
	table_ban(&f.world, LIST_CLIENT, CLIENT);
	ck_said(send_as(CLIENT, "a@example.org"), "550 5.7.1 The sender " CLIENT " is banned");
	f.world.listed_count = 0;
	wait_for(300 * SECOND);
	ck_said(send_as(CLIENT, "a@example.org"), GREYLISTED);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("checks");
	Suite *suite = suite_create("checks_dns");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, start, stop);
	tcase_add_test(tc, no_ptr_record);
	tcase_add_test(tc, ptr_is_asked_from_the_connection_on);
	tcase_add_test(tc, own_clients_and_postmasters_are_not_asked_for);
	tcase_add_loop_test(tc, no_answer_is_never_final, 0, 5);
	tcase_add_test(tc, confirmed);
	tcase_add_test(tc, bans_and_exemptions_by_name);
	tcase_add_test(tc, six);
	tcase_add_test(tc, domain_without_mail);
	tcase_add_loop_test(tc, targets_that_nobody_reaches, 0, 8);
	tcase_add_test(tc, one_of_several_targets);
	tcase_add_test(tc, senders_that_are_not_asked_for);
	tcase_add_test(tc, who_tries_again_gets_through);
	tcase_add_test(tc, who_comes_back_too_late_begins_anew);
	tcase_add_test(tc, a_client_proves_itself);
	tcase_add_test(tc, a_pool_is_known_by_its_name);
	tcase_add_test(tc, greylist_asks_and_remembers_nothing_of_who_is_refused);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
