/* The engine: order, modes, overrides, exemptions, roles, incidents, replies. */
#include "tests/unit/world_table.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#define CLIENT "198.51.100.7"

static struct fixture f;

static void start(void)
{
	fixture_init(&f);
}

static void stop(void)
{
	fixture_free(&f);
}

/* A client that says its address, from a banned domain, to an odd recipient. */
static struct decision bad(const char *to)
{
	fixture_connect(&f, CLIENT);
	fixture_helo(&f, CLIENT);
	fixture_mail(&f, "a@example.com");
	return fixture_rcpt(&f, to);
}

#define HELO_REFUSED   "550 5.7.1 The sender presented HELO as an IP address"
#define DOMAIN_REFUSED "550 5.7.1 The domain example.com is banned"
#define CLIENT_REFUSED "550 5.7.1 The sender 198.51.100.7 is banned"
#define CHARS_REFUSED  "553 5.1.3 Restricted characters in address"

START_TEST(the_first_of_the_table_decides)
{
	table_ban(&f.world, LIST_DOMAIN, "example.com");
	ck_said(bad("a%b@example.net"), HELO_REFUSED);
	f.config.base.helo_ip.mode = MODE_OFF;
	ck_said(bad("a%b@example.net"), DOMAIN_REFUSED);
	f.config.base.banned_domain.mode = MODE_OFF;
	ck_said(bad("a%b@example.net"), CHARS_REFUSED);
	table_ban(&f.world, LIST_CLIENT, CLIENT);
	ck_said(bad("a%b@example.net"), CLIENT_REFUSED);
}
END_TEST

/* Connection, HELO and MAIL are answered; the recipient hears it, each of them. */
START_TEST(verdicts_are_kept_until_rcpt)
{
	unsigned asked;

	table_ban(&f.world, LIST_CLIENT, CLIENT);
	ck_said(fixture_connect(&f, CLIENT), "pass");
	fixture_helo(&f, "client.example.org");
	ck_said(fixture_mail(&f, "a@example.org"), "pass");
	ck_said(fixture_rcpt(&f, "a@example.net"), CLIENT_REFUSED);
	asked = f.world.bans_asked;
	ck_said(fixture_rcpt(&f, "b@example.net"), CLIENT_REFUSED);
	/* Only the recipient and its domain were asked for again. */
	ck_assert_uint_eq(f.world.bans_asked, asked + 2);
	ck_said(fixture_mail(&f, "a@example.org"), "pass");
	ck_said(fixture_rcpt(&f, "a@example.net"), CLIENT_REFUSED);
}
END_TEST

START_TEST(monitor_only_notes)
{
	table_ban(&f.world, LIST_CLIENT, CLIENT);
	f.config.base.banned_client.mode = MODE_MONITOR;
	ck_said(fixture_send(&f, CLIENT, "a@example.net"), "pass");
	ck_assert_uint_eq(f.world.metrics[METRIC_would_refuse], 1);
	ck_assert_uint_eq(f.world.metrics[METRIC_messages_refused], 0);
	ck_assert_ptr_null(table_event(&f.world, EVENT_INCIDENT, 0));
	ck_assert_str_eq(engine_would(&f.s).p, "banned-client: " CLIENT_REFUSED);
}
END_TEST

START_TEST(global_monitor_refuses_nothing_of_policy)
{
	table_ban(&f.world, LIST_DOMAIN, "example.com");
	f.config.global.mode = RUN_MONITOR;
	ck_said(bad("a%b@example.net"), "pass");
	ck_assert_uint_eq(f.world.metrics[METRIC_would_refuse], 3);
	ck_said(fixture_rcpt(&f, "a@elsewhere.example"), "550 5.7.1 Relay not permitted");
	/* The next hop's word isn't ours: with such a recipient the message could not be delivered.
	 */
	f.domains[0].set.recipients = RECIPIENTS_LIVE;
	f.world.hop_answer = ANSWER_NO;
	f.world.hop.code = 550;
	ck_said(fixture_rcpt(&f, "b@example.net"), "550 5.1.1 Recipient verification failed");
}
END_TEST

