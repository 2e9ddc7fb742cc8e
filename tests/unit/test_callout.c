/* Conversations with mail servers of strangers: what is said, how far one gets with each kind of
 * server, and whom nobody ever asks. */
#include "delivery_fixture.h"
#include "worker/delivery/callout.h"

#define TIMEOUT_US (SECOND_US / 2)

static struct fixture f;
static struct peer peer;
static struct callout c;
static struct callout_target targets[2];

static void start(void)
{
	fixture_init(&f);
	peer = (struct peer){.extensions = "250-PIPELINING\r\n"};
	peer_start(&peer);
	fixture_host(&f, &peer);
	fixture_open(&f);
	ip_parse(LIT("127.0.0.1"), &targets[0].ip);
	targets[0].name = LIT("mx.test");
	c = (struct callout){.address = LIT("ann@example.org"),
			     .targets = targets,
			     .target_count = 1,
			     .port = peer.port,
			     .private_targets = true,
			     .timeout_us = 20 * SECOND_US};
}

static void stop(void)
{
	fixture_close(&f);
	peer_stop(&peer);
	peer_free(&peer);
}

static void run(struct fixture *fx)
{
	callout_run(fx->routes, &fx->session, &c);
}

static void ask(void)
{
	fixture_run(&f, run);
}

static void ck_told(const char *what)
{
	pthread_mutex_lock(&peer.lock);
	peer.said[peer.said_n] = '\0';
	ck_assert_str_eq(peer.said, what);
	pthread_mutex_unlock(&peer.lock);
}

/* QUIT is sent off without waiting, so the peer may hear it later. */
static void wait_quit(void)
{
	for (int i = 0; i < 2000; i++) {
		pthread_mutex_lock(&peer.lock);
		peer.said[peer.said_n] = '\0';
		bool there = strstr(peer.said, "QUIT\n") != NULL;
		pthread_mutex_unlock(&peer.lock);
		if (there)
			return;
		usleep(5000);
	}
}

START_TEST(an_address_that_exists)
{
	ask();
	ck_assert_int_eq(c.stage, CALLOUT_RCPT);
	ck_assert_int_eq(c.first.code, 250);
	ck_assert_str_eq(c.first.enhanced, "2.1.5");
	ck_assert_str_eq(c.hop, "mx.test [127.0.0.1]");
	ck_assert_int_eq(c.second.code, 0);
	wait_quit();
	ck_told("EHLO edge.test\nMAIL FROM:<>\nRCPT TO:<ann@example.org>\nQUIT\n");
}
END_TEST

START_TEST(and_one_that_does_not)
{
	c.address = LIT("nobody@example.org");
	c.if_taken = LIT("x@example.org");
	c.if_unclear = LIT("y@example.org");
	ask();
	ck_assert_int_eq(c.first.code, 550);
	ck_assert_str_eq(c.first.enhanced, "5.1.1");
	ck_assert_str_eq(c.first.text, "No such user");
	ck_assert_int_eq(c.second.code, 0);
}
END_TEST

START_TEST(the_second_question)
{
	c.if_taken = LIT("nobody@example.org");
	ask();
	ck_assert_int_eq(c.first.code, 250);
	ck_assert_int_eq(c.second.code, 550);
	wait_quit();
	ck_told("EHLO edge.test\nMAIL FROM:<>\nRCPT TO:<ann@example.org>\nRSET\nMAIL FROM:<>\n"
		"RCPT TO:<nobody@example.org>\nQUIT\n");
}
END_TEST

START_TEST(a_bare_refusal_is_asked_about)
{
	peer.faults[0] = (struct fault){"RCPT", FAULT_REPLY, "550 no\r\n", .times = 1};
	c.if_unclear = LIT("postmaster@example.org");
	ask();
	ck_assert_int_eq(c.first.code, 550);
	ck_assert_str_eq(c.first.enhanced, "");
	ck_assert_int_eq(c.second.code, 250);
}
END_TEST

