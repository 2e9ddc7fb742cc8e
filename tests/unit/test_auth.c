/* Failed logins: distinct pairs by client, blocks, forgiveness, delays by login, and what the
 * engine says at AUTH, at MAIL and in the greeting. */
#include "policy/auth.h"

#include "policy/mark.h"

#include "shm/base/clock.h"
#include "tests/unit/world_table.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#define CLIENT   "198.51.100.7"
#define BLOCKED  "535 5.7.8 The sender is blacklisted due to repeated auth failures"
#define AT_MAIL  "550 5.7.1 The sender is blacklisted due to repeated auth failures"
#define GREETING "554 The sender is blacklisted due to repeated auth failures"
#define ONCE     "503 5.5.1 Authentication is allowed only once per message"

static struct fixture f;

static void start(void)
{
	fixture_init(&f);
	f.listener.set.auth = LISTENER_AUTH_REQUIRED;
	f.config.auth.attempts = 100;
}

static void stop(void)
{
	fixture_free(&f);
}

static void session_of(const char *client)
{
	f.s.login = LIT("");
	fixture_connect(&f, client);
	fixture_helo(&f, "phone.example.org");
}

static int64_t guess(const char *login, const char *secret)
{
	return auth_failed(&f.s, text_of(login), text_of(secret)).delay_us;
}

static int64_t succeed(const char *login)
{
	return auth_succeeded(&f.s, text_of(login)).delay_us;
}

/* So many pairs, none of them tried before, on one login each time. */
static void guess_often(const char *login, unsigned pairs)
{
	static unsigned serial;
	char secret[24];

	while (pairs-- > 0) {
		snprintf(secret, sizeof(secret), "wrong %u", serial++);
		guess(login, secret);
	}
}

static void pass_time(int64_t seconds)
{
	f.world.boot_us += seconds * SECOND_US;
	f.world.wall_us += seconds * SECOND_US;
}

static unsigned blocks_told(void)
{
	unsigned n = 0;

	while (table_event(&f.world, EVENT_BLOCK, n))
		n++;
	return n;
}

START_TEST(ten_pairs_block)
{
	const struct event *e;

	session_of(CLIENT);
	guess_often("a@example.net", 6);
	guess_often("b@example.net", 3);
	ck_said(engine_auth(&f.s), "pass");
	guess_often("c@example.net", 1);
	ck_said(engine_auth(&f.s), BLOCKED);
	ck_assert_uint_eq(blocks_told(), 1);
	e = table_event(&f.world, EVENT_BLOCK, 0);
	ck_assert_str_eq(table_field(e, FIELD_check), "auth-block");
	ck_assert_str_eq(table_field(e, FIELD_key), CLIENT "/32");
	ck_assert_str_eq(table_field(e, FIELD_facts), "10 pairs on 3 logins in 10m");
	ck_assert_int_eq(table_number(e, FIELD_until), f.world.wall_us + 3600 * SECOND_US);
	ck_assert_uint_eq(f.world.metrics[METRIC_blocks], 1);
	e = table_event(&f.world, EVENT_INCIDENT, 0);
	ck_assert_str_eq(table_field(e, FIELD_phase), "auth");
	ck_assert_str_eq(table_field(e, FIELD_remedy), "blocks del " CLIENT);
	/* Other sessions of the client, and no other client. */
	session_of(CLIENT);
	ck_said(engine_auth(&f.s), BLOCKED);
	session_of("198.51.100.8");
	ck_said(engine_auth(&f.s), "pass");
	pass_time(3660);
	session_of(CLIENT);
	ck_said(engine_auth(&f.s), "pass");
}
END_TEST

/* Failures that come after the block, of sessions that had begun before, count for no later one. */
START_TEST(the_block_forgets_the_count)
{
	session_of(CLIENT);
	guess_often("a@example.net", 25);
	ck_assert_uint_eq(blocks_told(), 1);
	pass_time(3660);
	guess_often("a@example.net", 9);
	ck_said(engine_auth(&f.s), "pass");
	ck_assert_uint_eq(blocks_told(), 1);
}
END_TEST

