/* Connections: lines however they are split, coalesced replies, slow peers, deadlines, connecting.
 */
#include "worker/io/conn.h"

#include "worker/io/loop_private.h"
#include "worker/io/task.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

#define MS INT64_C(1000)

static struct loop *loop;
static struct conn conn; /* our side */
static int peer;         /* the other one, a non-blocking socket */
static int done;
static struct conn_transport counting;
static const struct conn_transport *plain;
static int writes;

static void setup(void)
{
	int pair[2];

	loop = loop_new();
	ck_assert_ptr_nonnull(loop);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair),
			 0);
	ck_assert(conn_init(&conn, loop, pair[0]));
	plain = conn.transport;
	peer = pair[1];
	done = writes = 0;
}

static void teardown(void)
{
	conn_close(&conn);
	conn_close(&conn);
	ck_assert(!conn_is_open(&conn));
	ck_assert_uint_eq(loop->buffers.in_use, 0);
	close(peer);
	loop_free(loop);
}

static int64_t in_ms(int64_t ms)
{
	return loop_now_us(loop) + ms * MS;
}

static void say(const char *s)
{
	ck_assert_int_eq(write(peer, s, strlen(s)), (ssize_t)strlen(s));
}

static ssize_t counting_writev(struct conn *c, const struct iovec *iov, int n)
{
	writes++;
	return plain->writev(c, iov, n);
}

static void count_writes(void)
{
	counting = *plain;
	counting.writev = counting_writev;
	conn_set_transport(&conn, &counting, NULL);
}

/* Runs the test's body in a task. */
static void (*body)(void);

static void body_task(void *arg)
{
	(void)arg;
	body();
}

static void stop(void *arg)
{
	(void)arg;
	loop_stop(loop);
}

static void run(void (*fn)(void))
{
	body = fn;
	ck_assert(task_spawn(loop, body_task, NULL));
	while (task_count(loop) > 0) {
		struct timer t = {0};

		timer_set(loop, &t, in_ms(1), stop, NULL);
		loop_run(loop);
	}
}

#define EXPECT_LINE(expected)                                                                      \
	do {                                                                                       \
		struct text line_;                                                                 \
		ck_assert_int_eq(conn_getline(&conn, &line_, 100, in_ms(2000)), CONN_OK);          \
		ck_assert_msg(text_eq(line_, LIT(expected)), "got '%.*s'", TEXT(line_));           \
	} while (0)

/* ---- Lines ---- */

static const char dialogue[] = "EHLO a\r\n\r\nbare\nMAIL FROM:<x>\r\r\na\rb\r\n\n";
static size_t split_at;

static void first_part(void *arg)
{
	(void)arg;
	ck_assert_int_eq(write(peer, dialogue, split_at), (ssize_t)split_at);
	task_sleep_until(in_ms(1));
	say(dialogue + split_at);
}

static void reads_dialogue(void)
{
	if (split_at)
		ck_assert(task_spawn(loop, first_part, NULL));
	else
		say(dialogue);
	EXPECT_LINE("EHLO a");
	ck_assert_int_eq(conn.eol, CONN_EOL_CRLF);
	EXPECT_LINE("");
	ck_assert_int_eq(conn.eol, CONN_EOL_CRLF);
	EXPECT_LINE("bare");
	ck_assert_int_eq(conn.eol, CONN_EOL_LF);
	EXPECT_LINE("MAIL FROM:<x>\r");
	ck_assert_int_eq(conn.eol, CONN_EOL_CRLF);
	EXPECT_LINE("a\rb");
	EXPECT_LINE("");
	ck_assert_int_eq(conn.eol, CONN_EOL_LF);
	ck_assert_uint_eq(conn_buffered(&conn), 0);
}

START_TEST(lines_split_at_every_byte)
{
	for (split_at = 0; split_at < sizeof(dialogue) - 1; split_at++)
		run(reads_dialogue);
}
END_TEST

static void sends_by_byte(void *arg)
{
	(void)arg;
	for (const char *p = dialogue; *p; p++) {
		ck_assert_int_eq(write(peer, p, 1), 1);
		task_yield();
		task_yield();
	}
}

static void reads_bytes(void)
{
	ck_assert(task_spawn(loop, sends_by_byte, NULL));
	EXPECT_LINE("EHLO a");
	EXPECT_LINE("");
	EXPECT_LINE("bare");
	EXPECT_LINE("MAIL FROM:<x>\r");
	EXPECT_LINE("a\rb");
	EXPECT_LINE("");
}

