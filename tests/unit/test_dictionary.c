/* Dictionary attacks: a count and a share, over sessions, and the block. */
#include "policy/dictionary.h"

#include "shm/base/clock.h"
#include "tests/unit/world_table.h"

#include <check.h>
#include <stdlib.h>

#define CLIENT  "198.51.100.7"
#define UNKNOWN "550 5.1.1 The email address does not exist"
#define ATTACK  "550 5.7.1 Dictionary attack detected"

static struct fixture f;

static void start(void)
{
	fixture_init(&f);
	f.domains[0].set.recipients = RECIPIENTS_LIST;
	f.world.has_recipients = true;
	f.world.recipients[0] = "a@example.net";
	ck_assert(rate_parse(LIT("5/1h"), &f.config.base.dictionary_attack.unknown));
	f.other = f.config.base;
}

static void stop(void)
{
	fixture_free(&f);
}

static struct decision to(const char *recipient)
{
	return fixture_send(&f, CLIENT, recipient);
}

START_TEST(count_and_share_reached)
{
	struct decision d;
	const struct event *e;

	for (int i = 0; i < 4; i++)
		ck_said(to("x@example.net"), UNKNOWN);
	d = to("y@example.net");
	ck_said(d, ATTACK);
	ck_assert(d.close);
	ck_assert_int_eq(d.closing, REPLY_DICTIONARY_CLOSING);
	e = table_event(&f.world, EVENT_BLOCK, 0);
	ck_assert_str_eq(table_field(e, FIELD_check), "dictionary-attack");
	ck_assert_str_eq(table_field(e, FIELD_key), CLIENT "/32");
	ck_assert_str_eq(table_field(e, FIELD_facts),
			 "5 of the client's 5 recipients do not exist");
	ck_assert_int_eq(table_number(e, FIELD_until), f.world.wall_us + 3600 * SECOND_US);
	/* Later sessions are refused at RCPT, whomever they write to, but not for ever. */
	d = to("a@example.net");
	ck_said(d, ATTACK);
	ck_assert(!d.close);
	ck_said(fixture_send(&f, "198.51.100.8", "a@example.net"), "pass");
	ck_said(to("postmaster@example.net"), UNKNOWN);
	f.world.boot_us += 3660 * SECOND_US;
	ck_said(to("a@example.net"), "pass");
	/* And then it begins anew. */
	ck_said(to("x@example.net"), UNKNOWN);
	ck_assert_ptr_null(table_event(&f.world, EVENT_BLOCK, 1));
}
END_TEST

/* A large provider: many unknown ones, among many more that exist. */
START_TEST(a_count_alone_blocks_nobody)
{
	for (int i = 0; i < 60; i++) {
		ck_said(to("a@example.net"), "pass");
		ck_said(to("a@example.net"), "pass");
		ck_said(to("x@example.net"), UNKNOWN);
	}
	ck_assert_ptr_null(table_event(&f.world, EVENT_BLOCK, 0));
}
END_TEST

START_TEST(a_share_alone_blocks_nobody)
{
	for (int i = 0; i < 4; i++)
		ck_said(to("x@example.net"), UNKNOWN);
	f.world.boot_us += 3660 * SECOND_US;
	for (int i = 0; i < 4; i++)
		ck_said(to("x@example.net"), UNKNOWN);
	ck_assert_ptr_null(table_event(&f.world, EVENT_BLOCK, 0));
}
END_TEST

/* Both counts are of one period, whenever its first unknown one came. */
START_TEST(periods_end_together)
{
	for (int i = 0; i < 300; i++) {
		ck_said(to("a@example.net"), "pass");
		f.world.boot_us += 60 * SECOND_US;
		if (i % 3 == 2)
			ck_said(to("x@example.net"), UNKNOWN);
	}
	ck_assert_ptr_null(table_event(&f.world, EVENT_BLOCK, 0));
}
END_TEST

/* A session that was open before the block came. */
START_TEST(an_open_session_is_closed_too)
{
	static struct fixture other;
	struct decision d;

	for (int i = 0; i < 4; i++)
		ck_said(to("x@example.net"), UNKNOWN);
	ck_said(to("a@example.net"), "pass");
	fixture_init(&other);
	other.world = f.world;
	other.domains[0].set.recipients = RECIPIENTS_LIST;
	other.config.base.dictionary_attack = f.config.base.dictionary_attack;
	ck_said(fixture_send(&other, CLIENT, "x@example.net"), ATTACK);
	memcpy(f.world.counters, other.world.counters, sizeof(f.world.counters));
	d = fixture_rcpt(&f, "x@example.net");
	ck_said(d, ATTACK);
	ck_assert(d.close);
	fixture_free(&other);
}
END_TEST