START_TEST(periods_end)
{
	session_of(CLIENT);
	for (int i = 0; i < 10; i++) {
		guess_often("a@example.net", 9);
		pass_time(660);
	}
	ck_assert_uint_eq(blocks_told(), 0);
}
END_TEST

/* A town behind one address: every now and then one more phone that repeats its old password, for
 * days. */
START_TEST(a_repeated_pair_counts_once)
{
	char login[32];

	session_of(CLIENT);
	for (int round = 0; round < 3 * 24 * 2; round++) {
		for (int phone = 0; phone < 40 && phone <= round / 2; phone++) {
			snprintf(login, sizeof(login), "user%d@example.net", phone);
			guess(login, "old");
			guess(login, "old");
		}
		pass_time(20 * 60);
	}
	ck_assert_uint_eq(f.world.metrics[METRIC_blocks], 0);
	/* They count no more, and so there is room for others' mistakes. */
	f.world.event_count = 0;
	guess_often("other@example.net", 9);
	ck_assert_uint_eq(blocks_told(), 0);
	guess_often("other@example.net", 1);
	ck_assert_uint_eq(blocks_told(), 1);
}
END_TEST

START_TEST(what_is_one_pair)
{
	session_of(CLIENT);
	for (int i = 0; i < 10; i++) {
		guess("A@Example.NET", "old");
		guess("a@example.net", "old");
	}
	ck_assert_int_eq(tally_read(&f.s, client_tag(&f.s, TABLE_MARK, AUTH_COUNT)).first, 1);
	guess("a@example.net", "Old");
	guess("a@example.neto", "ld");
	guess("a@example.ne", "told");
	ck_assert_int_eq(tally_read(&f.s, client_tag(&f.s, TABLE_MARK, AUTH_COUNT)).first, 4);
}
END_TEST

/* SCRAM shows no password: a client's first failures on one login are one pair, as its phone's are
 * that has an old one; beyond them each counts. */
START_TEST(hidden_secrets)
{
	session_of(CLIENT);
	for (int i = 0; i < 10; i++)
		guess("a@example.net", "");
	ck_assert_int_eq(tally_read(&f.s, client_tag(&f.s, TABLE_MARK, AUTH_COUNT)).first, 1);
	for (int i = 0; i < 8; i++)
		guess("a@example.net", "");
	ck_assert_uint_eq(blocks_told(), 0);
	guess("a@example.net", "");
	ck_assert_uint_eq(blocks_told(), 1);
	/* Many logins are as many pairs. */
	session_of("198.51.100.8");
	for (char login[] = "a"; login[0] <= 'j'; login[0]++)
		guess(login, "");
	ck_assert_uint_eq(blocks_told(), 2);
}
END_TEST

START_TEST(a_success_takes_its_logins_pairs_away)
{
	session_of(CLIENT);
	guess_often("a@example.net", 5);
	guess_often("b@example.net", 4);
	auth_succeeded(&f.s, LIT("A@example.net"));
	ck_assert_int_eq(tally_read(&f.s, client_tag(&f.s, TABLE_MARK, AUTH_COUNT)).first, 4);
	ck_assert_int_eq(tally_read(&f.s, client_tag(&f.s, TABLE_MARK, AUTH_COUNT)).second, 1);
	guess_often("b@example.net", 5);
	ck_assert_uint_eq(blocks_told(), 0);
	guess_often("a@example.net", 1);
	ck_assert_uint_eq(blocks_told(), 1);
}
END_TEST

/* Whoever has an account can't pay with its successes for guesses at others'. */
START_TEST(an_account_of_ones_own_buys_nothing)
{
	session_of(CLIENT);
	for (int i = 0; i < 9; i++) {
		guess_often("own@example.net", 1);
		auth_succeeded(&f.s, LIT("own@example.net"));
		guess_often("victim@example.net", 1);
		auth_succeeded(&f.s, LIT("own@example.net"));
	}
	ck_assert_uint_eq(blocks_told(), 0);
	guess_often("victim@example.net", 1);
	ck_assert_uint_eq(blocks_told(), 1);
}
END_TEST

