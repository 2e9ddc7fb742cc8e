/* A next hop that dies, hangs or talks nonsense at each verb: its own 4xx or 5xx, or no answer,
 * never a success, and within the deadline. */
#include "delivery_fixture.h"

static const char plain[] = "";
static const char pipelining[] = "250-PIPELINING\r\n250-8BITMIME\r\n250-SIZE 1000000\r\n";
static const char chunking[] = "250-PIPELINING\r\n250-CHUNKING\r\n";
static const char *const kinds[] = {plain, pipelining, chunking};

enum { ASK = 1, SEND = 2, BOTH = 3 };

static const struct misbehaviour {
	struct fault fault;
	int what; /* in which of the two it shows */
	short code;
	const char *enhanced;
} table[] = {
    {{"GREETING", FAULT_REPLY, "554 5.3.2 go away\r\n"}, BOTH, 0, ""},
    {{"GREETING", FAULT_REPLY, "354 x\r\n"}, BOTH, 0, ""},
    {{"GREETING", FAULT_REPLY, "25\r\n"}, BOTH, 0, ""},
    {{"GREETING", FAULT_REPLY, "\r\n"}, BOTH, 0, ""},
    {{"GREETING", FAULT_REPLY, "220x y\r\n"}, BOTH, 0, ""},
    {{"GREETING", FAULT_BYE, "421 4.3.2 busy\r\n"}, BOTH, 0, ""},
    {{"GREETING", FAULT_BYE, "220-unfinish"}, BOTH, 0, ""},
    {{"GREETING", FAULT_CLOSE}, BOTH, 0, ""},
    {{"GREETING", FAULT_HANG}, BOTH, 0, ""},
    {{"GREETING", FAULT_ENDLESS}, BOTH, 0, ""},
    {{"GREETING", FAULT_MANY}, BOTH, 0, ""},
    {{"GREETING", FAULT_BIG_LINE}, BOTH, 0, ""},
    {{"GREETING", FAULT_NUL}, BOTH, 0, ""},
    {{"EHLO", FAULT_CLOSE}, BOTH, 0, ""},
    {{"EHLO", FAULT_HANG}, BOTH, 0, ""},
    {{"EHLO", FAULT_ENDLESS}, BOTH, 0, ""},
    {{"EHLO", FAULT_BIG_LINE}, BOTH, 0, ""},
    {{"EHLO", FAULT_REPLY, "450 4.7.1 later\r\n"}, BOTH, 0, ""},
    {{"EHLO", FAULT_REPLY, "502 5.5.1 what\r\n"}, BOTH, 250, NULL}, /* HELO serves */
    {{"EHLO", FAULT_REPLY, "250\r\n"}, BOTH, 250, NULL},
    {{"MAIL", FAULT_REPLY, "550 5.7.1 not you\r\n"}, BOTH, 550, "5.7.1"},
    {{"MAIL", FAULT_REPLY, "452-4.3.1 full\r\n452 4.3.1 really\r\n"}, BOTH, 452, "4.3.1"},
    {{"MAIL", FAULT_BYE, "421 4.3.2 bye\r\n"}, BOTH, 451, "4.3.2"},
    {{"MAIL", FAULT_REPLY, "354 x\r\n"}, BOTH, 0, ""},
    {{"MAIL", FAULT_REPLY, "250-a\r\n251 b\r\n"}, BOTH, 0, ""},
    {{"MAIL", FAULT_CLOSE}, BOTH, 0, ""},
    {{"MAIL", FAULT_HANG}, BOTH, 0, ""},
    {{"MAIL", FAULT_ENDLESS}, BOTH, 0, ""},
    {{"MAIL", FAULT_MANY}, BOTH, 0, ""},
    {{"MAIL", FAULT_BIG_LINE}, BOTH, 0, ""},
    {{"MAIL", FAULT_NUL}, BOTH, 0, ""},
    {{"RCPT", FAULT_REPLY, "550 5.1.1 nobody\r\n"}, BOTH, 550, "5.1.1"},
    {{"RCPT", FAULT_REPLY, "550 4.1.1 class\r\n"}, BOTH, 550, ""},
    {{"RCPT", FAULT_REPLY, "450\r\n"}, BOTH, 450, ""},
    {{"RCPT", FAULT_BYE, "421 4.3.2 bye\r\n"}, BOTH, 451, "4.3.2"},
    {{"RCPT", FAULT_REPLY, "354 x\r\n"}, BOTH, 0, ""},
    {{"RCPT", FAULT_CLOSE}, BOTH, 0, ""},
    {{"RCPT", FAULT_HANG}, BOTH, 0, ""},
    {{"RCPT", FAULT_ENDLESS}, BOTH, 0, ""},
    {{"RCPT", FAULT_BIG_LINE}, BOTH, 0, ""},
    {{"RCPT", FAULT_NUL}, BOTH, 0, ""},
    {{"BODY", FAULT_REPLY, "554 5.7.1 spam\r\n"}, SEND, 554, "5.7.1"},
    {{"BODY", FAULT_REPLY, "451 4.3.0 later\r\n"}, SEND, 451, "4.3.0"},
    {{"BODY", FAULT_BYE, "421 4.3.2 bye\r\n"}, SEND, 451, "4.3.2"},
    {{"BODY", FAULT_REPLY, "354 more\r\n"}, SEND, 0, ""},
    {{"BODY", FAULT_REPLY, "2500 x\r\n"}, SEND, 0, ""},
    {{"BODY", FAULT_REPLY, "250-x\r\n550 y\r\n"}, SEND, 0, ""},
    {{"BODY", FAULT_CLOSE}, SEND, 0, ""},
    {{"BODY", FAULT_HANG}, SEND, 0, ""},
    {{"BODY", FAULT_ENDLESS}, SEND, 0, ""},
    {{"BODY", FAULT_MANY}, SEND, 0, ""},
    {{"BODY", FAULT_BIG_LINE}, SEND, 0, ""},
    {{"BODY", FAULT_NUL}, SEND, 0, ""},
};
#define ROWS (int)(sizeof(table) / sizeof(table[0]))

