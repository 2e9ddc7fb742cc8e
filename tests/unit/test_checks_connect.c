/* The checks on the client, its greeting and the sender, by the whole engine. */
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

START_TEST(banned_client)
{
	ck_said(fixture_send(&f, "198.51.100.7", "b@example.net"), "pass");
	table_ban(&f.world, LIST_CLIENT, "198.51.100.0/24");
	ck_said(fixture_send(&f, "198.51.100.7", "b@example.net"),
		"550 5.7.1 The sender 198.51.100.7 is banned");
	ck_said(fixture_send(&f, "198.51.101.7", "b@example.net"), "pass");
	table_ban(&f.world, LIST_CLIENT, "2001:db8::/32");
	ck_said(fixture_send(&f, "2001:db8::99", "b@example.net"),
		"550 5.7.1 The sender 2001:db8::99 is banned");
	/* Own clients keep bans. */
	f.s.own = true;
	ck_said(fixture_send(&f, "198.51.100.7", "b@example.net"),
		"550 5.7.1 The sender 198.51.100.7 is banned");
}
END_TEST

START_TEST(banned_host_name)
{
	table_ban(&f.world, LIST_HOST, "mail.example.org");
	f.s.host = LIT("out1.mail.example.org");
	ck_said(fixture_send(&f, "198.51.100.7", "b@example.net"),
		"550 5.7.1 The sender 198.51.100.7 is banned");
	f.s.host = LIT("");
	ck_said(fixture_send(&f, "198.51.100.7", "b@example.net"), "pass");
}
END_TEST

START_TEST(banned_at_connect)
{
	table_ban(&f.world, LIST_CLIENT, "198.51.100.7");
	f.world.listed[0].at_connect = true;
	ck_said(fixture_connect(&f, "198.51.100.7"), "554 The sender 198.51.100.7 is banned");
	f.config.global.mode = RUN_SOFT;
	ck_said(fixture_connect(&f, "198.51.100.7"), "421 The sender 198.51.100.7 is banned");
	f.config.global.mode = RUN_MONITOR;
	ck_said(fixture_connect(&f, "198.51.100.7"), "pass");
	f.config.global.mode = RUN_ENFORCE;
	table_exempt(&f.world, "banned-client", LIST_CLIENT, "198.51.100.7");
	ck_said(fixture_connect(&f, "198.51.100.7"), "pass");
	/* A greeting is 554 or 421, whatever is put off. */
	f.world.exemptions_away = true;
	ck_said(fixture_connect(&f, "198.51.100.7"),
		"421 A check could not be completed, try again later");
}
END_TEST

START_TEST(a_proxy_is_never_banned)
{
	struct net net;

	ck_assert(net_parse(LIT("198.51.100.0/28"), &net));
	f.listener.set.proxy_from = (struct net_list){&net, 1};
	table_ban(&f.world, LIST_CLIENT, "198.51.100.0/24");
	ck_said(fixture_send(&f, "198.51.100.7", "b@example.net"), "pass");
	ck_said(fixture_send(&f, "198.51.100.70", "b@example.net"),
		"550 5.7.1 The sender 198.51.100.70 is banned");
}
END_TEST

/* A list that can't be read is ours: the mail passes, and that is counted. */
START_TEST(lists_that_are_away_refuse_nobody)
{
	table_ban(&f.world, LIST_CLIENT, "198.51.100.7");
	f.world.lists_away = true;
	ck_said(fixture_send(&f, "198.51.100.7", "b@example.net"), "pass");
	ck_assert_uint_gt(f.world.metrics[METRIC_undecided], 0);
}
END_TEST

START_TEST(early_talker)
{
	f.s.early_talker = true;
	ck_said(fixture_send(&f, "198.51.100.7", "b@example.net"), "pass");
	f.config.base.early_talker.mode = MODE_ENFORCE;
	ck_said(fixture_send(&f, "198.51.100.7", "b@example.net"),
		"554 5.5.2 The sender spoke before the greeting");
	f.s.own = true;
	ck_said(fixture_send(&f, "198.51.100.7", "b@example.net"), "pass");
}
END_TEST

static struct decision with_helo(const char *helo)
{
	fixture_connect(&f, "198.51.100.7");
	fixture_helo(&f, helo);
	fixture_mail(&f, "a@example.org");
	return fixture_rcpt(&f, "b@example.net");
}

