/* Messages handed to next hops: byte for byte, once, and only where they are safe. */
#include "delivery_fixture.h"

static const char plain[] = "";
static const char pipelining[] = "250-PIPELINING\r\n250-8BITMIME\r\n";
static const char chunking[] = "250-PIPELINING\r\n250-CHUNKING\r\n";
static const char chunking_alone[] = "250-CHUNKING\r\n";
static const char *const kinds[] = {plain, pipelining, chunking, chunking_alone};
#define KINDS 4

#define RECEIVED "Received: from client.test\r\n\tby edge.test\r\n"

static const char *message;
static size_t message_n, piece;
static struct cuts cuts; /* of the message */
static struct hop_reply out;
static struct peer *peer;

static struct spool *spool_message(struct fixture *f)
{
	struct spool *s = spool_new(&f->place);

	for (size_t at = 0; at < message_n; at += piece)
		ck_assert_int_eq(
		    spool_append(s, message + at, message_n - at < piece ? message_n - at : piece),
		    SPOOL_OK);
	return s;
}

static void send_message(struct fixture *f)
{
	struct delivery *d = delivery_open(f->routes, &f->session, &f->route);
	struct spool *s = spool_message(f);

	delivery_send(d, &(struct payload){LIT(RECEIVED), s, cuts}, &out);
	spool_free(s);
	delivery_close(d);
}

/* The message without what is cut out of it; malloc. */
static char *left_over(size_t *n)
{
	char *p = malloc(message_n + 1);
	size_t at = 0;

	*n = 0;
	for (size_t i = 0; i <= cuts.n; i++) {
		size_t end = i < cuts.n ? cuts.v[i].start : message_n;

		memcpy(p + *n, message + at, end - at);
		*n += end - at;
		at = i < cuts.n ? cuts.v[i].end : message_n;
	}
	return p;
}

/* What the peer has as its i-th message. */
static void expect_body(struct peer *p, int i, bool exact)
{
	size_t head = sizeof(RECEIVED) - 1, tail = 0, left_n;
	char *left = left_over(&left_n);

	if (!exact && (left_n < 2 || memcmp(left + left_n - 2, "\r\n", 2) != 0) && left_n > 0)
		tail = 2;
	ck_assert_uint_eq(p->body_n[i], head + left_n + tail);
	ck_assert_mem_eq(p->bodies[i], RECEIVED, head);
	if (left_n)
		ck_assert_mem_eq(p->bodies[i] + head, left, left_n);
	if (tail)
		ck_assert_mem_eq(p->bodies[i] + head + left_n, "\r\n", 2);
	free(left);
}

static void open_all(struct fixture *f, struct peer *p)
{
	peer = p;
	peer_start(p);
	fixture_init(f);
	fixture_host(f, p);
	message = "Subject: x\r\n\r\ntext\r\n";
	message_n = strlen(message);
	piece = 4096;
}

static void close_all(struct fixture *f, struct peer *p)
{
	fixture_close(f);
	peer_stop(p);
	p->said[p->said_n] = '\0';
}

static void send_to(const char *extensions, size_t memory_each)
{
	const char *m = message;
	size_t n = message_n, in_pieces = piece;
	struct peer p = {.extensions = extensions};
	struct fixture f;

	open_all(&f, &p);
	fixture_recipient(&f, "user@local.test");
	message = m;
	message_n = n;
	piece = in_pieces;
	fixture_open(&f);
	f.place.memory_each = memory_each;
	fixture_run(&f, send_message);
	close_all(&f, &p);
	ck_assert_int_eq(out.code, 250);
	ck_assert_int_eq(p.messages, 1);
	expect_body(&p, 0, strstr(extensions, "CHUNKING") != NULL);
	peer_free(&p);
}

START_TEST(dots_and_ends)
{
	static const char *const bodies[] = {
	    "",
	    "x",
	    ".",
	    "..",
	    ".\r\n",
	    "\r\n.\r\n",
	    "a\r\n.\r\nb\r\n",
	    "a\r\n..\r\n.b\r\n...c\r\n",
	    ".\r\n.\r\n.\r\n",
	    "a\r\n.",
	    "a\r",
	    "a\r\n",
	    "a.b\r\n.",
	    "\r\n\r\n.\r\n.\r\n\r\n.",
	};

	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		for (size_t k = 0; k < KINDS; k++) {
			message = bodies[i];
			message_n = strlen(message);
			piece = 1;
			send_to(kinds[k], 1 << 20);
		}
	}
}
END_TEST

static void send_all_ways(const char *m, size_t n)
{
	for (size_t k = 0; k < KINDS; k++) {
		message = m;
		message_n = n;
		piece = 777;
		send_to(kinds[k], 1 << 20);
		send_to(kinds[k], 4096); /* from the file */
	}
}