START_TEST(lines_that_come_byte_by_byte)
{
	run(reads_bytes);
}
END_TEST

static void reads_limits(void)
{
	struct text line;

	say("12345\r\n123456\r\n1234567\nok\r\n");
	ck_assert_int_eq(conn_getline(&conn, &line, 5, in_ms(1000)), CONN_OK);
	ck_assert_int_eq(conn_getline(&conn, &line, 5, in_ms(1000)), CONN_LINE_TOO_LONG);
	ck_assert_uint_eq(line.n, 0);
	ck_assert_int_eq(conn_getline(&conn, &line, 5, in_ms(1000)), CONN_LINE_TOO_LONG);
	EXPECT_LINE("ok");
}

START_TEST(a_line_may_be_exactly_as_long_as_allowed)
{
	run(reads_limits);
}
END_TEST

static size_t long_bytes;

static void sends_long_line(void *arg)
{
	static char block[1000];
	size_t left = long_bytes;

	(void)arg;
	memset(block, 'x', sizeof(block));
	while (left > 0 && done == 0) {
		const ssize_t n = write(peer, block, left < sizeof(block) ? left : sizeof(block));

		if (n > 0)
			left -= (size_t)n;
		else
			task_sleep_until(in_ms(1));
	}
	if (done == 0)
		say("\r\nNOOP\r\n");
}

static void swallows(void)
{
	struct text line;

	ck_assert(task_spawn(loop, sends_long_line, NULL));
	ck_assert_int_eq(conn_getline(&conn, &line, 512, in_ms(5000)), CONN_LINE_TOO_LONG);
	EXPECT_LINE("NOOP");
}

START_TEST(a_too_long_line_is_swallowed)
{
	long_bytes = 300000;
	run(swallows);
}
END_TEST

static void is_flooded(void)
{
	struct text line;

	ck_assert(task_spawn(loop, sends_long_line, NULL));
	ck_assert_int_eq(conn_getline(&conn, &line, 512, in_ms(5000)), CONN_FLOOD);
	done++;
	ck_assert_int_eq(conn_getline(&conn, &line, 512, in_ms(5000)), CONN_FLOOD);
}

START_TEST(a_line_without_end_is_a_flood)
{
	long_bytes = 4 * CONN_SWALLOW_MAX;
	run(is_flooded);
}
END_TEST

/* The rest of a line that timed out while it was swallowed is not a command. */
static void times_out_in_swallow(void)
{
	struct text line;

	say("0123456789012345");
	ck_assert_int_eq(conn_getline(&conn, &line, 5, in_ms(5)), CONN_TIMEOUT);
	say("QUIT\r\nNOOP\r\n");
	ck_assert_int_eq(conn_getline(&conn, &line, 5, in_ms(1000)), CONN_LINE_TOO_LONG);
	EXPECT_LINE("NOOP");
}

START_TEST(the_rest_of_a_long_line_is_never_a_line)
{
	run(times_out_in_swallow);
}
END_TEST

static void ends(void)
{
	struct text line;

	say("QUIT\r\nhalf");
	close(peer);
	EXPECT_LINE("QUIT");
	ck_assert_int_eq(conn_getline(&conn, &line, 100, in_ms(1000)), CONN_EOF);
	ck_assert_int_eq(conn_getline(&conn, &line, 100, in_ms(1000)), CONN_EOF);
	ck_assert_str_eq(conn_result_text(&conn, CONN_EOF), "end of file");
}

START_TEST(the_end_of_the_file_is_told)
{
	run(ends);
	peer = -1;
}
END_TEST

/* ---- Blocks ---- */

static void reads_blocks(void)
{
	struct text block;

	say("PROXY TCP4 ...\r\nEHLO a\r\nbody");
	EXPECT_LINE("PROXY TCP4 ...");
	ck_assert_int_eq(conn_read_some(&conn, &block, 3, in_ms(100)), CONN_OK);
	ck_assert(text_eq(block, LIT("EHL")));
	conn_consume(&conn, 2);
	EXPECT_LINE("LO a");
	ck_assert_int_eq(conn_read_some(&conn, &block, 1000, in_ms(100)), CONN_OK);
	ck_assert(text_eq(block, LIT("body")));
	say(" more");
	ck_assert_int_eq(conn_read_more(&conn, &block, in_ms(100)), CONN_OK);
	ck_assert(text_eq(block, LIT("body more")));
	ck_assert_int_eq(conn_read_more(&conn, &block, in_ms(5)), CONN_TIMEOUT);
	ck_assert(text_eq(block, LIT("body more")));
	conn_discard_input(&conn);
	ck_assert_int_eq(conn_read_some(&conn, &block, 1000, in_ms(5)), CONN_TIMEOUT);
	ck_assert_uint_eq(block.n, 0);
}