START_TEST(helo_ip)
{
	const char *refused = "550 5.7.1 The sender presented HELO as an IP address";

	ck_said(with_helo("192.0.2.1"), refused);
	ck_said(with_helo("2001:db8::1"), refused);
	ck_said(with_helo("[192.0.2.1]"), "pass");
	ck_said(with_helo("[IPv6:2001:db8::1]"), "pass");
	ck_said(with_helo("192.0.2.1.example.org"), "pass");
	ck_said(with_helo("localhost"), "pass");
	f.config.base.helo_ip.literals = false;
	ck_said(with_helo("[192.0.2.1]"), refused);
	f.s.own = true;
	ck_said(with_helo("192.0.2.1"), "pass");
}
END_TEST

START_TEST(no_helo)
{
	fixture_connect(&f, "198.51.100.7");
	ck_said(fixture_mail(&f, "a@example.org"),
		"503 5.5.1 The sender did not present a HELO/EHLO greeting");
	table_exempt(&f.world, "no-helo", LIST_CLIENT, "198.51.100.0/24");
	ck_said(fixture_mail(&f, "a@example.org"), "pass");
	ck_said(fixture_rcpt(&f, "b@example.net"), "pass");
	f.world.listed_count = 0;
	f.config.base.no_helo.mode = MODE_MONITOR;
	ck_said(fixture_mail(&f, "a@example.org"), "pass");
	ck_said(fixture_rcpt(&f, "b@example.net"), "pass");
	f.config.base.no_helo.mode = MODE_ENFORCE;
	fixture_helo(&f, "client.example.org");
	ck_said(fixture_mail(&f, "a@example.org"), "pass");
}
END_TEST

/* MAIL of somebody who has logged in. */
static struct decision mail_of(const char *login, const char *senders, const char *from)
{
	fixture_connect(&f, "198.51.100.7");
	fixture_helo(&f, "client.example.org");
	f.s.login = text_of(login);
	f.s.login_senders = text_of(senders);
	return fixture_mail(&f, from);
}

START_TEST(sender_login)
{
	static const char no[] = "553 5.7.1 The sender address does not belong to the login";
	static const char list[] = "sales@example.net\n@shop.example";

	f.config.auth.bind_sender = true;
	ck_said(mail_of("ann@example.net", "", "ann@example.net"), "pass");
	ck_said(mail_of("ann@example.net", "", "Ann+tag@EXAMPLE.net"), "pass");
	ck_said(mail_of("ann@example.net", "", ""), "pass");
	ck_said(mail_of("ann@example.net", "", "bob@example.net"), no);
	ck_said(mail_of("ann@example.net", "", "ann@sub.example.net"), no);
	ck_said(mail_of("ann@example.net", "", "\"ann@example.net\"@example.org"), no);
	ck_said(mail_of("ann@example.net", list, "sales@example.net"), "pass");
	ck_said(mail_of("ann@example.net", list, "anybody@shop.example"), "pass");
	ck_said(mail_of("ann@example.net", list, "x@sub.shop.example"), no);
	ck_said(mail_of("ann@example.net", list, "x@notshop.example"), no);
	/* a login without a domain: at all that are ours, and no other */
	ck_said(mail_of("ann", "", "ann@example.net"), "pass");
	ck_said(mail_of("ann", "", "ann+x@other.example"), "pass");
	ck_said(mail_of("ann", "", "ann@example.org"), no);
	ck_said(mail_of("ann", "", "\"ann@x\"@example.net"), no);
	/* nobody has logged in, or it isn't wanted */
	ck_said(mail_of("", "", "bob@example.net"), "pass");
	f.config.auth.bind_sender = false;
	ck_said(mail_of("ann@example.net", "", "bob@example.net"), "pass");
	f.config.auth.bind_sender = true;
	table_exempt(&f.world, "sender-login", LIST_LOGIN, "ann@example.net");
	ck_said(mail_of("ann@example.net", "", "bob@example.net"), "pass");
	f.s.login = LIT("");
}
END_TEST

static struct decision from(const char *sender)
{
	fixture_connect(&f, "198.51.100.7");
	fixture_helo(&f, "client.example.org");
	fixture_mail(&f, sender);
	return fixture_rcpt(&f, "b@example.net");
}

START_TEST(banned_domain)
{
	const char *refused = "550 5.7.1 The domain example.com is banned";

	table_ban(&f.world, LIST_DOMAIN, "example.com");
	ck_said(from("a@example.com"), refused);
	/* The reply names the entry that matched. */
	ck_said(from("a@mail.sub.EXAMPLE.com"), refused);
	ck_said(from("a@notexample.com"), "pass");
	ck_said(with_helo("mx.example.com"), refused);
	ck_said(with_helo("[192.0.2.1]"), "pass");
	ck_said(from(""), "pass");
	f.s.host = LIT("mx.example.com");
	ck_said(from("a@example.org"), refused);
}
END_TEST