/* Lines of all lengths, many dots, every byte; over the edges of the spool's chunks. */
START_TEST(large_and_odd)
{
	size_t n = 300000;
	char *m = malloc(n);
	unsigned x = 12345;

	for (size_t i = 0; i < n; i++) {
		x = x * 1103515245 + 12345;
		switch (x >> 16 & 7) {
		case 0:
		case 1:
			if (i + 1 < n) {
				m[i++] = '\r';
				m[i] = '\n';
			} else {
				m[i] = 'e';
			}
			break;
		case 2:
		case 3:
		case 4:
			m[i] = '.';
			break;
		default:
			m[i] = (char)(x >> 20);
			/* Bare newlines don't get as far as here. */
			if (m[i] == '\r' || m[i] == '\n')
				m[i] = 0;
		}
	}
	send_all_ways(m, n);
	free(m);
}
END_TEST

/* Lines of a header are left out; what stands below is full of dots.  The number in BDAT, and in
 * SIZE=, is of what goes out. */
START_TEST(cut_lines)
{
	enum { LINES = 3000, LINE_BYTES = 30 };
	static char m[LINES * LINE_BYTES + 1];
	static struct cut list[LINES];
	struct buf b = buf_over(m, sizeof(m));

	for (int i = 0; i < LINES; i++)
		buf_printf(&b, "%s%0*d\r\n", i % 3 ? "." : "", LINE_BYTES - 2 - (i % 3 > 0), i);
	for (int step = 2; step <= 50; step = step * 2 + 1) {
		cuts = (struct cuts){list, 0};
		for (uint64_t i = 0; i < LINES; i += (uint64_t)step)
			list[cuts.n++] = (struct cut){i * LINE_BYTES, (i + 1) * LINE_BYTES};
		send_all_ways(m, b.n);
	}
	/* All of it. */
	list[0] = (struct cut){0, b.n};
	cuts.n = 1;
	send_all_ways(m, b.n);
	cuts.n = 0;
}
END_TEST

START_TEST(a_burst_is_one_write)
{
	struct peer p = {.extensions = chunking};
	struct fixture f;

	open_all(&f, &p);
	fixture_recipient(&f, "user@local.test");
	fixture_open(&f);
	fixture_run(&f, send_message);
	fixture_run(&f, send_message);
	close_all(&f, &p);
	ck_assert_int_eq(p.connections, 1);
	ck_assert_int_eq(p.messages, 2);
	ck_assert_str_eq(p.said, "EHLO edge.test\n"
				 "MAIL FROM:<sender@example.org>\nRCPT TO:<user@local.test>\n"
				 "BDAT 63 LAST\n"
				 "MAIL FROM:<sender@example.org>\nRCPT TO:<user@local.test>\n"
				 "BDAT 63 LAST\nQUIT\n");
	peer_free(&p);
}
END_TEST

START_TEST(several_recipients)
{
	for (size_t k = 0; k < KINDS; k++) {
		struct peer p = {.extensions = kinds[k]};
		struct fixture f;

		open_all(&f, &p);
		fixture_recipient(&f, "a@local.test");
		fixture_recipient(&f, "b@local.test");
		fixture_recipient(&f, "c@local.test");
		fixture_open(&f);
		fixture_run(&f, send_message);
		close_all(&f, &p);
		ck_assert_int_eq(out.code, 250);
		ck_assert_int_eq(p.messages, 1);
		expect_body(&p, 0, true);
		peer_free(&p);
	}
}
END_TEST

/* One that has our 250 is refused now: nobody gets it. */
START_TEST(one_of_several_is_refused)
{
	for (size_t k = 0; k < KINDS; k++) {
		struct peer p = {.extensions = kinds[k]};
		struct fixture f;

		open_all(&f, &p);
		fixture_recipient(&f, "a@local.test");
		fixture_recipient(&f, "nobody@local.test");
		fixture_open(&f);
		fixture_run(&f, send_message);
		ck_assert_int_eq(out.code, 0);
		/* And the only one: the hop's own words. */
		f.recipients[0] = f.recipients[1];
		f.tx.recipient_count = 1;
		fixture_run(&f, send_message);
		close_all(&f, &p);
		ck_assert_int_eq(out.code, 550);
		ck_assert_str_eq(out.enhanced, "5.1.1");
		ck_assert_int_eq(p.messages, 0);
		peer_free(&p);
	}
}
END_TEST

static void send_twice(struct fixture *f)
{
	send_message(f);
	ck_assert_int_eq(out.code, 250);
	/* Let the peer's end of file arrive, if it is to come. */
	if (peer->faults[0].at)
		ck_assert_int_eq(task_sleep_until(loop_now_us(f->loop) + SECOND_US / 20),
				 WAKE_TIMEOUT);
	send_message(f);
}