/* Only without CHUNKING. */
static const struct misbehaviour data_table[] = {
    {{"DATA", FAULT_REPLY, "554 5.5.1 no\r\n"}, SEND, 554, "5.5.1"},
    {{"DATA", FAULT_REPLY, "452 4.3.1 full\r\n"}, SEND, 452, "4.3.1"},
    {{"DATA", FAULT_REPLY, "250 2.0.0 done\r\n"}, SEND, 0, ""},
    {{"DATA", FAULT_BYE, "421 4.3.2 bye\r\n"}, SEND, 451, "4.3.2"},
    {{"DATA", FAULT_CLOSE}, SEND, 0, ""},
    {{"DATA", FAULT_HANG}, SEND, 0, ""},
    {{"DATA", FAULT_ENDLESS}, SEND, 0, ""},
    {{"DATA", FAULT_BIG_LINE}, SEND, 0, ""},
    {{"DATA", FAULT_NUL}, SEND, 0, ""},
};
#define DATA_ROWS (int)(sizeof(data_table) / sizeof(data_table[0]))

static const struct misbehaviour *row;
static int what;

static void run(struct fixture *f)
{
	struct delivery *d = delivery_open(f->routes, &f->session, &f->route);
	struct spool *s = fixture_message(f, "Subject: x\r\n\r\ntext\r\n", 20);
	struct hop_reply out = {.code = 999};
	enum answer a = ANSWER_UNKNOWN;

	if (what == ASK)
		a = delivery_ask(d, &f->recipients[0], &out);
	else
		delivery_send(d, &(struct payload){.fields = LIT("Received: x\r\n"), .message = s},
			      &out);
	ck_assert_msg(out.code == row->code, "%s, fault %d \"%s\", %s: %d, expected %d",
		      row->fault.at, row->fault.kind, row->fault.text ? row->fault.text : "",
		      what == ASK ? "ask" : "send", out.code, row->code);
	if (row->enhanced)
		ck_assert_str_eq(out.enhanced, row->enhanced);
	if (what == ASK)
		ck_assert_int_eq(a, row->code / 100 == 2   ? ANSWER_YES
				    : row->code / 100 == 5 ? ANSWER_NO
							   : ANSWER_UNKNOWN);
	spool_free(s);
	delivery_close(d);
}

