/* Rate limits: by a plain model of buckets under random arrivals, and each rule by itself. */
#include "policy/limits.h"

#include "shm/base/clock.h"
#include "tests/unit/world_table.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#define CLIENT "198.51.100.7"

enum { LIMITS_MAX = 4, WINDOWS_MAX = 4 };

static struct fixture f;
static struct limit limits[LIMITS_MAX];
static struct rate_list lists[LIMITS_MAX][UNIT_COUNT];
static struct rate rates[LIMITS_MAX][UNIT_COUNT][WINDOWS_MAX];

static void start(void)
{
	fixture_init(&f);
	memset(limits, 0, sizeof(limits));
	memset(lists, 0, sizeof(lists));
	f.config.limits = limits;
}

static void stop(void)
{
	fixture_free(&f);
}

static struct limit *add_limit(const char *name, enum limit_by by)
{
	size_t i = f.config.limit_count++;

	limits[i] = (struct limit){.by = by, .bits4 = 32, .bits6 = 64, .listeners = ~UINT64_C(0)};
	limits[i].set.name = text_of(name);
	for (int unit = 0; unit < UNIT_COUNT; unit++) {
		lists[i][unit] = (struct rate_list){rates[i][unit], 0};
		limits[i].windows[unit] = &lists[i][unit];
	}
	return &limits[i];
}

static void add_window(struct limit *l, enum limit_unit unit, const char *rate)
{
	struct rate_list *list = &lists[l - limits][unit];

	ck_assert(rate_parse(text_of(rate), &list->v[list->n++]));
}

static struct decision send_from(const char *client, const char *from, const char *to)
{
	struct decision d = fixture_connect(&f, client);

	if (d.refused)
		return d;
	fixture_helo(&f, "client.example.org");
	d = fixture_mail(&f, from);
	return d.refused ? d : fixture_rcpt(&f, to);
}

static struct decision one_message(void)
{
	return send_from(CLIENT, "a@example.org", "b@example.net");
}

START_TEST(messages)
{
	struct limit *l = add_limit("client", LIMIT_BY_CLIENT);

	add_window(l, UNIT_MESSAGES, "2/1m");
	add_window(l, UNIT_MESSAGES, "3/1h");
	ck_said(one_message(), "pass");
	/* A second recipient is no second message. */
	ck_said(fixture_rcpt(&f, "c@example.net"), "pass");
	ck_said(one_message(), "pass");
	ck_said(one_message(), "450 4.7.1 You can only send 2 msgs per 1m");
	f.world.boot_us += 60 * SECOND_US;
	ck_said(one_message(), "pass");
	f.world.boot_us += 60 * SECOND_US;
	ck_said(one_message(), "450 4.7.1 You can only send 3 msgs per 1h");
	/* Another client has its own count. */
	ck_said(send_from("198.51.100.8", "a@example.org", "b@example.net"), "pass");
	f.world.boot_us += 3600 * SECOND_US;
	ck_said(one_message(), "pass");
}
END_TEST

/* A number of messages is no number of bytes: never "2K". */
START_TEST(as_configured)
{
	struct limit *l = add_limit("client", LIMIT_BY_CLIENT);

	add_window(l, UNIT_MESSAGES, "2048/90s");
	for (int i = 0; i < 2048; i++)
		ck_said(one_message(), "pass");
	ck_said(one_message(), "450 4.7.1 You can only send 2048 msgs per 90s");
}
END_TEST

START_TEST(every_full_window_is_noted)
{
	struct limit *l = add_limit("client", LIMIT_BY_CLIENT);
	const struct event *e;

	add_window(l, UNIT_MESSAGES, "1/1m");
	add_window(l, UNIT_MESSAGES, "1/1h");
	l = add_limit("sender", LIMIT_BY_SENDER);
	add_window(l, UNIT_RECIPIENTS, "1/1d");
	ck_said(one_message(), "pass");
	ck_assert_ptr_null(table_event(&f.world, EVENT_LIMIT, 0));
	ck_said(one_message(), "450 4.7.1 You can only send 1 msgs per 1m");
	e = table_event(&f.world, EVENT_LIMIT, 0);
	ck_assert_str_eq(table_field(e, FIELD_limit), "client");
	ck_assert_str_eq(table_field(e, FIELD_unit), "messages");
	ck_assert_str_eq(table_field(e, FIELD_key), CLIENT "/32");
	ck_assert_str_eq(table_field(e, FIELD_text), "1/1m");
	ck_assert_int_eq(table_number(e, FIELD_count), 1);
	e = table_event(&f.world, EVENT_LIMIT, 1);
	ck_assert_str_eq(table_field(e, FIELD_text), "1/1h");
	e = table_event(&f.world, EVENT_LIMIT, 2);
	ck_assert_str_eq(table_field(e, FIELD_limit), "sender");
	ck_assert_str_eq(table_field(e, FIELD_key), "a@example.org");
	ck_assert_ptr_null(table_event(&f.world, EVENT_LIMIT, 3));
}
END_TEST