START_TEST(soft_defers)
{
	struct decision d;

	f.config.global.mode = RUN_SOFT;
	ck_said(bad("a@example.net"), "451 4.7.1 The sender presented HELO as an IP address");
	ck_said(bad("postmaster@example.net"), "pass");
	/* What is a 4xx already stays as it is. */
	f.domains[0].set.recipients = RECIPIENTS_LIVE;
	f.world.hop_answer = ANSWER_UNKNOWN;
	ck_said(fixture_send(&f, CLIENT, "a@example.net"),
		"451 4.3.0 The next hop is not available, try again later");
	/* Protocol is no policy. */
	d = engine_reply(&f.s, REPLY_BAD_SYNTAX);
	ck_said(d, "501 5.5.4 Syntax error in parameters");
}
END_TEST

START_TEST(a_domain_overrides_the_mode)
{
	f.other.helo_ip.mode = MODE_OFF;
	ck_said(bad("a@example.net"), HELO_REFUSED);
	ck_said(bad("a@other.example"), "pass");
	ck_said(fixture_rcpt(&f, "a@example.net"), HELO_REFUSED);
	ck_said(fixture_rcpt(&f, "b@other.example"), "pass");
	f.other.helo_ip.mode = MODE_ENFORCE;
	f.config.base.helo_ip.mode = MODE_OFF;
	ck_said(bad("a@other.example"), HELO_REFUSED);
	ck_said(fixture_rcpt(&f, "a@example.net"), "pass");
}
END_TEST

/* Options of a check that ran before: it runs again, for that domain only. */
START_TEST(a_domain_overrides_options)
{
	f.other.helo_ip.literals = false;
	fixture_connect(&f, CLIENT);
	fixture_helo(&f, "[198.51.100.7]");
	fixture_mail(&f, "a@example.org");
	ck_said(fixture_rcpt(&f, "a@example.net"), "pass");
	ck_said(fixture_rcpt(&f, "a@other.example"), HELO_REFUSED);
	ck_said(fixture_rcpt(&f, "b@example.net"), "pass");
	/* What that run left behind went with the transaction. */
	fixture_mail(&f, "a@example.org");
	ck_assert(text_empty(engine_would(&f.s)));
	ck_said(fixture_rcpt(&f, "b@other.example"), HELO_REFUSED);
	fixture_helo(&f, "[198.51.100.7]");
	ck_assert(text_empty(engine_would(&f.s)));
}
END_TEST

START_TEST(postmaster_is_the_way_out)
{
	table_ban(&f.world, LIST_CLIENT, CLIENT);
	table_ban(&f.world, LIST_DOMAIN, "example.com");
	ck_said(bad("postmaster@example.net"), "pass");
	ck_said(bad("Abuse@example.net"), "pass");
	ck_said(bad("other@example.net"), CLIENT_REFUSED);
	/* Checks on the message follow the same rule, if all recipients are such. */
	ck_said(bad("postmaster@example.net"), "pass");
	ck_said(fixture_message(&f, "\xc3: x\r\n", 10), "pass");
}
END_TEST

START_TEST(own_clients_skip_the_checks_on_strangers)
{
	f.s.own = true;
	ck_said(bad("a@example.net"), "pass");
	table_ban(&f.world, LIST_DOMAIN, "example.com");
	ck_said(bad("a@example.net"), DOMAIN_REFUSED);
}
END_TEST

START_TEST(exemptions)
{
	static const struct {
		const char *check;
		enum list_key kind;
		const char *key;
		bool saves;
	} cases[] = {
	    {"helo-ip", LIST_CLIENT, "198.51.100.0/24", true},
	    {"*", LIST_CLIENT, "198.51.100.7", true},
	    {"helo-ip", LIST_HOST, "mail.example.org", true},
	    {"helo-ip", LIST_ADDRESS, "a@example.com", true},
	    {"helo-ip", LIST_DOMAIN, "example.com", true},
	    {"helo-ip", LIST_LOGIN, "user17", true},
	    {"helo-ip", LIST_RECIPIENT, "b@example.net", true},
	    {"helo-ip", LIST_RECIPIENT, "@example.net", true},
	    {"banned-client", LIST_CLIENT, "198.51.100.7", false},
	    {"helo-ip", LIST_CLIENT, "198.51.101.0/24", false},
	    {"helo-ip", LIST_ADDRESS, "b@example.com", false},
	    {"helo-ip", LIST_RECIPIENT, "@other.example", false},
	};

	f.s.host = LIT("out.mail.example.org");
	f.s.login = LIT("user17");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		f.world.listed_count = 0;
		f.world.event_count = 0;
		table_exempt(&f.world, cases[i].check, cases[i].kind, cases[i].key);
		ck_said(bad("b@example.net"), cases[i].saves ? "pass" : HELO_REFUSED);
		if (!cases[i].saves)
			continue;
		const struct event *hit = table_event(&f.world, EVENT_HIT, 0);

		ck_assert_str_eq(table_field(hit, FIELD_list), "exemption");
		ck_assert_str_eq(table_field(hit, FIELD_check), cases[i].check);
		ck_assert_str_eq(table_field(hit, FIELD_key), cases[i].key);
		ck_assert_int_eq(table_number(hit, FIELD_tag), 100);
	}
}
END_TEST