START_TEST(blocks_are_read_in_place)
{
	run(reads_blocks);
}
END_TEST

static void fills_buffer(void)
{
	static char big[3 * CONN_BUFFER_BYTES];
	struct text block;
	enum conn_result r;

	memset(big, 'y', sizeof(big));
	ck_assert_int_eq(write(peer, big, sizeof(big)), (ssize_t)sizeof(big));
	while ((r = conn_read_more(&conn, &block, in_ms(100))) == CONN_OK)
		;
	ck_assert_int_eq(r, CONN_LINE_TOO_LONG);
	ck_assert_uint_eq(block.n, CONN_BUFFER_BYTES);
}

START_TEST(a_look_ahead_is_bounded)
{
	run(fills_buffer);
}
END_TEST

static void looks(void)
{
	ck_assert_int_eq(conn_await_input(&conn, 0), CONN_TIMEOUT);
	conn_put(&conn, "220 \r\n", 6);
	say("early");
	ck_assert_int_eq(conn_await_input(&conn, 0), CONN_OK);
	ck_assert_int_eq(conn_await_input(&conn, 0), CONN_OK);
	ck_assert_uint_eq(conn_buffered(&conn), 5);
	ck_assert_uint_eq(conn.bytes_out, 0);
}

START_TEST(early_talkers_are_noticed)
{
	run(looks);
}
END_TEST

/* ---- Memory ---- */

static void holds_little(void *arg)
{
	(void)arg;
	task_sleep_until(in_ms(20));
	ck_assert_uint_eq(loop->buffers.in_use, 0);
	say("rest\r\n");
}

static void waits_with_half_a_line(void)
{
	struct text line;

	EXPECT_LINE("first");
	ck_assert_int_eq(conn_getline(&conn, &line, 100, in_ms(2000)), CONN_OK);
	ck_assert(text_eq(line, LIT("half and rest")));
}

START_TEST(a_waiting_connection_holds_no_buffer)
{
	say("first\r\nhalf and ");
	ck_assert(task_spawn(loop, holds_little, NULL));
	run(waits_with_half_a_line);
}
END_TEST

/* ---- Writing ---- */

static size_t hear(char *to, size_t size)
{
	const ssize_t n = read(peer, to, size - 1);

	to[n > 0 ? n : 0] = '\0';
	return n > 0 ? (size_t)n : 0;
}

static void answers_burst(void)
{
	char heard[1000];
	struct text line;

	count_writes();
	say("MAIL\r\nRCPT\r\nRCPT\r\nDATA\r\nhalf");
	for (int i = 0; i < 4; i++) {
		ck_assert_int_eq(conn_getline(&conn, &line, 100, in_ms(1000)), CONN_OK);
		conn_printf(&conn, "250 %.*s\r\n", TEXT(line));
		ck_assert_int_eq(writes, 0);
	}
	ck_assert_int_eq(conn_getline(&conn, &line, 100, in_ms(5)), CONN_TIMEOUT);
	ck_assert_int_eq(writes, 1);
	hear(heard, sizeof(heard));
	ck_assert_str_eq(heard, "250 MAIL\r\n250 RCPT\r\n250 RCPT\r\n250 DATA\r\n");
	ck_assert_int_eq(conn_flush(&conn, 0), CONN_OK);
	ck_assert_int_eq(writes, 1);
}

START_TEST(a_burst_gets_one_write)
{
	run(answers_burst);
}
END_TEST

#define LARGE 3000000
static char *large, *heard_large;
static size_t heard_bytes;

static void reads_slowly(void *arg)
{
	(void)arg;
	while (heard_bytes < LARGE + 6) {
		const ssize_t n = read(peer, heard_large + heard_bytes, 50001);

		if (n > 0)
			heard_bytes += (size_t)n;
		else
			task_sleep_until(in_ms(1));
	}
}