/* Nor with pairs that failed in an earlier period. */
START_TEST(forgiveness_is_of_one_period)
{
	session_of(CLIENT);
	guess_often("own@example.net", 9);
	pass_time(661);
	guess_often("victim@example.net", 9);
	auth_succeeded(&f.s, LIT("own@example.net"));
	guess_often("victim@example.net", 1);
	ck_assert_uint_eq(blocks_told(), 1);
}
END_TEST

/* Nor with those that a block has forgotten. */
START_TEST(forgiveness_ends_with_the_block)
{
	f.config.auth.block = f.config.auth.block_max = 60 * SECOND_US;
	session_of(CLIENT);
	guess_often("own@example.net", 9);
	guess_often("victim@example.net", 1);
	ck_assert_uint_eq(blocks_told(), 1);
	pass_time(121);
	guess_often("victim@example.net", 9);
	succeed("own@example.net");
	guess_often("victim@example.net", 1);
	ck_assert_uint_eq(blocks_told(), 2);
}
END_TEST

START_TEST(blocks_double)
{
	static const int hours[] = {1, 2, 4, 8, 16, 24, 24};

	for (unsigned i = 0; i < sizeof(hours) / sizeof(hours[0]); i++) {
		session_of(CLIENT);
		ck_said(engine_auth(&f.s), "pass");
		guess_often("a@example.net", 10);
		ck_assert_int_eq(table_number(table_event(&f.world, EVENT_BLOCK, 0), FIELD_until),
				 f.world.wall_us + hours[i] * 3600 * SECOND_US);
		f.world.event_count = 0;
		pass_time(hours[i] * 3600 + 60);
	}
	/* Good for a day: it begins anew. */
	pass_time(86400 + 60);
	guess_often("a@example.net", 10);
	ck_assert_int_eq(table_number(table_event(&f.world, EVENT_BLOCK, 0), FIELD_until),
			 f.world.wall_us + 3600 * SECOND_US);
}
END_TEST

START_TEST(one_ipv6_network_is_one_client)
{
	for (int i = 0; i < 10; i++) {
		char client[40];

		snprintf(client, sizeof(client), "2001:db8::%x", i + 1);
		session_of(client);
		ck_said(engine_auth(&f.s), "pass");
		guess_often("a@example.net", 1);
	}
	session_of("2001:db8::ffff");
	ck_said(engine_auth(&f.s), BLOCKED);
	/* So are its pairs, and what a success takes away. */
	session_of("2001:db8:0:2::1");
	guess("a@example.net", "old");
	guess_often("a@example.net", 8);
	session_of("2001:db8:0:2::2");
	guess("a@example.net", "old");
	ck_said(engine_auth(&f.s), "pass");
	succeed("a@example.net");
	ck_assert_int_eq(tally_read(&f.s, client_tag(&f.s, TABLE_MARK, AUTH_COUNT)).first, 0);
	session_of("2001:db8:0:1::1");
	ck_said(engine_auth(&f.s), "pass");
}
END_TEST

START_TEST(networks_of_their_own)
{
	struct net nets[2];
	struct auth_network office[2] = {{.set = {.networks = {&nets[0], 1}}},
					 {.set = {.networks = {&nets[1], 1}}}};

	ck_assert(net_parse(LIT("198.51.100.0/28"), &nets[0]));
	ck_assert(net_parse(LIT("198.51.100.0/24"), &nets[1]));
	ck_assert(rate_parse(LIT("20/1h"), &office[0].set.failures));
	ck_assert(rate_parse(LIT("3/1m"), &office[1].set.failures));
	f.config.auth_networks = office;
	f.config.auth_network_count = 2;
	session_of(CLIENT);
	guess_often("a@example.net", 19);
	ck_said(engine_auth(&f.s), "pass");
	guess_often("a@example.net", 1);
	ck_said(engine_auth(&f.s), BLOCKED);
	ck_assert_str_eq(table_field(table_event(&f.world, EVENT_BLOCK, 0), FIELD_facts),
			 "20 pairs on 1 login in 1h");
	session_of("198.51.100.77");
	guess_often("a@example.net", 3);
	ck_said(engine_auth(&f.s), BLOCKED);
	session_of("203.0.113.1");
	guess_often("a@example.net", 9);
	ck_said(engine_auth(&f.s), "pass");
}
END_TEST