START_TEST(connections)
{
	struct limit *l = add_limit("client", LIMIT_BY_CLIENT);

	add_window(l, UNIT_CONNECTIONS, "2/1m");
	ck_said(fixture_connect(&f, CLIENT), "pass");
	ck_said(fixture_connect(&f, CLIENT), "pass");
	ck_said(fixture_connect(&f, CLIENT), "421 You can only open 2 connections per 1m");
	f.world.boot_us += 30 * SECOND_US;
	ck_said(fixture_connect(&f, CLIENT), "pass");
	f.config.base.rate_limit.mode = MODE_OFF;
	ck_said(fixture_connect(&f, CLIENT), "pass");
}
END_TEST

START_TEST(recipients)
{
	struct limit *l = add_limit("client", LIMIT_BY_CLIENT);

	add_window(l, UNIT_RECIPIENTS, "3/1h");
	ck_said(one_message(), "pass");
	ck_said(fixture_rcpt(&f, "c@example.net"), "pass");
	ck_said(fixture_rcpt(&f, "d%e@example.net"), "553 5.1.3 Restricted characters in address");
	ck_said(fixture_rcpt(&f, "d@example.net"), "pass");
	ck_said(fixture_rcpt(&f, "e@example.net"),
		"450 4.7.1 You can only send to 3 recipients per 1h");
}
END_TEST

START_TEST(bytes)
{
	const char *refused = "450 4.7.1 You can only send 1K bytes per 1h";
	struct limit *l = add_limit("client", LIMIT_BY_CLIENT);

	add_window(l, UNIT_BYTES, "1K/1h");
	/* SIZE= may refuse early, and charges nothing. */
	ck_said(one_message(), "pass");
	ck_said(fixture_message(&f, "From: a\r\n", 1000), "pass");
	fixture_connect(&f, CLIENT);
	fixture_helo(&f, "client.example.org");
	fixture_mail(&f, "a@example.org");
	f.tx.declared_size = 500;
	ck_said(fixture_rcpt(&f, "b@example.net"), refused);
	/* Without it the end of data does. */
	ck_said(one_message(), "pass");
	ck_said(fixture_message(&f, "From: a\r\n", 25), refused);
	ck_said(one_message(), "pass");
	ck_said(fixture_message(&f, "From: a\r\n", 24), "pass");
}
END_TEST

START_TEST(by_sender)
{
	const char *refused = "450 4.7.1 You can only send 1 msgs per 1h";
	struct limit *l = add_limit("sender", LIMIT_BY_SENDER);

	add_window(l, UNIT_MESSAGES, "1/1h");
	ck_said(send_from(CLIENT, "user+a@example.org", "b@example.net"), "pass");
	ck_said(send_from("192.0.2.9", "USER+b@Example.ORG", "b@example.net"), refused);
	ck_said(send_from(CLIENT, "user@example.org", "b@example.net"), refused);
	ck_said(send_from(CLIENT, "user2@example.org", "b@example.net"), "pass");
	/* The null sender is nobody. */
	ck_said(send_from(CLIENT, "", "b@example.net"), "pass");
	ck_said(send_from(CLIENT, "", "b@example.net"), "pass");
	f.config.global.recipient_delimiter = LIT("");
	ck_said(send_from(CLIENT, "user+c@example.org", "b@example.net"), "pass");
}
END_TEST