static void ask_and_send(struct fixture *f)
{
	struct delivery *d = delivery_open(f->routes, &f->session, &f->route);
	struct spool *s = spool_message(f);

	ck_assert_int_eq(delivery_ask(d, &f->recipients[0], &out), ANSWER_YES);
	delivery_send(d, &(struct payload){LIT(RECEIVED), s, cuts}, &out);
	spool_free(s);
	delivery_close(d);
}

/* Another session uses the connection between question and delivery. */
static void ask_both_and_send(struct fixture *f)
{
	struct delivery *d = delivery_open(f->routes, &f->session, &f->route);
	struct delivery *other = delivery_open(f->routes, &f->session, &f->route);
	struct spool *s = spool_message(f);

	ck_assert_int_eq(delivery_ask(d, &f->recipients[0], &out), ANSWER_YES);
	ck_assert_int_eq(delivery_ask(other, &f->recipients[0], &out), ANSWER_YES);
	delivery_send(d, &(struct payload){LIT(RECEIVED), s, cuts}, &out);
	spool_free(s);
	delivery_close(other);
	delivery_close(d);
}

/* The hop closes after its reply, or at the first command that it hears again. */
START_TEST(stale_connection)
{
	static const struct fault faults[] = {
	    {"BODY", FAULT_BYE, "250 2.0.0 Ok\r\n", .connection = 1},
	    {"RSET", FAULT_CLOSE, NULL, .connection = 1},
	    {"RSET", FAULT_BYE, "421 4.4.2 idle\r\n", .connection = 1},
	};

	for (size_t i = 0; i < 3; i++) {
		for (size_t k = 0; k < 2; k++) {
			struct peer p = {.extensions = kinds[k], .faults = {faults[i]}};
			struct fixture f;

			open_all(&f, &p);
			fixture_recipient(&f, "user@local.test");
			fixture_open(&f);
			fixture_run(&f, i == 0 ? send_twice : ask_both_and_send);
			close_all(&f, &p);
			ck_assert_int_eq(out.code, 250);
			ck_assert_int_eq(p.connections, 2);
			peer_free(&p);
		}
	}
}
END_TEST

/* The connection of the question dies before the delivery: pooled or held, another is opened. */
START_TEST(closed_between_question_and_delivery)
{
	for (int hold = 0; hold < 2; hold++) {
		struct peer p = {.extensions = pipelining,
				 .faults = {{"RSET", FAULT_CLOSE, NULL, .connection = 1},
					    {"DATA", FAULT_CLOSE, NULL, .connection = 1}}};
		struct fixture f;

		open_all(&f, &p);
		fixture_recipient(&f, "user@local.test");
		f.route.set.connection = hold ? CONNECTION_HOLD : CONNECTION_POOLED;
		fixture_open(&f);
		fixture_run(&f, ask_and_send);
		close_all(&f, &p);
		ck_assert_int_eq(out.code, 250);
		ck_assert_int_eq(p.connections, 2);
		ck_assert_int_eq(p.messages, 1);
		peer_free(&p);
	}
}
END_TEST

/* Never twice once the end of the message has been sent, even if nothing came back. */
START_TEST(no_second_try_after_the_end)
{
	for (size_t k = 0; k < KINDS; k++) {
		struct peer p = {.extensions = kinds[k], .faults = {{"BODY", FAULT_CLOSE}}};
		struct fixture f;

		open_all(&f, &p);
		fixture_recipient(&f, "user@local.test");
		fixture_host(&f, &p); /* a second host that would take it */
		fixture_open(&f);
		fixture_run(&f, send_message);
		close_all(&f, &p);
		ck_assert_int_eq(out.code, 0);
		ck_assert_int_eq(p.connections, 1);
		peer_free(&p);
	}
}
END_TEST

START_TEST(failover)
{
	static const char *const at[] = {"GREETING", "EHLO", "MAIL", "RCPT", "DATA"};

	for (size_t i = 0; i < 5; i++) {
		struct peer bad = {.extensions = pipelining, .faults = {{at[i], FAULT_CLOSE}}};
		struct peer good = {.extensions = pipelining};
		struct fixture f;

		peer_start(&bad);
		open_all(&f, &good);
		f.route.host_count = 0;
		fixture_host(&f, &bad);
		fixture_host(&f, &good);
		fixture_recipient(&f, "user@local.test");
		fixture_open(&f);
		ck_assert_uint_eq(routes_hosts_up(f.routes, &f.route), 2);
		fixture_run(&f, send_message);
		ck_assert_int_eq(out.code, 250);
		fixture_run(&f, send_message);
		/* Only what fails at the start makes a host down: then it isn't even tried. */
		ck_assert_uint_eq(routes_hosts_up(f.routes, &f.route), i < 2 ? 1 : 2);
		ck_assert_int_eq(bad.connections, i < 2 ? 1 : 2);
		close_all(&f, &good);
		peer_stop(&bad);
		peer_free(&bad);
		ck_assert_int_eq(good.messages, 2);
		peer_free(&good);
	}
}
END_TEST