static void try_row(const struct misbehaviour *r, const char *extensions, int what_now)
{
	struct peer p = {.extensions = extensions, .faults = {r->fault}};
	struct fixture f;

	row = r;
	what = what_now;
	peer_start(&p);
	fixture_init(&f);
	fixture_host(&f, &p);
	fixture_recipient(&f, "user@local.test");
	if (r->fault.kind == FAULT_HANG)
		f.route.set.reply_timeout = f.route.set.final_timeout = SECOND_US / 20;
	fixture_open(&f);
	fixture_run(&f, run);
	fixture_close(&f);
	peer_stop(&p);
	peer_free(&p);
	/* (No answer: perhaps.) */
	if (what == ASK || r->code)
		ck_assert_int_eq(p.messages, what == SEND && r->code == 250);
}

START_TEST(at_each_verb)
{
	for (size_t k = 0; k < 3; k++)
		for (int w = ASK; w <= SEND; w++)
			if (table[_i].what & w)
				try_row(&table[_i], kinds[k], w);
}
END_TEST

START_TEST(at_data)
{
	for (size_t k = 0; k < 2; k++)
		try_row(&data_table[_i], kinds[k], SEND);
}
END_TEST

/* ---- What the hop is told */

static const char *say_expected;

static void ask_then_send(struct fixture *f)
{
	struct delivery *d = delivery_open(f->routes, &f->session, &f->route);
	struct spool *s = fixture_message(f, "Subject: x\r\n\r\ntext\r\n", 20);
	struct hop_reply out;

	ck_assert_int_eq(delivery_ask(d, &f->recipients[0], &out), ANSWER_YES);
	delivery_send(d, &(struct payload){.fields = LIT("Received: x\r\n"), .message = s}, &out);
	ck_assert_int_eq(out.code, 250);
	ck_assert_str_eq(out.enhanced, "2.0.0");
	ck_assert(text_eq(out.text, LIT("Ok: queued as 4XyZ12")));
	ck_assert(text_eq(out.hop, LIT("smtp://hop.test")));
	spool_free(s);
	delivery_close(d);
}

static void expect_said(struct fixture *f, struct peer *p)
{
	peer_start(p);
	fixture_host(f, p);
	fixture_open(f);
	fixture_run(f, ask_then_send);
	fixture_close(f);
	peer_stop(p);
	peer_free(p);
	p->said[p->said_n] = '\0';
	ck_assert_str_eq(p->said, say_expected);
	ck_assert_int_eq(p->messages, 1);
}

static void with_parameters(struct fixture *f)
{
	fixture_init(f);
	fixture_recipient(f, "user@local.test");
	f->recipients[0].esmtp = LIT("NOTIFY=NEVER ORCPT=rfc822;u@x.test");
	f->tx.esmtp = LIT("RET=HDRS ENVID=e+2B1");
	f->tx.body_8bit = f->tx.smtputf8 = true;
	f->tx.declared_size = 4000;
}

START_TEST(parameters_where_offered)
{
	struct peer p = {.extensions = "250-PIPELINING\r\n250-SIZE\r\n250-8BITMIME\r\n"
				       "250-SMTPUTF8\r\n250-dsn\r\n",
			 .split = true};
	struct fixture f;

	with_parameters(&f);
	say_expected = "EHLO edge.test\n"
		       "MAIL FROM:<sender@example.org> SIZE=4000 BODY=8BITMIME SMTPUTF8 RET=HDRS "
		       "ENVID=e+2B1\n"
		       "RCPT TO:<user@local.test> NOTIFY=NEVER ORCPT=rfc822;u@x.test\n"
		       "DATA\nQUIT\n";
	expect_said(&f, &p);
}
END_TEST

START_TEST(nothing_that_is_not_offered)
{
	struct peer p = {0};
	struct fixture f;

	with_parameters(&f);
	say_expected = "EHLO edge.test\n"
		       "MAIL FROM:<sender@example.org>\nRCPT TO:<user@local.test>\n"
		       "DATA\nQUIT\n";
	expect_said(&f, &p);
}
END_TEST