/* A +tag makes neither a new sender nor a new recipient. */
START_TEST(exemptions_cover_tags)
{
	table_exempt(&f.world, "helo-ip", LIST_RECIPIENT, "b@example.net");
	ck_said(bad("b+shop@example.net"), "pass");
	ck_said(bad("c@example.net"), HELO_REFUSED);
	table_exempt(&f.world, "helo-ip", LIST_ADDRESS, "ann@example.org");
	fixture_mail(&f, "ann+x@example.org");
	ck_said(fixture_rcpt(&f, "c@example.net"), "pass");
	fixture_mail(&f, "annx@example.org");
	ck_said(fixture_rcpt(&f, "c@example.net"), HELO_REFUSED);
}
END_TEST

START_TEST(exemptions_cost_nothing_where_nothing_refuses)
{
	table_exempt(&f.world, "helo-ip", LIST_CLIENT, CLIENT);
	ck_said(fixture_send(&f, CLIENT, "a@example.net"), "pass");
	ck_assert_uint_eq(f.world.exemptions_asked, 0);
	f.world.listed_count = 0;
	ck_said(bad("a@example.net"), HELO_REFUSED);
	ck_assert_uint_eq(f.world.exemptions_asked, 0);
}
END_TEST

/* Who knows whether the sender is exempt?  That we can't read the lists must not be a 5xx. */
START_TEST(exemptions_that_cannot_be_read)
{
	const char *put_off = "451 4.3.0 A check could not be completed, try again later";

	f.world.lists_away = true;
	ck_said(bad("b@example.net"), put_off);
	ck_assert_str_eq(table_field(table_event(&f.world, EVENT_INCIDENT, 0), FIELD_facts),
			 "exemptions can't be read; else: HELO 198.51.100.7");
	ck_said(fixture_rcpt(&f, "x@elsewhere.example"), put_off);
	f.config.base.helo_ip.mode = MODE_OFF;
	ck_said(bad("x@elsewhere.example"), "550 5.7.1 Relay not permitted");
	ck_said(bad("b@example.net"), "pass");
}
END_TEST

/* --- incidents */

START_TEST(an_incident_tells_what_decided)
{
	struct decision d = bad("b@example.net");
	const struct event *e = table_event(&f.world, EVENT_INCIDENT, 0);
	char shown[INCIDENT_TEXT_MAX], end[80];

	ck_assert_ptr_nonnull(e);
	ck_assert_uint_ne(d.incident, 0);
	ck_assert_uint_eq(d.incident >> 40, 0);
	snprintf(end, sizeof(end), "address [%s]", incident_format(LIT("mx1"), d.incident, shown));
	ck_assert(text_iends(d.text, text_of(end)));
	ck_assert_int_eq(table_number(e, FIELD_incident), (int64_t)d.incident);
	ck_assert_str_eq(table_field(e, FIELD_check), "helo-ip");
	ck_assert_str_eq(table_field(e, FIELD_mode), "enforce");
	ck_assert_str_eq(table_field(e, FIELD_cause), "sender");
	ck_assert_str_eq(table_field(e, FIELD_phase), "rcpt");
	ck_assert_str_eq(table_field(e, FIELD_reply), HELO_REFUSED);
	ck_assert_str_eq(table_field(e, FIELD_facts), "HELO 198.51.100.7");
	ck_assert_str_eq(table_field(e, FIELD_listener), "mx");
	ck_assert_str_eq(table_field(e, FIELD_helo), CLIENT);
	ck_assert_str_eq(table_field(e, FIELD_from), "a@example.com");
	ck_assert_str_eq(table_field(e, FIELD_to), "b@example.net");
	ck_assert_str_eq(table_field(e, FIELD_remedy), "exempt add helo-ip client:198.51.100.7");
	ck_assert_str_eq(table_field(e, FIELD_session), "s1");
	ck_assert_int_eq(table_number(e, FIELD_code), 550);
	ck_assert_int_eq(d.check, CHECK_helo_ip);
	ck_assert_uint_eq(f.world.metrics[METRIC_messages_refused], 1);
}
END_TEST