static void sends_large(void)
{
	struct iovec iov[40];

	for (int i = 0; i < LARGE; i++)
		large[i] = (char)(i * 31 + i / 1000);
	for (int i = 0; i < 39; i++)
		iov[i] = (struct iovec){large + i * 1000, 1000};
	iov[39] = (struct iovec){large + 39000, LARGE - 39000};
	conn_put(&conn, "DATA\r\n", 6);
	count_writes();
	ck_assert(task_spawn(loop, reads_slowly, NULL));
	ck_assert_int_eq(conn_writev(&conn, iov, 40, in_ms(20000)), CONN_OK);
	ck_assert_uint_eq(iov[39].iov_len, LARGE - 39000);
	ck_assert_uint_eq(conn.bytes_out, LARGE + 6);
}

START_TEST(a_slow_reader_gets_every_byte)
{
	large = malloc(LARGE);
	heard_large = malloc(LARGE + 60000);
	heard_bytes = 0;
	run(sends_large);
	ck_assert_uint_eq(heard_bytes, LARGE + 6);
	ck_assert_int_eq(memcmp(heard_large, "DATA\r\n", 6), 0);
	ck_assert_int_eq(memcmp(heard_large + 6, large, LARGE), 0);
	free(large);
	free(heard_large);
}
END_TEST

static void sends_to_nobody(void)
{
	static char block[100000];
	struct text line;

	conn_set_write_timeout(&conn, 10 * MS);
	for (int i = 0; i < 100; i++)
		conn_put(&conn, block, sizeof(block));
	ck_assert_int_eq(conn_flush(&conn, in_ms(1000)), CONN_TIMEOUT);
	ck_assert_int_eq(conn_getline(&conn, &line, 10, in_ms(1000)), CONN_TIMEOUT);
}

START_TEST(who_reads_nothing_is_given_up)
{
	run(sends_to_nobody);
}
END_TEST

static void writes_to_closed(void)
{
	struct text line;

	close(peer);
	conn_put(&conn, "250 \r\n", 6);
	ck_assert_int_eq(conn_flush(&conn, in_ms(1000)), CONN_ERROR);
	ck_assert_int_eq(conn.error, EPIPE);
	ck_assert_int_eq(conn_getline(&conn, &line, 10, in_ms(1000)), CONN_ERROR);
	ck_assert_str_eq(conn_result_text(&conn, CONN_ERROR), "Broken pipe");
}

START_TEST(a_closed_peer_is_an_error_and_no_signal)
{
	run(writes_to_closed);
	peer = -1;
}
END_TEST

/* ---- Deadlines ---- */

static void trickles(void *arg)
{
	(void)arg;
	while (done == 0) {
		say("x");
		task_sleep_until(in_ms(2));
	}
}

static void is_trickled(void)
{
	const int64_t deadline = in_ms(60);
	struct text line;

	ck_assert(task_spawn(loop, trickles, NULL));
	ck_assert_int_eq(conn_getline(&conn, &line, 10000, deadline), CONN_TIMEOUT);
	ck_assert_int_ge(loop_now_us(loop), deadline);
	ck_assert_int_gt(conn.bytes_in, 1);
	/* Also when bytes are always there already. */
	say("more");
	ck_assert_int_eq(conn_getline(&conn, &line, 10000, deadline), CONN_TIMEOUT);
	done++;
}

START_TEST(a_trickle_does_not_move_the_deadline)
{
	run(is_trickled);
}
END_TEST

static struct task *reader;

static void cancels(void *arg)
{
	(void)arg;
	task_yield();
	task_cancel(reader);
}

static void is_cancelled(void)
{
	char heard[100];
	struct text line;

	reader = task_current();
	ck_assert(task_spawn(loop, cancels, NULL));
	ck_assert_int_eq(conn_getline(&conn, &line, 100, in_ms(5000)), CONN_CANCELLED);
	say("NOOP\r\n");
	ck_assert_int_eq(conn_getline(&conn, &line, 100, in_ms(5000)), CONN_CANCELLED);
	conn_printf(&conn, "421 4.3.2\r\n");
	conn_finish(&conn, in_ms(1000)); /* what can be sent without waiting is sent */
	hear(heard, sizeof(heard));
	ck_assert_str_eq(heard, "421 4.3.2\r\n");
}

START_TEST(a_cancelled_session_can_still_say_421)
{
	run(is_cancelled);
}
END_TEST