START_TEST(by_domains)
{
	struct limit *l = add_limit("from", LIMIT_BY_SENDER_DOMAIN);

	add_window(l, UNIT_MESSAGES, "1/1h");
	ck_said(send_from(CLIENT, "a@example.org", "b@example.net"), "pass");
	ck_said(send_from(CLIENT, "b@EXAMPLE.org", "b@example.net"),
		"450 4.7.1 You can only send 1 msgs per 1h");
	f.config.limit_count = 0;
	l = add_limit("to", LIMIT_BY_RECIPIENT_DOMAIN);
	add_window(l, UNIT_MESSAGES, "1/1h");
	add_window(l, UNIT_BYTES, "1K/1h");
	/* A message counts once for each domain that it goes to. */
	ck_said(send_from(CLIENT, "c@example.org", "b@example.net"), "pass");
	ck_said(fixture_rcpt(&f, "c@example.net"), "pass");
	ck_said(fixture_rcpt(&f, "c@other.example"), "pass");
	ck_said(fixture_message(&f, "From: a\r\n", 1024), "pass");
	ck_said(send_from(CLIENT, "c@example.org", "b@other.example"),
		"450 4.7.1 You can only send 1 msgs per 1h");
	f.world.boot_us += 3590 * SECOND_US;
	lists[0][UNIT_MESSAGES].n = 0;
	ck_said(send_from(CLIENT, "c@example.org", "b@other.example"), "pass");
	ck_said(fixture_message(&f, "From: a\r\n", 1024),
		"450 4.7.1 You can only send 1K bytes per 1h");
}
END_TEST

START_TEST(several_widths)
{
	struct limit *narrow = add_limit("client", LIMIT_BY_CLIENT);
	struct limit *wide = add_limit("network", LIMIT_BY_CLIENT);

	add_window(narrow, UNIT_MESSAGES, "2/1m");
	add_window(wide, UNIT_MESSAGES, "3/1m");
	wide->bits4 = 24;
	wide->bits6 = 48;
	ck_said(send_from("198.51.100.1", "a@example.org", "b@example.net"), "pass");
	ck_said(send_from("198.51.100.1", "a@example.org", "b@example.net"), "pass");
	ck_said(send_from("198.51.100.1", "a@example.org", "b@example.net"),
		"450 4.7.1 You can only send 2 msgs per 1m");
	/* That was refused by the narrow one, so the wide one still has room. */
	ck_said(send_from("198.51.100.2", "a@example.org", "b@example.net"), "pass");
	ck_said(send_from("198.51.100.3", "a@example.org", "b@example.net"),
		"450 4.7.1 You can only send 3 msgs per 1m");
	ck_said(send_from("198.51.101.3", "a@example.org", "b@example.net"), "pass");
	/* IPv6: all of a /64 is one client. */
	ck_said(send_from("2001:db8::1", "a@example.org", "b@example.net"), "pass");
	ck_said(send_from("2001:db8::ffff:1", "a@example.org", "b@example.net"), "pass");
	ck_said(send_from("2001:db8::2", "a@example.org", "b@example.net"),
		"450 4.7.1 You can only send 2 msgs per 1m");
	narrow->bits6 = 0;
	ck_said(send_from("2001:db8::2", "a@example.org", "b@example.net"), "pass");
}
END_TEST

START_TEST(by_login_at_mail)
{
	struct limit *l = add_limit("login", LIMIT_BY_LOGIN);

	add_window(l, UNIT_RECIPIENTS, "1/10m");
	ck_said(one_message(), "pass");
	ck_said(fixture_rcpt(&f, "c@example.net"), "pass");
	f.s.own = true;
	f.s.login = LIT("user17");
	ck_said(one_message(), "pass");
	fixture_connect(&f, CLIENT);
	fixture_helo(&f, "client.example.org");
	ck_said(fixture_mail(&f, "a@example.org"),
		"450 4.7.1 You can only send to 1 recipients per 10m");
	table_exempt(&f.world, "rate-limit", LIST_LOGIN, "user17");
	ck_said(fixture_mail(&f, "a@example.org"), "pass");
	ck_said(fixture_rcpt(&f, "c@example.net"), "pass");
}
END_TEST