START_TEST(a_repeated_refusal_is_one_incident)
{
	struct decision first = bad("b@example.net");
	struct decision again = bad("c@example.net");
	const struct event *e = table_event(&f.world, EVENT_REPEAT, 0);

	ck_assert_uint_eq(again.incident, first.incident);
	ck_assert_int_eq(table_number(e, FIELD_incident), (int64_t)first.incident);
	ck_assert_str_eq(table_field(e, FIELD_to), "c@example.net");
	ck_assert_ptr_null(table_event(&f.world, EVENT_INCIDENT, 1));
	/* Another check, another incident; and after some time as well. */
	f.config.base.helo_ip.mode = MODE_OFF;
	ck_assert_uint_ne(bad("a%b@example.net").incident, first.incident);
	f.config.base.helo_ip.mode = MODE_ENFORCE;
	f.world.boot_us += 121 * INT64_C(1000000);
	ck_assert_uint_ne(bad("b@example.net").incident, first.incident);
}
END_TEST

/* A refusal's token; the reply's text goes with the transaction. */
static void token_of(struct decision d, char token[25])
{
	ck_assert_uint_gt(d.text.n, 24);
	memcpy(token, d.text.p + d.text.n - 24, 24);
	token[24] = '\0';
	ck_assert_uint_eq(strspn(token, "0123456789ABCDEFGHJKMNPQRSTVWXYZ"), 24);
}

START_TEST(help_url_and_token)
{
	char token[25], again[25], other[25];
	struct decision d;

	f.config.global.help_url = LIT("https://why.example.net/");
	d = bad("b@example.net");
	token_of(d, token);
	ck_assert_ptr_nonnull(strstr(d.text.p, "] https://why.example.net/"));
	ck_assert_str_eq(table_field(table_event(&f.world, EVENT_INCIDENT, 0), FIELD_url),
			 strstr(d.text.p, "https:"));
	token_of(bad("c@example.net"), again);
	ck_assert_str_eq(token, again);
	f.config.base.helo_ip.mode = MODE_OFF;
	token_of(bad("a%b@example.net"), other);
	ck_assert_str_ne(token, other);
}
END_TEST

/* However long its parts are, and whatever a sender puts into them. */
START_TEST(a_reply_fits_its_line)
{
	char url[300], host[70], domain[256];
	struct decision d;

	memset(url, 'u', sizeof(url));
	memset(host, 'h', sizeof(host));
	memset(domain, 'd', sizeof(domain));
	for (size_t i = 60; i < sizeof(domain); i += 61)
		domain[i] = '.';
	domain[250] = '\0';
	table_ban(&f.world, LIST_DOMAIN, domain);
	f.config.global.hostname = text_make(host, 63);
	for (size_t n = 0; n < sizeof(url); n += 7) {
		f.config.global.help_url = text_make(url, n);
		fixture_connect(&f, CLIENT);
		fixture_helo(&f, domain);
		fixture_mail(&f, "");
		d = fixture_rcpt(&f, "a@example.net");
		ck_assert(d.refused);
		ck_assert_uint_le(4 + d.enhanced.n + 1 + d.text.n + 2, 512);
	}
}
END_TEST

/* --- replies without a check */