START_TEST(the_rate_rule)
{
	struct conn_rate r = {1000, 500, NEVER_US, 1000};

	ck_assert_int_eq(conn_rate_deadline(&r, 0), 1500);
	ck_assert_int_eq(conn_rate_deadline(&r, 1), 2500);
	ck_assert_int_eq(conn_rate_deadline(&r, 10000), 10001500);
	ck_assert_int_eq(conn_rate_deadline(&r, UINT64_MAX), NEVER_US);
	r.limit_us = 2000;
	ck_assert_int_eq(conn_rate_deadline(&r, 10000), 2000);
	r.bytes_per_second = 0;
	ck_assert_int_eq(conn_rate_deadline(&r, 10000), 1500);
}
END_TEST

/* ---- Ending ---- */

static void keeps_talking(void *arg)
{
	char heard[100];

	(void)arg;
	for (int i = 0; i < 5; i++) {
		say("junk\r\n");
		task_sleep_until(in_ms(1));
	}
	hear(heard, sizeof(heard));
	ck_assert_str_eq(heard, "421 bye\r\n");
	ck_assert_int_eq(read(peer, heard, 1), 0);
	close(peer);
	done++;
}

static void finishes(void)
{
	ck_assert(task_spawn(loop, keeps_talking, NULL));
	conn_printf(&conn, "421 bye\r\n");
	conn_finish(&conn, in_ms(2000));
	ck_assert(!conn_is_open(&conn));
	ck_assert_int_eq(done, 1); /* it waited for the peer */
}

START_TEST(the_last_reply_arrives)
{
	run(finishes);
	peer = -1;
}
END_TEST

static void parts(void)
{
	char heard[100];
	const int64_t began = loop_now_us(loop);

	conn_printf(&conn, "221 bye\r\n");
	conn_part(&conn, in_ms(2000));
	ck_assert(!conn_is_open(&conn));
	ck_assert_int_eq(loop_now_us(loop), began); /* it waited for nothing */
	hear(heard, sizeof(heard));
	ck_assert_str_eq(heard, "221 bye\r\n");
	ck_assert_int_eq(read(peer, heard, 1), 0);
}

START_TEST(nobody_waits_for_a_peer_that_has_said_quit)
{
	run(parts);
}
END_TEST

static void parts_from_one_who_talks(void)
{
	struct text line;

	say("QUIT\r\nmore\r\n");
	ck_assert_int_eq(conn_getline(&conn, &line, 100, in_ms(1000)), CONN_OK);
	ck_assert(task_spawn(loop, keeps_talking, NULL));
	conn_printf(&conn, "421 bye\r\n");
	conn_part(&conn, in_ms(2000));
	ck_assert(!conn_is_open(&conn));
	ck_assert_int_eq(done, 1);
}

START_TEST(what_is_unread_at_the_end_is_read_first)
{
	run(parts_from_one_who_talks);
	peer = -1;
}
END_TEST

/* ---- Connecting ---- */

static struct sockaddr_storage address;
static socklen_t address_bytes;

static int listen_on(int family)
{
	const int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memset(&address, 0, sizeof(address));
	address.ss_family = (sa_family_t)family;
	if (family == AF_INET) {
		((struct sockaddr_in *)&address)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		address_bytes = sizeof(struct sockaddr_in);
	} else {
		address_bytes = sizeof(sa_family_t); /* an abstract name of the kernel's choice */
	}
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, address_bytes), 0);
	ck_assert_int_eq(listen(fd, 0), 0);
	address_bytes = sizeof(address);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &address_bytes), 0);
	return fd;
}

static enum conn_result connect_to(struct conn *c, int *err, int64_t ms)
{
	return conn_connect(loop, (struct sockaddr *)&address, address_bytes, in_ms(ms), c, err);
}

static void connects(void)
{
	static const int families[] = {AF_INET, AF_UNIX};

	for (int i = 0; i < 2; i++) {
		struct conn c;
		struct text line;
		int err;
		const int listener = listen_on(families[i]);

		ck_assert_int_eq(connect_to(&c, &err, 1000), CONN_OK);
		const int accepted = accept(listener, NULL, NULL);
		ck_assert_int_eq(write(accepted, "220 \r\n", 6), 6);
		ck_assert_int_eq(conn_getline(&c, &line, 100, in_ms(1000)), CONN_OK);
		close(accepted);
		ck_assert_int_eq(conn_getline(&c, &line, 100, in_ms(1000)), CONN_EOF);
		conn_close(&c);
		close(listener);

		ck_assert_int_eq(connect_to(&c, &err, 1000), CONN_ERROR);
		ck_assert_int_eq(err, ECONNREFUSED);
		ck_assert(!conn_is_open(&c));
	}
}