START_TEST(modes_exemptions_and_own_clients)
{
	f.s.own = true;
	session_of(CLIENT);
	guess_often("a@example.net", 30);
	ck_said(engine_auth(&f.s), "pass");
	f.s.own = false;
	f.config.base.auth_block.mode = MODE_OFF;
	session_of(CLIENT);
	guess_often("a@example.net", 30);
	f.config.base.auth_block.mode = MODE_ENFORCE;
	ck_said(engine_auth(&f.s), "pass");
	table_exempt(&f.world, "auth-block", LIST_CLIENT, CLIENT);
	guess_often("a@example.net", 30);
	ck_said(engine_auth(&f.s), "pass");
	ck_assert_uint_eq(blocks_told(), 0);
	/* Lists that can't be read: nobody is blocked who may be exempt. */
	f.world.listed_count = 0;
	f.world.lists_away = true;
	guess_often("a@example.net", 30);
	f.world.lists_away = false;
	ck_said(engine_auth(&f.s), "pass");
	f.world.event_count = 0;
	f.config.base.auth_block.mode = MODE_MONITOR;
	guess_often("a@example.net", 1);
	ck_said(engine_auth(&f.s), "pass");
	ck_assert_str_eq(table_field(table_event(&f.world, EVENT_BLOCK, 0), FIELD_mode), "monitor");
	ck_assert_uint_eq(f.world.metrics[METRIC_would_refuse], 1);
	f.config.base.auth_block.mode = MODE_ENFORCE;
	ck_said(engine_auth(&f.s), BLOCKED);
	f.config.global.mode = RUN_MONITOR;
	ck_said(engine_auth(&f.s), "pass");
	f.world.event_count = 0;
	session_of("198.51.100.99");
	guess_often("a@example.net", 10);
	ck_assert_str_eq(table_field(table_event(&f.world, EVENT_BLOCK, 0), FIELD_mode), "monitor");
	f.config.global.mode = RUN_ENFORCE;
	session_of(CLIENT);
	/* And an exemption lifts what stands already. */
	table_exempt(&f.world, "auth-block", LIST_CLIENT, CLIENT);
	ck_said(engine_auth(&f.s), "pass");
	f.world.listed_count = 0;
	f.world.lists_away = true;
	ck_said(engine_auth(&f.s), "451 4.3.0 A check could not be completed, try again later");
	f.world.lists_away = false;
	f.config.global.mode = RUN_SOFT;
	ck_said(engine_auth(&f.s),
		"451 4.7.1 The sender is blacklisted due to repeated auth failures");
}
END_TEST

START_TEST(at_mail_and_in_the_greeting)
{
	session_of(CLIENT);
	ck_said(engine_login_missing(&f.s), "530 5.7.0 Authentication required");
	guess_often("a@example.net", 10);
	ck_said(engine_login_missing(&f.s), AT_MAIL);
	session_of(CLIENT);
	ck_said(engine_login_missing(&f.s), AT_MAIL);
	f.config.base.auth_block.mode = MODE_MONITOR;
	ck_said(engine_login_missing(&f.s), "530 5.7.0 Authentication required");
	f.config.base.auth_block.mode = MODE_ENFORCE;
	/* Who is logged in, isn't guessing. */
	f.s.login = LIT("own@example.net");
	f.s.own = true;
	ck_said(fixture_mail(&f, "a@example.org"), "pass");
	f.s.own = false;
	f.s.login = LIT("");
	f.s.under_stress = true;
	ck_said(fixture_connect(&f, CLIENT), GREETING);
	/* Its mail to the MX isn't touched. */
	for (int auth = LISTENER_AUTH_OFF; auth <= LISTENER_AUTH_OFFERED; auth++) {
		f.listener.set.auth = auth;
		f.s.under_stress = true;
		ck_said(fixture_connect(&f, CLIENT), "pass");
		ck_said(fixture_send(&f, CLIENT, "a@example.net"), "pass");
		ck_said(fixture_message(&f, "From: a@example.org\r\nDate: x\r\n\r\n", 100), "pass");
	}
	/* Where a login is offered, it may only not log in. */
	ck_said(engine_auth(&f.s), BLOCKED);
}
END_TEST