static struct decision with_header(const char *header)
{
	ck_said(from("a@example.org"), "pass");
	return fixture_message(&f, header, 100);
}

START_TEST(banned_author)
{
	const char *refused = "550 5.7.1 The domain example.com is banned";

	table_ban(&f.world, LIST_DOMAIN, "example.com");
	ck_said(with_header("From: x@example.com\r\n"), "pass");
	f.config.base.banned_domain.author = true;
	ck_said(with_header("From: x@example.com\r\n"), refused);
	ck_said(with_header("From: X <a@example.org>, \"B\" <b@in.example.com>\r\n"), refused);
	ck_said(with_header("From: \"x@example.com\" (y@example.com) <a@example.org>\r\n"), "pass");
	ck_said(with_header("From: \"a\\\"@example.com\" <a@example.org>\r\n"), "pass");
	ck_said(with_header("From: @\r\n"), "pass");
	ck_said(with_header("From: x@\r\n"), "pass");
	ck_said(with_header("Subject: nobody\r\n"), "pass");
}
END_TEST

START_TEST(banned_address)
{
	table_ban(&f.world, LIST_ADDRESS, "spam@example.org");
	ck_said(from("spam@example.org"), "550 5.7.1 The sender spam@example.org is banned");
	ck_said(from("Spam+list@example.org"),
		"550 5.7.1 The sender Spam+list@example.org is banned");
	ck_said(from("ham@example.org"), "pass");
	ck_said(from(""), "pass");
	table_ban(&f.world, LIST_LOGIN, "user17");
	f.s.login = LIT("user17");
	ck_said(from("ham@example.org"), "550 5.7.1 The sender user17 is banned");
}
END_TEST

START_TEST(restricted_sender)
{
	const char *refused = "553 5.1.7 Restricted characters in address";

	/* Monitored by default. */
	ck_said(from("\".a\"@example.org"), "pass");
	ck_assert_uint_eq(f.world.metrics[METRIC_would_refuse], 1);
	f.config.base.restricted_sender.mode = MODE_ENFORCE;
	ck_said(from("\".a\"@example.org"), refused);
	ck_said(from("\"a b\"@example.org"), refused);
	ck_said(from("o'brien@example.org"), "pass");
	ck_said(from("list+b=example.net@example.org"), "pass");
	ck_said(from("SRS0=HHH=TT=example.com=user@example.org"), "pass");
	ck_said(from("g/b/s%x@example.org"), "pass");
	ck_said(from(""), "pass");
	f.config.base.restricted_sender.characters = LIT("%");
	ck_said(from("g/b/s%x@example.org"), refused);
}
END_TEST

/* Of many MX hosts the first few are looked at: what they say is not said of the others. */
START_TEST(sender_with_many_mx_hosts)
{
	static const char *const hosts[] = {"a.example.org", "b.example.org", "c.example.org",
					    "d.example.org", "e.example.org"};

	f.config.base.sender_verify.mode = MODE_ENFORCE;
	table_records(&f.world, "example.org", DNS_MX, "1 a.example.org", "2 b.example.org",
		      "3 c.example.org", "4 d.example.org", "5 e.example.org");
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		table_dns(&f.world, hosts[i], DNS_A, DNS_NXDOMAIN);
		table_dns(&f.world, hosts[i], DNS_AAAA, DNS_NXDOMAIN);
	}
	ck_said(fixture_send(&f, "198.51.100.7", "b@example.net"),
		"550 5.1.8 Sender verification failed");
	table_records(&f.world, "example.org", DNS_MX, "1 a.example.org", "2 b.example.org",
		      "3 c.example.org", "4 d.example.org", "5 e.example.org", "6 g.example.org");
	ck_said(fixture_send(&f, "198.51.100.7", "b@example.net"), "pass");
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("checks");
	Suite *suite = suite_create("checks_connect");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, start, stop);
	tcase_add_test(tc, banned_client);
	tcase_add_test(tc, banned_host_name);
	tcase_add_test(tc, banned_at_connect);
	tcase_add_test(tc, a_proxy_is_never_banned);
	tcase_add_test(tc, lists_that_are_away_refuse_nobody);
	tcase_add_test(tc, early_talker);
	tcase_add_test(tc, helo_ip);
	tcase_add_test(tc, no_helo);
	tcase_add_test(tc, sender_login);
	tcase_add_test(tc, banned_domain);
	tcase_add_test(tc, banned_author);
	tcase_add_test(tc, banned_address);
	tcase_add_test(tc, restricted_sender);
	tcase_add_test(tc, sender_with_many_mx_hosts);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