START_TEST(connects_or_says_why_not)
{
	run(connects);
}
END_TEST

/* A full backlog: TCP drops the SYN, a unix socket says EAGAIN. */
static void connects_to_full(void)
{
	static const int families[] = {AF_INET, AF_UNIX};

	for (int i = 0; i < 2; i++) {
		struct conn c[8];
		enum conn_result r = CONN_OK;
		int err = 0, n = 0;
		const int listener = listen_on(families[i]);

		while (n < 8 && (r = connect_to(&c[n], &err, 60)) == CONN_OK)
			n++;
		ck_assert_int_eq(r, CONN_TIMEOUT);
		ck_assert_int_eq(err, ETIMEDOUT);
		while (n > 0)
			conn_close(&c[--n]);
		close(listener);
	}
}

START_TEST(connecting_has_a_deadline)
{
	run(connects_to_full);
}
END_TEST

/* ---- Transports ---- */

/* As TLS does it: a read that first wants to write, and bytes that are there although the socket is
 * empty. */
static int odd_reads, freed;

static ssize_t odd_read(struct conn *c, void *p, size_t n)
{
	switch (odd_reads++) {
	case 0:
		return CONN_WANT_WRITE;
	case 1:
		ck_assert_int_gt(plain->read(c, p, n), 0);
		return plain->read(c, p, n);
	default:
		memcpy(p, "hidden\r\n", 8);
		return 8;
	}
}

static bool odd_pending(struct conn *c)
{
	(void)c;
	return odd_reads != 1;
}

static void odd_free(struct conn *c)
{
	ck_assert_ptr_eq(c->transport_state, &odd_reads);
	freed++;
}

static void wakes(void *arg)
{
	(void)arg;
	for (int i = 0; i < 2; i++) {
		say("record");
		task_sleep_until(in_ms(5));
	}
	ck_assert_int_eq(odd_reads, 4);
}

static void reads_by_transport(void)
{
	static struct conn_transport odd;

	odd = *plain;
	odd.read = odd_read;
	odd.pending = odd_pending;
	odd.free = odd_free;
	conn_set_transport(&conn, &odd, &odd_reads);
	ck_assert(task_spawn(loop, wakes, NULL));
	EXPECT_LINE("hidden");
	EXPECT_LINE("hidden");
	ck_assert_int_eq(odd_reads, 4);
	conn_close(&conn);
	ck_assert_int_eq(freed, 1);
}

START_TEST(a_transport_stands_between)
{
	run(reads_by_transport);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("conn");
	TCase *t = tcase_create("conn");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, lines_split_at_every_byte);
	tcase_add_test(t, lines_that_come_byte_by_byte);
	tcase_add_test(t, a_line_may_be_exactly_as_long_as_allowed);
	tcase_add_test(t, a_too_long_line_is_swallowed);
	tcase_add_test(t, a_line_without_end_is_a_flood);
	tcase_add_test(t, the_rest_of_a_long_line_is_never_a_line);
	tcase_add_test(t, the_end_of_the_file_is_told);
	tcase_add_test(t, blocks_are_read_in_place);
	tcase_add_test(t, a_look_ahead_is_bounded);
	tcase_add_test(t, early_talkers_are_noticed);
	tcase_add_test(t, a_waiting_connection_holds_no_buffer);
	tcase_add_test(t, a_burst_gets_one_write);
	tcase_add_test(t, a_slow_reader_gets_every_byte);
	tcase_add_test(t, who_reads_nothing_is_given_up);
	tcase_add_test(t, a_closed_peer_is_an_error_and_no_signal);
	tcase_add_test(t, a_trickle_does_not_move_the_deadline);
	tcase_add_test(t, a_cancelled_session_can_still_say_421);
	tcase_add_test(t, the_rate_rule);
	tcase_add_test(t, the_last_reply_arrives);
	tcase_add_test(t, nobody_waits_for_a_peer_that_has_said_quit);
	tcase_add_test(t, what_is_unread_at_the_end_is_read_first);
	tcase_add_test(t, connects_or_says_why_not);
	tcase_add_test(t, connecting_has_a_deadline);
	tcase_add_test(t, a_transport_stands_between);
	suite_add_tcase(s, t);

	SRunner *sr = srunner_create(s);

	srunner_run_all(sr, CK_NORMAL);
	const int failed = srunner_ntests_failed(sr);

	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