START_TEST(whom_it_holds_for)
{
	struct limit *l = add_limit("client", LIMIT_BY_CLIENT);
	struct net net;

	add_window(l, UNIT_MESSAGES, "1/1h");
	ck_said(one_message(), "pass");
	f.s.own = true;
	ck_said(one_message(), "pass");
	l->set.own = true;
	ck_said(one_message(), "450 4.7.1 You can only send 1 msgs per 1h");
	f.s.own = false;
	l->listeners = 2;
	ck_said(one_message(), "pass");
	l->listeners = 1;
	ck_assert(net_parse(LIT(CLIENT), &net));
	f.listener.set.proxy_from = (struct net_list){&net, 1};
	ck_said(one_message(), "pass");
	f.listener.set.proxy_from.n = 0;
	ck_said(one_message(), "450 4.7.1 You can only send 1 msgs per 1h");
	/* Postmaster's mail counts like any other. */
	ck_said(send_from(CLIENT, "a@example.org", "postmaster@example.net"),
		"450 4.7.1 You can only send 1 msgs per 1h");
}
END_TEST

START_TEST(what_passes_a_full_window_is_not_charged)
{
	struct limit *l = add_limit("client", LIMIT_BY_CLIENT);

	add_window(l, UNIT_MESSAGES, "1/1h");
	f.config.base.rate_limit.mode = MODE_MONITOR;
	for (int i = 0; i < 10; i++)
		ck_said(one_message(), "pass");
	ck_assert_uint_eq(f.world.metrics[METRIC_would_refuse], 9);
	f.config.base.rate_limit.mode = MODE_ENFORCE;
	table_exempt(&f.world, "rate-limit", LIST_CLIENT, CLIENT);
	for (int i = 0; i < 10; i++)
		ck_said(one_message(), "pass");
	f.world.listed_count = 0;
	ck_said(one_message(), "450 4.7.1 You can only send 1 msgs per 1h");
	f.world.boot_us += 3600 * SECOND_US;
	ck_said(one_message(), "pass");
}
END_TEST

/* Refused by what the hop lacks: that costs nothing either. */
START_TEST(an_address_that_the_hop_cannot_carry)
{
	struct limit *l = add_limit("client", LIMIT_BY_CLIENT);

	add_window(l, UNIT_MESSAGES, "1/1h");
	f.world.hop_lacks_utf8 = true;
	for (int i = 0; i < 3; i++)
		ck_said(send_from(CLIENT, "a@example.org", "j\xc3\xb6rg@example.net"),
			"553 5.6.7 The address needs SMTPUTF8");
	ck_said(one_message(), "pass");
	f.world.boot_us += 3600 * SECOND_US;
	f.world.hop_lacks_utf8 = false;
	ck_said(send_from(CLIENT, "a@example.org", "j\xc3\xb6rg@example.net"), "pass");
}
END_TEST

/* Another session of the client takes the last place while the hop is asked. */
static void take_place(void *arg)
{
	(void)arg;
	f.world.meanwhile = NULL;
	limits_charge(&f.s, MOMENT_RCPT);
}

START_TEST(judged_again_after_a_wait)
{
	struct limit *l = add_limit("client", LIMIT_BY_CLIENT);

	add_window(l, UNIT_MESSAGES, "1/1h");
	f.domains[0].set.recipients = RECIPIENTS_LIVE;
	f.world.meanwhile = take_place;
	ck_said(one_message(), "450 4.7.1 You can only send 1 msgs per 1h");
	ck_assert_uint_eq(f.world.hop_asked, 1);
}
END_TEST

/* --- the property: random arrivals against buckets written down plainly */

enum { MODEL_CLIENTS = 4, MODEL_SENDERS = 3, MODEL_WINDOWS = 3, MODEL_STEPS = 6000 };

/* One window for one key: how long the bucket still needs to be full, in us. */
struct bucket {
	int64_t used_us;
	int64_t seen_us;
};

static const struct {
	bool by_sender;
	enum limit_unit unit;
	const char *rate;
	int64_t cost_us, period_us;
} windows[MODEL_WINDOWS] = {
    {false, UNIT_MESSAGES, "5/10s", 2000000, 10000000},
    {false, UNIT_MESSAGES, "12/60s", 5000000, 60000000},
    {true, UNIT_RECIPIENTS, "10/40s", 4000000, 40000000},
};

static struct bucket buckets[MODEL_WINDOWS][MODEL_CLIENTS + MODEL_SENDERS];