START_TEST(round_robin)
{
	struct peer a = {.extensions = pipelining}, b = {.extensions = pipelining};
	struct fixture f;

	peer_start(&a);
	open_all(&f, &b);
	fixture_host(&f, &a);
	fixture_recipient(&f, "user@local.test");
	f.route.set.balance = BALANCE_ROUND_ROBIN;
	fixture_open(&f);
	for (int i = 0; i < 6; i++)
		fixture_run(&f, send_message);
	close_all(&f, &b);
	peer_stop(&a);
	peer_free(&a);
	ck_assert_int_eq(a.messages, 3);
	ck_assert_int_eq(b.messages, 3);
	peer_free(&b);
}
END_TEST

START_TEST(nobody_listens)
{
	struct peer p = {0};
	struct fixture f;

	open_all(&f, &p);
	fixture_recipient(&f, "user@local.test");
	fixture_open(&f);
	peer_stop(&p);
	fixture_run(&f, send_message);
	ck_assert_int_eq(out.code, 0);
	ck_assert_uint_eq(routes_hosts_up(f.routes, &f.route), 0);
	fixture_close(&f);
}
END_TEST

START_TEST(lmtp)
{
	struct peer p = {.extensions = pipelining};
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	struct fixture f;

	snprintf(un.sun_path, sizeof(un.sun_path), "/tmp/gatepost-lmtp.%d", (int)getpid());
	peer_listen(&p, (struct sockaddr *)&un, sizeof(un));
	fixture_init(&f);
	f.hosts[0].kind = HOP_LMTP;
	f.hosts[0].path = text_of(un.sun_path);
	f.hosts[0].name = LIT("lmtp:socket");
	f.route.host_count = 1;
	fixture_recipient(&f, "user@local.test");
	message = "Subject: x\r\n\r\n.\r\n";
	message_n = strlen(message);
	piece = 5;
	fixture_open(&f);
	fixture_run(&f, send_message);
	ck_assert_int_eq(out.code, 250);
	/* Its replies to several could not be told to the client. */
	fixture_recipient(&f, "other@local.test");
	fixture_run(&f, send_message);
	ck_assert_int_eq(out.code, 0);
	close_all(&f, &p);
	unlink(un.sun_path);
	ck_assert_int_eq(p.messages, 1);
	expect_body(&p, 0, true);
	ck_assert_int_eq(strncmp(p.said, "LHLO edge.test\n", 15), 0);
	peer_free(&p);
}
END_TEST

/* ---- Cancelled at each wait */

static struct task *sender;

static void send_and_tell(struct fixture *f)
{
	sender = task_current();
	send_message(f);
	sender = NULL;
}

struct canceller {
	struct loop *loop;
	struct timer timer;
};

/* Once it waits for the peer; on a busy machine it may not have begun. */
static void cancel_sender(void *arg)
{
	struct canceller *c = arg;

	if (sender)
		task_cancel(sender);
	else
		timer_set(c->loop, &c->timer, loop_now_us(c->loop) + SECOND_US / 20, cancel_sender,
			  c);
}

START_TEST(cancelled)
{
	static const char *const at[] = {"GREETING", "EHLO", "MAIL", "RCPT", "DATA", "BODY"};

	for (size_t i = 0; i < 6; i++) {
		struct peer p = {.extensions = plain, .faults = {{at[i], FAULT_HANG}}};
		struct canceller canceller = {0};
		struct fixture f;

		open_all(&f, &p);
		fixture_recipient(&f, "user@local.test");
		fixture_open(&f);
		canceller.loop = f.loop;
		cancel_sender(&canceller);
		fixture_run(&f, send_and_tell);
		close_all(&f, &p);
		ck_assert_int_eq(out.code, 0);
		ck_assert_int_eq(p.messages, 0);
		peer_free(&p);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("transfer");
	TCase *t = tcase_create("transfer");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_set_timeout(t, 60);
	tcase_add_test(t, dots_and_ends);
	tcase_add_test(t, large_and_odd);
	tcase_add_test(t, cut_lines);
	tcase_add_test(t, a_burst_is_one_write);
	tcase_add_test(t, several_recipients);
	tcase_add_test(t, one_of_several_is_refused);
	tcase_add_test(t, stale_connection);
	tcase_add_test(t, closed_between_question_and_delivery);
	tcase_add_test(t, no_second_try_after_the_end);
	tcase_add_test(t, failover);
	tcase_add_test(t, round_robin);
	tcase_add_test(t, nobody_listens);
	tcase_add_test(t, lmtp);
	tcase_add_test(t, cancelled);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
