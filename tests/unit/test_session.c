/* Whole sessions in one process: the server's side as it is, the client a task on the same loop,
 * between them a pair of sockets.  What transcripts can't do: memory that runs out, bytes that
 * trickle, what is still held when a session has ended. */
#include "worker/smtp/session.h"

#include "shm/base/clock.h"
#include "shm/slots.h"
#include "worker/world.h"

#include <check.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static char dir[64];
static struct config *config;
static struct segment seg;
static struct loop *loop;
static struct offload *offload;
static struct spool_place place;
static struct worker_world world;
static struct world_ops ops;
static struct smtp_server sv;
static struct arena arena;
static bool client_done;

static void maybe_stop(void *arg)
{
	(void)arg;
	if (client_done && sv.session_count == 0)
		loop_stop(loop);
}

static void write_config(const char *options)
{
	char path[96];
	FILE *f;

	snprintf(path, sizeof(path), "%s/conf", dir);
	f = fopen(path, "w");
	ck_assert(f != NULL);
	fprintf(
	    f,
	    "hostname = \"mx1.test\"\nstate-dir = \"%s\"\ntrusted-networks = { \"192.0.2.9/32\" "
	    "}\n%s\n"
	    "check \"reverse-dns\" { mode = \"off\" } check \"sender-verify\" { mode = \"off\" }\n"
	    "check \"spf\" { mode = \"off\" } check \"dmarc\" { mode = \"off\" }\n"
	    "check \"antivirus\" { mode = \"off\" }\n"
	    "listener \"mx\" { address = { \"127.0.0.1:1\" } proxy-from = { \"192.0.2.8/32\" } }\n"
	    "route \"box\" { hosts = { \"maildir:%s/mail/%%u\" } }\n"
	    "domain \"local.test\" { route = \"box\"  recipients = \"any\" }\n",
	    dir, options, dir);
	fclose(f);
	config = config_load(path, NULL, stderr, NULL);
	ck_assert(config != NULL);
}

static void open_server(const char *options)
{
	static const struct siphash_key key = {1, 2};
	char message[256];
	struct buf err = buf_over(message, sizeof(message));
	struct process_slot *slot;

	strcpy(dir, "/tmp/gatepost-session-XXXXXX");
	ck_assert(mkdtemp(dir) != NULL);
	write_config(options);
	close(segment_create(65536, 1 << 20, &key, &seg));
	slot = segment_take_process(&seg, ROLE_WORKER, 0, 1);
	atomic_store(&slot->pid, getpid());
	loop = loop_new();
	task_measure_stacks(loop);
	offload = offload_new(loop, 1);
	place = (struct spool_place){.offload = offload,
				     .dir_fd = open(dir, O_RDONLY | O_DIRECTORY),
				     .memory_each = 4096,
				     .memory_total = 1 << 20};
	world = (struct worker_world){.seg = &seg,
				      .process = (unsigned)(slot - seg.processes),
				      .state_dir = dir,
				      .delimiter = '+'};
	sv = (struct smtp_server){.loop = loop,
				  .config = config,
				  .seg = &seg,
				  .slot = slot,
				  .process = world.process,
				  .spool_place = &place,
				  .world = worker_world_make(&world),
				  .session_limit = 100,
				  .on_end = maybe_stop};
	ops = *sv.world.ops;
	sv.world.ops = &ops;
	sv.routes = routes_open(loop, config, offload, slot, &err);
	ck_assert_msg(sv.routes != NULL, "%s", message);
	arena_init(&arena, NULL, NULL);
	smtp_server_init(&sv, &arena);
	client_done = false;
}

static void close_server(void)
{
	char command[128];

	/* Nothing is held by a session that has ended. */
	ck_assert_uint_eq(sv.session_count, 0);
	ck_assert_uint_eq(task_count(loop), 0);
	ck_assert_uint_eq(place.memory_used, 0);
	/* Measured: 12 KiB for a message into a Maildir.  Half of a stack is reserve for
	 * handshakes. */
	ck_assert_uint_le(task_stack_high_water(loop), TASK_STACK_BYTES / 2);
	ck_assert_uint_eq(slots_reap(&seg, sv.process, clock_boot_us()), 0);
	routes_close(sv.routes);
	offload_free(offload);
	loop_free(loop);
	close(place.dir_fd);
	segment_detach(&seg);
	config_free(config);
	arena_reset(&arena);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}

/* ---- The client */

struct client {
	struct conn conn;
	void (*run)(struct conn *c);
	int fd;
};

static int64_t soon(void)
{
	return loop_now_us(loop) + 20 * SECOND_US;
}

static void say(struct conn *c, const char *s)
{
	conn_put(c, s, strlen(s));
	ck_assert_int_eq(conn_flush(c, soon()), CONN_OK);
}