static struct bucket *bucket_of(int window, int client, int sender)
{
	struct bucket *b =
	    &buckets[window][windows[window].by_sender ? MODEL_CLIENTS + sender : client];
	int64_t passed = f.world.boot_us - b->seen_us;

	b->used_us = b->used_us > passed ? b->used_us - passed : 0;
	b->seen_us = f.world.boot_us;
	return b;
}

static bool model_allows(int client, int sender, bool first)
{
	for (int w = 0; w < MODEL_WINDOWS; w++) {
		if (windows[w].unit == UNIT_MESSAGES && !first)
			continue;
		if (bucket_of(w, client, sender)->used_us + windows[w].cost_us >
		    windows[w].period_us)
			return false;
	}
	return true;
}

static void model_charge(int client, int sender, bool first)
{
	for (int w = 0; w < MODEL_WINDOWS; w++) {
		if (windows[w].unit != UNIT_MESSAGES || first)
			bucket_of(w, client, sender)->used_us += windows[w].cost_us;
	}
}

static uint32_t seed = 12345;

static int pick(int n)
{
	seed = seed * 1664525 + 1013904223;
	return (int)((seed >> 8) % (uint32_t)n);
}

/* One recipient; some are refused by the next hop, which must cost nothing. */
static void one_arrival(int client, int sender, bool *first, unsigned counts[2])
{
	bool hop_refuses = pick(4) == 0;
	bool allowed = model_allows(client, sender, *first);
	struct decision d;

	f.world.hop_answer = hop_refuses ? ANSWER_NO : ANSWER_YES;
	d = fixture_rcpt(&f, "b@example.net");
	ck_assert_msg(d.refused == (!allowed || hop_refuses), "%s", said(&d));
	if (d.refused && !hop_refuses)
		ck_assert_int_eq(d.code, 450);
	counts[d.refused]++;
	if (d.refused)
		return;
	model_charge(client, sender, *first);
	*first = false;
}

START_TEST(behaves_like_plain_buckets)
{
	static const char *const senders[MODEL_SENDERS][2] = {
	    {"a@example.org", "a+1@example.org"},
	    {"b@example.org", "B@EXAMPLE.org"},
	    {"c@example.com", "c+x+y@example.com"},
	};
	struct limit *l[2] = {add_limit("client", LIMIT_BY_CLIENT),
			      add_limit("sender", LIMIT_BY_SENDER)};
	unsigned counts[2] = {0};

	for (int w = 0; w < MODEL_WINDOWS; w++)
		add_window(l[windows[w].by_sender], windows[w].unit, windows[w].rate);
	f.domains[0].set.recipients = RECIPIENTS_LIVE;
	f.world.hop.code = 550;
	for (int step = 0; step < MODEL_STEPS; step++) {
		int client = pick(MODEL_CLIENTS), sender = pick(MODEL_SENDERS);
		char address[32];
		bool first = true;

		f.world.boot_us += pick(10) ? pick(3000000) : pick(60000000);
		snprintf(address, sizeof(address), "192.0.2.%d", client + 1);
		fixture_connect(&f, address);
		fixture_helo(&f, "client.example.org");
		fixture_mail(&f, senders[sender][pick(2)]);
		for (int i = pick(3); i >= 0; i--)
			one_arrival(client, sender, &first, counts);
	}
	ck_assert_uint_gt(counts[0], 1000);
	ck_assert_uint_gt(counts[1], 1000);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("limits");
	Suite *suite = suite_create("limits");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, start, stop);
	tcase_add_test(tc, messages);
	tcase_add_test(tc, as_configured);
	tcase_add_test(tc, every_full_window_is_noted);
	tcase_add_test(tc, connections);
	tcase_add_test(tc, recipients);
	tcase_add_test(tc, bytes);
	tcase_add_test(tc, by_sender);
	tcase_add_test(tc, by_domains);
	tcase_add_test(tc, several_widths);
	tcase_add_test(tc, by_login_at_mail);
	tcase_add_test(tc, whom_it_holds_for);
	tcase_add_test(tc, what_passes_a_full_window_is_not_charged);
	tcase_add_test(tc, an_address_that_the_hop_cannot_carry);
	tcase_add_test(tc, judged_again_after_a_wait);
	tcase_add_test(tc, behaves_like_plain_buckets);
	tcase_set_timeout(tc, 30);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