static const struct {
	struct fault fault;
	enum callout_stage stage;
	short code; /* of the first reply */
} faults[] = {
    {{"GREETING", FAULT_REPLY, "554 go away\r\n"}, CALLOUT_GREETING, 554},
    {{"GREETING", FAULT_BYE, "421 busy\r\n"}, CALLOUT_GREETING, 421},
    {{"GREETING", FAULT_CLOSE}, CALLOUT_GREETING, 0},
    {{"GREETING", FAULT_HANG}, CALLOUT_GREETING, 0},
    {{"GREETING", FAULT_ENDLESS}, CALLOUT_GREETING, 0},
    {{"GREETING", FAULT_MANY}, CALLOUT_GREETING, 0},
    {{"GREETING", FAULT_BIG_LINE}, CALLOUT_GREETING, 0},
    {{"GREETING", FAULT_NUL}, CALLOUT_GREETING, 0},
    {{"GREETING", FAULT_REPLY, "354 what\r\n"}, CALLOUT_GREETING, 0},
    {{"EHLO", FAULT_REPLY, "502 what\r\n"}, CALLOUT_RCPT, 250}, /* HELO serves */
    {{"EHLO", FAULT_REPLY, "450 later\r\n"}, CALLOUT_HELLO, 450},
    {{"EHLO", FAULT_HANG}, CALLOUT_HELLO, 0},
    {{"EHLO", FAULT_ENDLESS}, CALLOUT_HELLO, 0},
    {{"MAIL", FAULT_REPLY, "550 5.7.1 no bounces\r\n"}, CALLOUT_MAIL, 550},
    {{"MAIL", FAULT_REPLY, "451 4.3.0 later\r\n"}, CALLOUT_MAIL, 451},
    {{"MAIL", FAULT_CLOSE}, CALLOUT_MAIL, 0},
    {{"MAIL", FAULT_HANG}, CALLOUT_MAIL, 0},
    {{"MAIL", FAULT_NUL}, CALLOUT_MAIL, 0},
    {{"RCPT", FAULT_REPLY, "450 4.2.0 greylisted\r\n"}, CALLOUT_RCPT, 450},
    {{"RCPT", FAULT_REPLY, "354 what\r\n"}, CALLOUT_RCPT, 0},
    {{"RCPT", FAULT_BYE, "421 4.3.2 bye\r\n"}, CALLOUT_RCPT, 421},
    {{"RCPT", FAULT_CLOSE}, CALLOUT_RCPT, 0},
    {{"RCPT", FAULT_HANG}, CALLOUT_RCPT, 0},
    {{"RCPT", FAULT_ENDLESS}, CALLOUT_RCPT, 0},
    {{"RCPT", FAULT_MANY}, CALLOUT_RCPT, 0},
    {{"RCPT", FAULT_BIG_LINE}, CALLOUT_RCPT, 0},
};

START_TEST(servers_of_every_kind)
{
	int64_t begun_us = clock_mono_us();

	peer.faults[0] = faults[_i].fault;
	c.timeout_us = faults[_i].fault.kind == FAULT_HANG ? TIMEOUT_US : 20 * SECOND_US;
	ask();
	ck_assert_int_eq(c.stage, faults[_i].stage);
	ck_assert_int_eq(c.first.code, faults[_i].code);
	ck_assert(c.first.code || (c.why && *c.why));
	ck_assert(!c.ours);
	ck_assert_int_lt(clock_mono_us() - begun_us, 15 * SECOND_US);
}
END_TEST

START_TEST(nobody_listens)
{
	struct peer other = {0};

	/* the port is free again once that one is gone */
	peer_start(&other);
	c.port = other.port;
	peer_stop(&other);
	ask();
	ck_assert_int_eq(c.stage, CALLOUT_UNREACHED);
	ck_assert_str_eq(c.why, "Connection refused");
}
END_TEST

START_TEST(the_next_server_answers)
{
	ip_parse(LIT("127.5.5.5"), &targets[0].ip); /* nobody is there: the peer is on 127.0.0.1 */
	ip_parse(LIT("127.0.0.1"), &targets[1].ip);
	targets[1].name = LIT("mx2.test");
	c.target_count = 2;
	ask();
	ck_assert_int_eq(c.first.code, 250);
	ck_assert_str_eq(c.hop, "mx2.test [127.0.0.1]");
}
END_TEST