START_TEST(attempts_of_one_message)
{
	struct decision d;

	f.config.auth.attempts = 2;
	f.listener.set.auth = LISTENER_AUTH_OFFERED;
	session_of(CLIENT);
	ck_said(engine_auth(&f.s), "pass");
	ck_said(engine_auth(&f.s), "pass"); /* that one was broken off */
	guess("a@example.net", "one");
	ck_said(engine_auth(&f.s), "pass");
	guess("a@example.net", "two");
	d = engine_auth(&f.s);
	ck_said(d, ONCE);
	ck_assert(d.close);
	ck_assert_int_eq(d.closing, REPLY_AUTH_CLOSING);
	ck_assert_uint_ne(d.incident, 0);
	ck_assert_uint_eq(f.world.metrics[METRIC_auth_refused], 1);
	/* A transaction that comes to nothing changes nothing, a message does. */
	fixture_mail(&f, "a@example.org");
	fixture_rcpt(&f, "a@example.net");
	ck_said(engine_auth(&f.s), ONCE);
	ck_said(fixture_message(&f, "From: a@example.org\r\nDate: x\r\n\r\n", 100), "pass");
	ck_said(engine_auth(&f.s), "pass");
	/* One attempt is the literal reading. */
	f.config.auth.attempts = 1;
	session_of("198.51.100.8");
	guess("a@example.net", "one");
	ck_said(engine_auth(&f.s), ONCE);
}
END_TEST

START_TEST(after_a_success)
{
	struct decision d;

	f.config.base.auth_once.mode = MODE_OFF;
	session_of(CLIENT);
	f.s.login = LIT("a@example.net");
	auth_succeeded(&f.s, f.s.login);
	d = engine_auth(&f.s);
	ck_said(d, ONCE);
	ck_assert(!d.close);
	ck_assert_uint_eq(d.incident, 0);
	ck_said(fixture_send(&f, CLIENT, "a@example.net"), "pass");
	ck_said(fixture_message(&f, "From: a@example.org\r\nDate: x\r\n\r\n", 100), "pass");
	ck_said(engine_auth(&f.s), ONCE);
}
END_TEST

START_TEST(own_clients_may_try_on)
{
	f.config.auth.attempts = 2;
	f.s.own = true;
	session_of(CLIENT);
	guess_often("a@example.net", 5);
	ck_said(engine_auth(&f.s), "pass");
	f.s.own = false;
	f.config.base.auth_once.mode = MODE_MONITOR;
	ck_said(engine_auth(&f.s), "pass");
	f.config.base.auth_once.mode = MODE_ENFORCE;
	table_exempt(&f.world, "auth-once", LIST_CLIENT, CLIENT);
	ck_said(engine_auth(&f.s), "pass");
}
END_TEST

static void from_client(unsigned n)
{
	char client[24];

	snprintf(client, sizeof(client), "203.0.113.%u", n);
	session_of(client);
}