/* Another session has used the connection in between: all is said again, with the real size. */
static void ask_both_then_send(struct fixture *f)
{
	struct delivery *d = delivery_open(f->routes, &f->session, &f->route);
	struct delivery *other = delivery_open(f->routes, &f->session, &f->route);
	struct spool *s = fixture_message(f, "Subject: x\r\n\r\ntext\r\n", 20);
	struct hop_reply out;

	ck_assert_int_eq(delivery_ask(d, &f->recipients[0], &out), ANSWER_YES);
	ck_assert_int_eq(delivery_ask(other, &f->recipients[0], &out), ANSWER_YES);
	delivery_send(d, &(struct payload){.fields = LIT("Received: x\r\n"), .message = s}, &out);
	ck_assert_int_eq(out.code, 250);
	/* The other's transaction went with that. */
	delivery_send(other, &(struct payload){.fields = LIT("Received: x\r\n"), .message = s},
		      &out);
	ck_assert_int_eq(out.code, 250);
	spool_free(s);
	delivery_close(other);
	delivery_close(d);
}

START_TEST(reset_where_another_was_between)
{
	struct peer p = {.extensions = "250-PIPELINING\r\n250-SIZE\r\n"};
	struct fixture f;

	fixture_init(&f);
	fixture_recipient(&f, "user@local.test");
	f.tx.declared_size = 4000;
	peer_start(&p);
	fixture_host(&f, &p);
	fixture_open(&f);
	fixture_run(&f, ask_both_then_send);
	fixture_close(&f);
	peer_stop(&p);
	peer_free(&p);
	p.said[p.said_n] = '\0';
	ck_assert_int_eq(p.messages, 2);
	ck_assert_str_eq(p.said, "EHLO edge.test\n"
				 "MAIL FROM:<sender@example.org> SIZE=4000\n"
				 "RCPT TO:<user@local.test>\n"
				 "RSET\n"
				 "MAIL FROM:<sender@example.org> SIZE=4000\n"
				 "RCPT TO:<user@local.test>\n"
				 "RSET\n"
				 "MAIL FROM:<sender@example.org> SIZE=33\n"
				 "RCPT TO:<user@local.test>\n"
				 "DATA\n"
				 "MAIL FROM:<sender@example.org> SIZE=33\n"
				 "RCPT TO:<user@local.test>\n"
				 "DATA\nQUIT\n");
}
END_TEST

/* A recipient that the hop has taken and policy has not: it must not get the message. */
static void ask_two_send_one(struct fixture *f)
{
	struct delivery *d = delivery_open(f->routes, &f->session, &f->route);
	struct spool *s = fixture_message(f, "Subject: x\r\n\r\ntext\r\n", 20);
	struct hop_reply out;

	ck_assert_int_eq(delivery_ask(d, &f->recipients[0], &out), ANSWER_YES);
	ck_assert_int_eq(delivery_ask(d, &f->recipients[1], &out), ANSWER_YES);
	f->tx.recipient_count = 1;
	delivery_send(d, &(struct payload){.fields = LIT("Received: x\r\n"), .message = s}, &out);
	ck_assert_int_eq(out.code, 250);
	spool_free(s);
	delivery_close(d);
}

START_TEST(a_recipient_too_many)
{
	struct peer p = {.extensions = pipelining};
	struct fixture f;

	fixture_init(&f);
	fixture_recipient(&f, "user@local.test");
	fixture_recipient(&f, "refused@local.test");
	f.route.set.connection = _i ? CONNECTION_HOLD : CONNECTION_POOLED;
	peer_start(&p);
	fixture_host(&f, &p);
	fixture_open(&f);
	fixture_run(&f, ask_two_send_one);
	fixture_close(&f);
	peer_stop(&p);
	peer_free(&p);
	p.said[p.said_n] = '\0';
	ck_assert_str_eq(p.said, "EHLO edge.test\nMAIL FROM:<sender@example.org>\n"
				 "RCPT TO:<user@local.test>\nRCPT TO:<refused@local.test>\n"
				 "RSET\nMAIL FROM:<sender@example.org> SIZE=33\n"
				 "RCPT TO:<user@local.test>\nDATA\nQUIT\n");
}
END_TEST

START_TEST(hold_goes_on_in_its_transaction)
{
	struct peer p = {.extensions = pipelining};
	struct fixture f;

	fixture_init(&f);
	fixture_recipient(&f, "user@local.test");
	f.route.set.connection = CONNECTION_HOLD;
	say_expected = "EHLO edge.test\nMAIL FROM:<sender@example.org>\n"
		       "RCPT TO:<user@local.test>\nDATA\nQUIT\n";
	expect_said(&f, &p);
}
END_TEST