/* Whatever policy lets through. */
START_TEST(our_own_addresses_are_not_asked)
{
	struct listen_address address = {.port = peer.port};
	struct listener listener = {.addresses = &address, .address_count = 1};

	c.private_targets = false;
	ask();
	ck_assert_int_eq(c.stage, CALLOUT_UNREACHED);
	ck_assert_str_eq(c.why, "that is this machine's own address");
	c.private_targets = true;
	f.config.listeners = &listener;
	f.config.listener_count = 1;
	ask();
	ck_assert_int_eq(c.stage, CALLOUT_UNREACHED);
	ck_assert_int_eq(peer.connections, 0);
	address.port = 25;
	ask();
	ck_assert_int_eq(c.first.code, 250);
}
END_TEST

static void cancel(void *arg)
{
	task_cancel_all(arg);
}

START_TEST(cancelled_is_our_own_doing)
{
	struct timer timer = {0};

	peer.faults[0] = (struct fault){"MAIL", FAULT_HANG};
	timer_set(f.loop, &timer, clock_mono_us() + SECOND_US / 5, cancel, f.loop);
	ask();
	ck_assert(c.ours);
	ck_assert_int_eq(c.first.code, 0);
}
END_TEST

/* --- hosts of a route */

START_TEST(a_route_is_asked_as_a_bounce_would)
{
	f.tx.declared_size = 1000;
	c.route = &f.route;
	c.if_taken = LIT("nobody@example.org");
	ask();
	ck_assert_int_eq(c.stage, CALLOUT_RCPT);
	ck_assert_int_eq(c.first.code, 250);
	ck_assert_int_eq(c.second.code, 550);
	ck_assert_str_eq(c.hop, "smtp://hop.test");
	ck_told("EHLO edge.test\nMAIL FROM:<>\nRCPT TO:<ann@example.org>\nRSET\nMAIL FROM:<>\n"
		"RCPT TO:<nobody@example.org>\n");
}
END_TEST

START_TEST(a_route_that_refuses_the_null_sender)
{
	peer.faults[0] = (struct fault){"MAIL", FAULT_REPLY, "550 5.7.1 no bounces\r\n"};
	c.route = &f.route;
	c.if_taken = LIT("nobody@example.org");
	ask();
	ck_assert_int_eq(c.stage, CALLOUT_MAIL);
	ck_assert_int_eq(c.first.code, 550);
	ck_assert_int_eq(c.second.code, 0);
}
END_TEST

/* The question leaves a transaction of its own open: the mail doesn't go on in it. */
static void ask_and_send(struct fixture *fx)
{
	static const char body[] = "Subject: x\r\n\r\nhello\r\n";
	struct spool *spool = fixture_message(fx, body, sizeof(body) - 1);
	struct delivery *d = delivery_open(fx->routes, &fx->session, &fx->route);
	struct hop_reply out = {0};

	callout_run(fx->routes, &fx->session, &c);
	delivery_send(d, &(struct payload){.fields = LIT("Received: x\r\n"), .message = spool},
		      &out);
	ck_assert_int_eq(out.code, 250);
	delivery_close(d);
	spool_free(spool);
}

START_TEST(the_mail_has_its_own_transaction)
{
	c.route = &f.route;
	fixture_recipient(&f, "bob@example.org");
	fixture_run(&f, ask_and_send);
	pthread_mutex_lock(&peer.lock);
	peer.said[peer.said_n] = '\0';
	ck_assert_ptr_nonnull(strstr(peer.said, "RCPT TO:<ann@example.org>\nRSET\n"
						"MAIL FROM:<sender@example.org>"));
	pthread_mutex_unlock(&peer.lock);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("callout");
	TCase *tc = tcase_create("callout");
	SRunner *sr = srunner_create(s);

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, start, stop);
	tcase_add_test(tc, an_address_that_exists);
	tcase_add_test(tc, and_one_that_does_not);
	tcase_add_test(tc, the_second_question);
	tcase_add_test(tc, a_bare_refusal_is_asked_about);
	tcase_add_loop_test(tc, servers_of_every_kind, 0, sizeof(faults) / sizeof(faults[0]));
	tcase_add_test(tc, nobody_listens);
	tcase_add_test(tc, the_next_server_answers);
	tcase_add_test(tc, our_own_addresses_are_not_asked);
	tcase_add_test(tc, cancelled_is_our_own_doing);
	tcase_add_test(tc, a_route_is_asked_as_a_bounce_would);
	tcase_add_test(tc, a_route_that_refuses_the_null_sender);
	tcase_add_test(tc, the_mail_has_its_own_transaction);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