START_TEST(a_spread_out_attack_slows_down)
{
	static const int seconds[] = {1, 2, 4, 8, 16, 20, 20};
	int64_t delay_us = 0;

	for (unsigned n = 1; n <= 65; n++) {
		from_client(n);
		delay_us = guess("boss@example.net", "guess");
		ck_assert_int_eq(delay_us, seconds[n / 10] * SECOND_US);
		ck_said(engine_auth(&f.s), "pass");
	}
	/* The owner gets in, after a while: else one could tell a right guess by its watch.  Once
	 * it has, it waits no more there. */
	session_of("192.0.2.7");
	ck_assert_int_eq(succeed("boss@example.net"), 20 * SECOND_US);
	ck_assert_int_eq(succeed("boss@example.net"), 0);
	/* Nobody else waits, and others' mistakes cost what they always do. */
	ck_assert_int_eq(succeed("clerk@example.net"), 0);
	ck_assert_int_eq(guess("clerk@example.net", "typo"), SECOND_US);
	pass_time(700);
	from_client(99);
	ck_assert_int_eq(succeed("boss@example.net"), 0);
	ck_assert_int_eq(guess("boss@example.net", "guess"), SECOND_US);
}
END_TEST

START_TEST(delays_may_be_off)
{
	f.config.auth.delay = 0;
	f.config.auth.failures.n = 1;
	for (unsigned n = 0; n < 200; n++) {
		from_client(n);
		ck_assert_int_eq(guess("boss@example.net", "guess"), 0);
	}
}
END_TEST

static void ck_facts(struct auth_effect e, const char *what)
{
	char facts[200];

	text_cstr(e.facts, facts, sizeof(facts));
	ck_assert_str_eq(facts, what);
}

START_TEST(what_the_log_says)
{
	session_of(CLIENT);
	ck_facts(auth_failed(&f.s, LIT("A@example.net"), LIT("one")),
		 "pair 1 of the client's 10/10m, 1 on the login");
	ck_facts(auth_failed(&f.s, LIT("a@example.net"), LIT("one")),
		 "no new pair, 1 on the login");
	ck_facts(auth_succeeded(&f.s, LIT("a@example.net")), "");
	f.s.own = true;
	ck_facts(auth_failed(&f.s, LIT("a@example.net"), LIT("two")),
		 "not counted for the client, 1 on the login");
}
END_TEST

START_TEST(logins_without_end)
{
	static char long_login[20000];

	memset(long_login, 'A', sizeof(long_login));
	session_of(CLIENT);
	auth_failed(&f.s, text_make(long_login, sizeof(long_login)), LIT("x"));
	auth_succeeded(&f.s, text_make(long_login, sizeof(long_login)));
	auth_failed(&f.s, LIT(""), LIT(""));
	auth_failed(&f.s, text_make("\0\0", 2), text_make("\0", 1));
	ck_assert_int_eq(tally_read(&f.s, client_tag(&f.s, TABLE_MARK, AUTH_COUNT)).first, 2);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("auth");
	Suite *suite = suite_create("auth");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, start, stop);
	tcase_add_test(tc, ten_pairs_block);
	tcase_add_test(tc, the_block_forgets_the_count);
	tcase_add_test(tc, periods_end);
	tcase_add_test(tc, a_repeated_pair_counts_once);
	tcase_add_test(tc, what_is_one_pair);
	tcase_add_test(tc, hidden_secrets);
	tcase_add_test(tc, a_success_takes_its_logins_pairs_away);
	tcase_add_test(tc, an_account_of_ones_own_buys_nothing);
	tcase_add_test(tc, forgiveness_is_of_one_period);
	tcase_add_test(tc, forgiveness_ends_with_the_block);
	tcase_add_test(tc, blocks_double);
	tcase_add_test(tc, one_ipv6_network_is_one_client);
	tcase_add_test(tc, networks_of_their_own);
	tcase_add_test(tc, modes_exemptions_and_own_clients);
	tcase_add_test(tc, at_mail_and_in_the_greeting);
	tcase_add_test(tc, attempts_of_one_message);
	tcase_add_test(tc, after_a_success);
	tcase_add_test(tc, own_clients_may_try_on);
	tcase_add_test(tc, a_spread_out_attack_slows_down);
	tcase_add_test(tc, delays_may_be_off);
	tcase_add_test(tc, what_the_log_says);
	tcase_add_test(tc, logins_without_end);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