START_TEST(one_ipv6_network_is_one_client)
{
	ck_said(fixture_send(&f, "2001:db8::1", "v@example.net"), UNKNOWN);
	ck_said(fixture_send(&f, "2001:db8::2", "w@example.net"), UNKNOWN);
	ck_said(fixture_send(&f, "2001:db8::3", "x@example.net"), UNKNOWN);
	ck_said(fixture_send(&f, "2001:db8::4", "y@example.net"), UNKNOWN);
	ck_said(fixture_send(&f, "2001:db8::5", "z@example.net"), ATTACK);
	ck_said(fixture_send(&f, "2001:db8::6", "a@example.net"), ATTACK);
	ck_said(fixture_send(&f, "2001:db8:0:1::1", "a@example.net"), "pass");
}
END_TEST

static void hop_says(int code, const char *enhanced)
{
	f.domains[0].set.recipients = RECIPIENTS_LIVE;
	f.world.hop_answer = ANSWER_NO;
	f.world.hop = (struct hop_reply){.code = (short)code};
	strcpy(f.world.hop.enhanced, enhanced);
}

/* Only "does not exist" counts. */
START_TEST(what_the_hop_says)
{
	static const struct {
		int code;
		const char *enhanced;
		bool counts;
	} cases[] = {
	    {550, "5.1.1", true},  {550, "5.1.0", true},  {551, "5.1.6", true},
	    {550, "", true},       {551, "", true},       {553, "", true},
	    {550, "5.7.1", false}, {552, "5.2.2", false}, {550, "5.2.1", false},
	    {554, "", false},      {452, "4.2.2", false}, {550, "5.1.3", false},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		unsigned attacks = 0;

		stop();
		start();
		hop_says(cases[i].code, cases[i].enhanced);
		for (int n = 0; n < 5; n++)
			attacks += to("x@example.net").reply == REPLY_DICTIONARY_ATTACK;
		ck_assert_msg(attacks == cases[i].counts, "%d %s", cases[i].code,
			      cases[i].enhanced);
	}
}
END_TEST

static unsigned attacks_seen(void)
{
	unsigned attacks = 0;

	for (int n = 0; n < 20; n++)
		attacks += to("x@example.net").reply == REPLY_DICTIONARY_ATTACK;
	return attacks;
}

START_TEST(modes_and_exemptions)
{
	f.s.own = true;
	ck_assert_uint_eq(attacks_seen(), 0);
	f.s.own = false;
	f.config.base.dictionary_attack.mode = MODE_OFF;
	ck_assert_uint_eq(attacks_seen(), 0);
	table_exempt(&f.world, "dictionary-attack", LIST_CLIENT, CLIENT);
	f.config.base.dictionary_attack.mode = MODE_ENFORCE;
	ck_assert_uint_eq(attacks_seen(), 0);
	ck_assert_ptr_null(table_event(&f.world, EVENT_BLOCK, 0));
	f.world.listed_count = f.world.event_count = 0;
	f.config.base.dictionary_attack.mode = MODE_MONITOR;
	ck_assert_uint_eq(attacks_seen(), 0);
	ck_assert_str_eq(table_field(table_event(&f.world, EVENT_BLOCK, 0), FIELD_mode), "monitor");
	f.config.base.dictionary_attack.mode = MODE_ENFORCE;
	ck_assert_uint_eq(attacks_seen(), 20);
}
END_TEST

START_TEST(in_the_greeting_under_stress)
{
	for (int i = 0; i < 5; i++)
		to("x@example.net");
	f.s.under_stress = true;
	ck_said(fixture_connect(&f, CLIENT), "554 Dictionary attack detected");
	ck_said(fixture_connect(&f, "198.51.100.8"), "pass");
	table_exempt(&f.world, "dictionary-attack", LIST_CLIENT, CLIENT);
	ck_said(fixture_connect(&f, CLIENT), "pass");
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("dictionary");
	Suite *suite = suite_create("dictionary");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, start, stop);
	tcase_add_test(tc, count_and_share_reached);
	tcase_add_test(tc, a_count_alone_blocks_nobody);
	tcase_add_test(tc, a_share_alone_blocks_nobody);
	tcase_add_test(tc, periods_end_together);
	tcase_add_test(tc, an_open_session_is_closed_too);
	tcase_add_test(tc, one_ipv6_network_is_one_client);
	tcase_add_test(tc, what_the_hop_says);
	tcase_add_test(tc, modes_and_exemptions);
	tcase_add_test(tc, in_the_greeting_under_stress);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