START_TEST(xforward)
{
	struct peer p = {.extensions = "250-PIPELINING\r\n"
				       "250-XFORWARD NAME ADDR PROTO HELO SOURCE PORT IDENT\r\n"};
	struct fixture f;

	fixture_init(&f);
	fixture_recipient(&f, "user@local.test");
	f.route.set.client_info = CLIENT_INFO_XFORWARD;
	f.session.helo = LIT("a=b c\r\nQUIT");
	say_expected = "EHLO edge.test\n"
		       "XFORWARD NAME=[UNAVAILABLE] ADDR=192.0.2.7 PORT=4711\n"
		       "XFORWARD PROTO=ESMTP HELO=a+3Db+20c+0D+0AQUIT IDENT=S1 SOURCE=REMOTE\n"
		       "MAIL FROM:<sender@example.org>\nRCPT TO:<user@local.test>\nDATA\nQUIT\n";
	expect_said(&f, &p);
}
END_TEST

START_TEST(xclient)
{
	struct peer p = {.extensions = "250-PIPELINING\r\n"
				       "250-XCLIENT NAME ADDR PROTO HELO LOGIN\r\n"};
	struct fixture f;

	fixture_init(&f);
	fixture_recipient(&f, "user@local.test");
	f.route.set.client_info = CLIENT_INFO_XCLIENT;
	f.session.host = LIT("mail.example.org");
	ip_parse(LIT("2001:db8::7"), &f.session.client);
	say_expected = "EHLO edge.test\n"
		       "XCLIENT NAME=mail.example.org ADDR=IPV6:2001:db8::7 PROTO=ESMTP "
		       "HELO=client.test LOGIN=[UNAVAILABLE]\n"
		       "EHLO edge.test\n"
		       "MAIL FROM:<sender@example.org>\nRCPT TO:<user@local.test>\nDATA\nQUIT\n";
	expect_said(&f, &p);
}
END_TEST

START_TEST(proxy)
{
	struct peer p = {.extensions = pipelining};
	struct fixture f;

	fixture_init(&f);
	fixture_recipient(&f, "user@local.test");
	f.route.set.client_info = CLIENT_INFO_PROXY;
	ip_parse(LIT("2001:db8::7"), &f.session.client);
	say_expected = "PROXY TCP6 2001:db8::7 :: 4711 25\nEHLO edge.test\n"
		       "MAIL FROM:<sender@example.org>\nRCPT TO:<user@local.test>\nDATA\nQUIT\n";
	expect_said(&f, &p);
}
END_TEST

static void ask_utf8(struct fixture *f)
{
	struct delivery *d = delivery_open(f->routes, &f->session, &f->route);
	struct hop_reply out;

	ck_assert(delivery_offers_smtputf8(d));
	ck_assert_int_eq(delivery_ask(d, &f->recipients[0], &out), ANSWER_NO);
	ck_assert_int_eq(out.code, 553);
	ck_assert_str_eq(out.enhanced, "5.6.7");
	ck_assert(!delivery_offers_smtputf8(d));
	delivery_close(d);
}

START_TEST(utf8_for_a_hop_without_it)
{
	struct peer p = {.extensions = pipelining};
	struct fixture f;

	peer_start(&p);
	fixture_init(&f);
	fixture_host(&f, &p);
	fixture_recipient(&f, "j\xc3\xb6rg@local.test");
	f.recipients[0].mailbox.utf8 = true;
	fixture_open(&f);
	fixture_run(&f, ask_utf8);
	fixture_close(&f);
	peer_stop(&p);
	peer_free(&p);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("hop");
	TCase *t = tcase_create("hop");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, at_each_verb, 0, ROWS);
	tcase_add_loop_test(t, at_data, 0, DATA_ROWS);
	tcase_add_test(t, parameters_where_offered);
	tcase_add_test(t, nothing_that_is_not_offered);
	tcase_add_test(t, reset_where_another_was_between);
	tcase_add_loop_test(t, a_recipient_too_many, 0, 2);
	tcase_add_test(t, hold_goes_on_in_its_transaction);
	tcase_add_test(t, xforward);
	tcase_add_test(t, xclient);
	tcase_add_test(t, proxy);
	tcase_add_test(t, utf8_for_a_hop_without_it);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