/* The last line of the next reply. */
static void hear(struct conn *c, const char *want)
{
	struct text line;

	do
		ck_assert_int_eq(conn_getline(c, &line, 4000, soon()), CONN_OK);
	while (line.n > 3 && line.p[3] == '-');
	ck_assert_msg(text_istarts(line, text_of(want)), "wanted %s, got %.*s", want, TEXT(line));
}

static void hear_end(struct conn *c)
{
	struct text line;

	ck_assert_int_eq(conn_getline(c, &line, 4000, soon()), CONN_EOF);
}

static void client_task(void *arg)
{
	struct client *k = arg;

	ck_assert(conn_init(&k->conn, loop, k->fd));
	k->run(&k->conn);
	conn_close(&k->conn);
	client_done = true;
	maybe_stop(NULL);
}

/* A session from that address, to its end. */
static void with_session(const char *from, void (*run)(struct conn *c))
{
	struct client k = {.run = run};
	struct sockaddr_storage peer;
	struct ip ip;
	int fds[2];

	ck_assert(ip_parse(text_of(from), &ip));
	const socklen_t n = ip_to_sockaddr(&ip, 4000, &peer);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds),
			 0);
	k.fd = fds[1];
	client_done = false;
	smtp_server_accept(&sv, &config->listeners[0], fds[0], (struct sockaddr *)&peer, n);
	ck_assert(task_spawn(loop, client_task, &k));
	loop_run(loop);
}

/* ---- Bursts */

static void burst(struct conn *c)
{
	struct text block;

	hear(c, "220 mx1.test");
	say(c, "EHLO client.example\r\nMAIL FROM:<ann@example.org>\r\nRCPT "
	       "TO:<bob@local.test>\r\nDATA\r\n");
	/* All replies came in one piece. */
	ck_assert_int_eq(conn_read_some(c, &block, SIZE_MAX, soon()), CONN_OK);
	ck_assert(memmem(block.p, block.n, "\r\n354 ", 6) != NULL);
	conn_consume(c, block.n);
	say(c, "Subject: x\r\n\r\nHello.\r\n.\r\nQUIT\r\n");
	hear(c, "250 2.0.0 Accepted");
	hear(c, "221 2.0.0");
	hear_end(c);
}

START_TEST(one_write_a_burst)
{
	open_server("");
	with_session("192.0.2.1", burst);
	ck_assert_uint_eq(metric_sum(&seg, METRIC_messages_accepted), 1);
	close_server();
}
END_TEST

/* ---- Memory that runs out in the middle of a judgement */

static struct smtp_session *only_session(void)
{
	return sv.sessions;
}

static enum answer no_memory_for_ban(void *self, enum list_key kind, const struct ip *ip,
				     struct text key, struct list_entry *out)
{
	struct smtp_session *ss = only_session();

	(void)self;
	(void)ip;
	(void)key;
	(void)out;
	if (kind != LIST_RECIPIENT)
		return ANSWER_NO;
	ss->arena.no_memory(ss->arena.no_memory_arg);
	return ANSWER_UNKNOWN;
}

static void starved(struct conn *c)
{
	hear(c, "220");
	say(c, "EHLO client.example\r\nMAIL FROM:<ann@example.org>\r\nRCPT "
	       "TO:<bob@local.test>\r\nNOOP\r\n");
	hear(c, "250");
	hear(c, "250 2.1.0");
	hear(c, "421 4.3.0 Local error, try again later");
	hear_end(c);
}

START_TEST(out_of_memory)
{
	open_server("");
	ops.ban = no_memory_for_ban;
	with_session("192.0.2.1", starved);
	with_session("192.0.2.1", starved);
	close_server();
}
END_TEST

/* ---- Clients that vanish or trickle */

static void vanish_in_data(struct conn *c)
{
	hear(c, "220");
	say(c, "HELO client.example\r\nMAIL FROM:<ann@example.org>\r\nRCPT "
	       "TO:<bob@local.test>\r\nDATA\r\n");
	hear(c, "250");
	hear(c, "250");
	hear(c, "250");
	hear(c, "354");
	say(c, "Subject: half a message\r\n\r\n.\n\n.\r\r\n.\r");
}

static void vanish_at_once(struct conn *c)
{
	(void)c;
}

START_TEST(vanishing)
{
	open_server("");
	with_session("192.0.2.1", vanish_at_once);
	with_session("192.0.2.1", vanish_in_data);
	ck_assert_uint_eq(metric_sum(&seg, METRIC_messages_accepted), 0);
	close_server();
}
END_TEST