START_TEST(replies_of_the_catalog)
{
	struct decision d;

	fixture_send(&f, CLIENT, "a@example.net");
	d = engine_reply(&f.s, REPLY_BAD_SEQUENCE);
	ck_assert(d.refused);
	ck_assert_uint_eq(d.incident, 0);
	ck_assert_str_eq(d.text.p, "Bad sequence of commands");
	d = engine_reply(&f.s, REPLY_TOO_BIG);
	ck_assert_uint_ne(d.incident, 0);
	ck_said(d, "552 5.3.4 The message is too big");
	d = engine_reply(&f.s, REPLY_NO_SPACE);
	ck_assert_uint_eq(d.incident, 0);
	ck_said(d, "452 4.3.1 Insufficient storage, try again later");
}
END_TEST

static struct decision hop(int code, const char *enhanced)
{
	struct hop_reply h = {.code = (short)code, .text = LIT("5 o'clock\r\n"), .hop = LIT("hop")};

	strcpy(h.enhanced, enhanced);
	return engine_hop_reply(&f.s, &h);
}

START_TEST(replies_of_the_hop)
{
	fixture_send(&f, CLIENT, "a@example.net");
	ck_said(hop(0, ""), "451 4.3.0 The next hop is not available, try again later");
	ck_said(hop(421, "4.3.2"), "451 4.3.2 The next hop deferred the message");
	ck_said(hop(452, "4.2.2"), "452 4.2.2 The next hop deferred the message");
	ck_said(hop(554, "5.7.1"), "554 5.7.1 The next hop refused the message");
	ck_said(hop(554, ""), "554 5.0.0 The next hop refused the message");
	ck_said(hop(554, "2.0.0"), "554 5.0.0 The next hop refused the message");
	ck_said(hop(354, ""), "451 4.3.0 The next hop is not available, try again later");
	ck_assert_uint_ne(hop(554, "5.7.1").incident, 0);
	f.config.global.hop_text = true;
	ck_said(hop(554, "5.7.1"), "554 5.7.1 The next hop refused the message: 5 o'clock??");
}
END_TEST

START_TEST(what_a_session_would_have_got)
{
	table_ban(&f.world, LIST_CLIENT, CLIENT);
	fixture_connect(&f, CLIENT);
	fixture_helo(&f, CLIENT);
	ck_assert_str_eq(engine_would(&f.s).p,
			 "banned-client: " CLIENT_REFUSED "; helo-ip: " HELO_REFUSED);
	/* What was said is no more what would have been. */
	fixture_mail(&f, "a@example.org");
	ck_said(fixture_rcpt(&f, "a@example.net"), CLIENT_REFUSED);
	ck_assert_str_eq(engine_would(&f.s).p, "helo-ip: " HELO_REFUSED);
	ck_said(fixture_rcpt(&f, "postmaster@example.net"), "pass");
	ck_assert(text_empty(engine_would(&f.s)));
	f.world.listed_count = 0;
	fixture_connect(&f, CLIENT);
	ck_assert(text_empty(engine_would(&f.s)));
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("engine");
	Suite *suite = suite_create("engine");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, start, stop);
	tcase_add_test(tc, the_first_of_the_table_decides);
	tcase_add_test(tc, verdicts_are_kept_until_rcpt);
	tcase_add_test(tc, monitor_only_notes);
	tcase_add_test(tc, global_monitor_refuses_nothing_of_policy);
	tcase_add_test(tc, soft_defers);
	tcase_add_test(tc, a_domain_overrides_the_mode);
	tcase_add_test(tc, a_domain_overrides_options);
	tcase_add_test(tc, postmaster_is_the_way_out);
	tcase_add_test(tc, own_clients_skip_the_checks_on_strangers);
	tcase_add_test(tc, exemptions);
	tcase_add_test(tc, exemptions_cover_tags);
	tcase_add_test(tc, exemptions_cost_nothing_where_nothing_refuses);
	tcase_add_test(tc, exemptions_that_cannot_be_read);
	tcase_add_test(tc, an_incident_tells_what_decided);
	tcase_add_test(tc, a_repeated_refusal_is_one_incident);
	tcase_add_test(tc, help_url_and_token);
	tcase_add_test(tc, a_reply_fits_its_line);
	tcase_add_test(tc, replies_of_the_catalog);
	tcase_add_test(tc, replies_of_the_hop);
	tcase_add_test(tc, what_a_session_would_have_got);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