static void trickle(struct conn *c)
{
	const int64_t start = loop_now_us(loop);

	hear(c, "220");
	/* A byte each 100 ms doesn't move the deadline of the line. */
	for (int i = 0; i < 40 && loop_now_us(loop) < start + 900000; i++) {
		say(c, "N");
		task_sleep_until(loop_now_us(loop) + 100000);
	}
	hear(c, "421 4.4.2 Time-out");
	ck_assert(loop_now_us(loop) >= start + SECOND_US - 1000);
	hear_end(c);
}

START_TEST(trickling)
{
	open_server("command-timeout = \"1s\"\n");
	with_session("192.0.2.1", trickle);
	close_server();
}
END_TEST

/* ---- Places */

static void one_too_many(struct conn *c)
{
	hear(c, "421 Too many sessions from your address");
	hear_end(c);
}

static void nest(struct conn *c)
{
	hear(c, "220");
	say(c, "QUIT\r\n");
	hear(c, "221");
}

START_TEST(places_of_a_client)
{
	/* What another worker holds counts too. */
	struct process_slot *other;
	struct ip ip;
	uint64_t counts[2];

	open_server("max-client-sessions = 1\n");
	other = segment_take_process(&seg, ROLE_WORKER, 1, 1);
	ck_assert(ip_parse(LIT("192.0.2.1"), &ip));
	const uint64_t tags[2] = {
	    table_tag(&seg.table, TABLE_LIVE, LIT("sessions"), ip.b, sizeof(ip.b)), 0};
	const unsigned p = (unsigned)(other - seg.processes);
	const int slot = slots_take(&seg, p, 10, tags, counts, clock_boot_us());
	ck_assert_int_ge(slot, 0);
	with_session("192.0.2.1", one_too_many);
	with_session("192.0.2.2", nest);
	slots_give(&seg, p, slot, clock_boot_us());
	/* Those who were refused hold nothing. */
	with_session("192.0.2.1", nest);
	close_server();
}
END_TEST

/* ---- Under stress strangers stay outside */

static void turned_away(struct conn *c)
{
	hear(c, "421 Too many sessions");
	hear_end(c);
}

START_TEST(stressed)
{
	open_server("");
	sv.stress = 3;
	with_session("192.0.2.1", turned_away);
	with_session("192.0.2.9", nest);
	close_server();
}
END_TEST

/* ---- Draining */

static void drain_idle(struct conn *c)
{
	hear(c, "220");
	say(c, "EHLO client.example\r\n");
	hear(c, "250");
	smtp_server_drain(&sv);
	hear(c, "421 4.3.2 The server is shutting down");
	hear_end(c);
}

static void drain_message(struct conn *c)
{
	hear(c, "220");
	say(c, "EHLO client.example\r\nMAIL FROM:<ann@example.org>\r\nRCPT "
	       "TO:<bob@local.test>\r\nDATA\r\n");
	hear(c, "250");
	hear(c, "250");
	hear(c, "250");
	hear(c, "354");
	smtp_server_drain(&sv);
	say(c, "Subject: x\r\n\r\nHello.\r\n.\r\n");
	hear(c, "250 2.0.0 Accepted");
	hear(c, "421 4.3.2");
	hear_end(c);
}

START_TEST(draining)
{
	open_server("");
	with_session("192.0.2.1", drain_idle);
	sv.draining = false;
	with_session("192.0.2.1", drain_message);
	close_server();
}
END_TEST

/* ---- PROXY */

static void behind_proxy(struct conn *c)
{
	say(c, "PROXY TCP4 198.51.100.7 192.0.2.8 4001 25\r\nEHLO early.example\r\n");
	hear(c, "220");
	ck_assert(text_eq(only_session()->s.client_text, LIT("198.51.100.7")));
	ck_assert(only_session()->s.early_talker && !only_session()->s.own);
	hear(c, "250");
}

static void not_proxy(struct conn *c)
{
	say(c, "EHLO client.example\r\n");
	hear_end(c);
}

static void stranger_says_proxy(struct conn *c)
{
	hear(c, "220");
	say(c, "PROXY TCP4 198.51.100.7 192.0.2.8 4001 25\r\n");
	hear(c, "500 5.5.2");
	ck_assert(text_eq(only_session()->s.client_text, LIT("192.0.2.1")));
}

START_TEST(proxied)
{
	open_server("");
	with_session("192.0.2.8", behind_proxy);
	with_session("192.0.2.8", not_proxy);
	with_session("192.0.2.1", stranger_says_proxy);
	close_server();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("session");
	TCase *tc = tcase_create("session");
	SRunner *sr = srunner_create(s);

	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, one_write_a_burst);
	tcase_add_test(tc, out_of_memory);
	tcase_add_test(tc, vanishing);
	tcase_add_test(tc, trickling);
	tcase_add_test(tc, places_of_a_client);
	tcase_add_test(tc, stressed);
	tcase_add_test(tc, draining);
	tcase_add_test(tc, proxied);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
