/* The resolver against a real server: what an answer is read as, many questions at once, servers
 * that are slow, dead, or lie. */
#include "worker/io/dns.h"

#include "tests/unit/dns_peer.h"
#include "worker/io/dns_message.h"
#include "worker/io/task.h"

#include <check.h>

#define MS INT64_C(1000)

static struct loop *loop;
static struct dns_peer *peer;
static struct resolver *resolver;
static char address[32];

static struct resolver *open_resolver(const struct text *servers, size_t n, int64_t timeout_us,
				      size_t max)
{
	char message[256];
	struct buf err = buf_over(message, sizeof(message));
	const struct resolver_options o = {
	    .servers = servers, .server_count = n, .timeout_us = timeout_us, .max_queries = max};
	struct resolver *r = resolver_open(loop, &o, &err);

	ck_assert_msg(r != NULL, "%s", message);
	return r;
}

static void setup(void)
{
	loop = loop_new();
	ck_assert_ptr_nonnull(loop);
	peer = dns_peer_start();
	snprintf(address, sizeof(address), "127.0.0.1:%u", peer->port);
	const struct text server = text_of(address);
	resolver = open_resolver(&server, 1, 5000 * MS, 0);
}

static void teardown(void)
{
	resolver_close(resolver);
	dns_peer_stop(peer);
	loop_free(loop);
}

/* Resolvers with answers to wait for in vain have less patience, those with much to do more. */
static void with_patience(int64_t timeout_us)
{
	const struct text server = text_of(address);

	resolver_close(resolver);
	resolver = open_resolver(&server, 1, timeout_us, 0);
}

/* Runs the test's body in a task. */
static void (*body)(void);

static void body_task(void *arg)
{
	(void)arg;
	body();
	loop_stop(loop);
}

static void run(void (*fn)(void))
{
	body = fn;
	ck_assert(task_spawn(loop, body_task, NULL));
	loop_run(loop);
}

static struct dns_query *asked;

/* The answer lives until the next question. */
static const struct dns_answer *ask(const char *name, uint16_t type)
{
	dns_free(asked);
	asked = dns_start(resolver, text_of(name), type);
	return dns_await(asked, NEVER_US);
}

static void done(void)
{
	dns_free(asked);
	asked = NULL;
}

static void ck_ip(const struct dns_record *r, const char *want)
{
	char text[IP_TEXT_MAX];

	ck_assert_str_eq(ip_format(&r->ip, text), want);
}

static void ck_text(struct text t, const char *want)
{
	ck_assert_msg(text_eq(t, text_of(want)), "\"%.*s\" is not \"%s\"", TEXT(t), want);
}

/* ---- What an answer is read as */

static void reads_records(void)
{
	const struct dns_answer *a = ask("two.Test.", DNS_A);

	ck_assert_int_eq(a->status, DNS_OK);
	ck_assert_uint_eq(a->count, 2);
	ck_ip(&a->records[0], "192.0.2.1");
	ck_ip(&a->records[1], "192.0.2.2");
	ck_assert_uint_eq(a->ttl, 300);
	ck_assert(a->authentic);
	ck_text(a->name, "two.test");
	ck_assert_uint_gt(a->wire.n, 12);

	a = ask("a.test", DNS_A);
	ck_assert(!a->authentic);

	a = ask("aaaa.test", DNS_AAAA);
	ck_assert_uint_eq(a->count, 1);
	ck_ip(&a->records[0], "1:203:405:607:809:a0b:c0d:e0f");
	ck_assert_uint_eq(a->ttl, 0); /* its highest bit was set */

	a = ask("mx.test", DNS_MX);
	ck_assert_uint_eq(a->count, 2);
	ck_assert_uint_eq(a->records[0].preference, 10);
	ck_text(a->records[0].text, "mx1.example.org");
	ck_assert_uint_eq(a->records[1].preference, 256);
	ck_text(a->records[1].text, "");
	ck_assert_uint_eq(a->ttl, 30);

	a = ask("txt.test", DNS_TXT);
	ck_assert_uint_eq(a->count, 2);
	ck_text(a->records[0].text, "v=spf1 -al");
	ck_text(a->records[1].text, "");

	a = ask("ptr.test", DNS_PTR);
	ck_assert_uint_eq(a->count, 2);
	ck_text(a->records[0].text, "host.example.org");
	ck_text(a->records[1].text, "a\\046b\\010\\255.org");
	done();
}

/* The libraries run on a session's stack: they leave it the greater part. */
START_TEST(records)
{
	task_measure_stacks(loop);
	run(reads_records);
	ck_assert_uint_lt(task_stack_high_water(loop), TASK_STACK_BYTES / 2);
}
END_TEST

static void follows_cnames(void)
{
	const struct dns_answer *a = ask("cname.test", DNS_A);

	ck_assert_int_eq(a->status, DNS_OK);
	ck_assert_uint_eq(a->count, 1);
	ck_ip(&a->records[0], "192.0.2.3");
	ck_assert_uint_eq(a->ttl, 7);
	ck_text(a->name, "c.test");

	/* for a CNAME itself nothing is followed */
	a = ask("cname.test", DNS_CNAME);
	ck_assert_uint_eq(a->count, 1);
	ck_text(a->records[0].text, "b.test");

	a = ask("cname.test", DNS_MX);
	ck_assert_int_eq(a->status, DNS_NODATA);
	ck_text(a->name, "c.test");

	ck_assert_int_eq(ask("circle.test", DNS_A)->status, DNS_MALFORMED);
	done();
}

START_TEST(cnames)
{
	run(follows_cnames);
}
END_TEST

static void reads_failures(void)
{
	const struct dns_answer *a = ask("nxdomain.test", DNS_A);

	ck_assert_int_eq(a->status, DNS_NXDOMAIN);
	ck_assert_uint_eq(a->count, 0);
	ck_assert_uint_eq(a->ttl, 120);
	a = ask("nodata.test", DNS_A);
	ck_assert_int_eq(a->status, DNS_NODATA);
	ck_assert_uint_eq(a->ttl, 0);
	ck_assert_int_eq(ask("hollow.test", DNS_A)->status, DNS_NODATA);
	ck_assert_int_eq(ask("hollow.test", DNS_TXT)->status, DNS_NODATA);
	ck_assert_int_eq(ask("hollow.test", DNS_MX)->status, DNS_NODATA);
	ck_assert_int_eq(ask("servfail.test", DNS_A)->status, DNS_SERVFAIL);
	ck_assert_int_eq(ask("refused.test", DNS_A)->status, DNS_REFUSED);
	ck_assert_int_eq(ask("notimp.test", DNS_A)->status, DNS_REFUSED);
	/* one server: it isn't asked again */
	ck_assert_uint_eq(atomic_load(&peer->udp_questions), 8);
	done();
}

START_TEST(failures)
{
	run(reads_failures);
}
END_TEST

/* A server without EDNS is asked without it; what it says then counts. */
static void asks_without_edns(void)
{
	ck_assert_int_eq(ask("formerr.test", DNS_A)->status, DNS_REFUSED);
	ck_assert_uint_eq(atomic_load(&peer->udp_questions), 2);
	ck_assert_int_eq(ask("a.test", DNS_A)->status, DNS_OK);
	done();
}

START_TEST(format_errors)
{
	run(asks_without_edns);
}
END_TEST

static void takes_tcp(void)
{
	const struct dns_answer *a = ask("cut.test", DNS_A);

	ck_assert_int_eq(a->status, DNS_OK);
	ck_assert_uint_eq(a->count, 1000);
	ck_ip(&a->records[999], "10.0.3.231");
	ck_assert_uint_eq(atomic_load(&peer->tcp_questions), 1);

	a = ask("huge.test", DNS_TXT);
	ck_assert_int_eq(a->status, DNS_OK);
	ck_assert_uint_eq(a->wire.n, 65535);
	ck_assert_uint_eq(a->count, 1);
	ck_assert_uint_gt(a->records[0].text.n, 65000);

	/* cut even by TCP: it isn't the whole truth */
	ck_assert_int_eq(ask("cut-twice.test", DNS_A)->status, DNS_MALFORMED);
	done();
}

START_TEST(tcp)
{
	run(takes_tcp);
}
END_TEST

/* ---- Lies */

static void sees_through_lies(void)
{
	const struct dns_answer *a = ask("liar.test", DNS_A);

	ck_assert_int_eq(a->status, DNS_OK);
	ck_ip(&a->records[0], "192.0.2.1");
	ck_assert_int_eq(ask("question.test", DNS_A)->status, DNS_MALFORMED);
	ck_assert_int_eq(ask("self-pointer.test", DNS_A)->status, DNS_MALFORMED);
	ck_assert_int_eq(ask("chain.test", DNS_A)->status, DNS_MALFORMED);
	ck_assert_int_eq(ask("tsig.test", DNS_A)->status, DNS_MALFORMED);
	ck_assert_int_eq(ask("short.test", DNS_A)->status, DNS_MALFORMED);
	ck_assert_int_eq(ask("a.test", DNS_A)->status, DNS_OK);
	done();
}

START_TEST(lies)
{
	run(sees_through_lies);
}
END_TEST

static void outlives_nonsense(void)
{
	static const char *const names[] = {"wrong-id.test", "wrong-question.test", "empty.test",
					    "one-byte.test", "drop.test"};

	for (unsigned i = 0; i < 5; i++) {
		const int64_t start = loop_now_us(loop);

		ck_assert_int_eq(ask(names[i], DNS_A)->status, DNS_TIMEOUT);
		ck_assert_int_lt(loop_now_us(loop) - start, 10000 * MS);
	}
	/* Its patience is short, this machine may be busy. */
	for (int tries = 0; ask("a.test", DNS_A)->status != DNS_OK; tries++)
		ck_assert_int_lt(tries, 20);
	done();
}

START_TEST(nonsense)
{
	with_patience(200 * MS);
	run(outlives_nonsense);
}
END_TEST

/* ---- Many at once, and their time */

enum { MANY = 2000 };
static struct dns_query *many[MANY];

static void asks_many(void)
{
	const int64_t start = loop_now_us(loop);
	char name[64];

	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "late-50-%d.test", i);
		many[i] = dns_start(resolver, text_of(name), DNS_A);
		ck_assert_ptr_nonnull(many[i]);
		ck_assert(dns_query_is(many[i], text_of(name), DNS_A));
		ck_assert(!dns_query_is(many[i], text_of(name), DNS_MX));
	}
	ck_assert_uint_eq(resolver_in_flight(resolver), MANY);
	ck_assert_ptr_null(dns_peek(many[0]));
	for (int i = 0; i < MANY; i++) {
		const struct dns_answer *a = dns_await(many[i], NEVER_US);

		ck_assert_msg(a->status == DNS_OK, "%d: %s", i, dns_status_text(a->status));
		ck_assert_ptr_eq(dns_peek(many[i]), a);
		dns_free(many[i]);
	}
	/* not the sum: that were 100 s */
	ck_assert_int_lt(loop_now_us(loop) - start, 40000 * MS);
	ck_assert_uint_eq(resolver_in_flight(resolver), 0);
}

START_TEST(many_at_once)
{
	with_patience(30000 * MS);
	run(asks_many);
	/* a port doesn't carry more than its share */
	ck_assert_uint_ge(peer->ports, 3);
}
END_TEST

static void uses_new_ports(void)
{
	for (int i = 0; i < 20; i++)
		ck_assert_int_eq(ask("a.test", DNS_A)->status, DNS_OK);
	done();
}

START_TEST(ports)
{
	run(uses_new_ports);
	/* an idle resolver begins each question with another one; the system may repeat some */
	ck_assert_uint_ge(peer->ports, 10);
}
END_TEST

static void keeps_deadlines(void)
{
	struct dns_query *q = dns_start(resolver, LIT("late-150.test"), DNS_A);
	const int64_t start = loop_now_us(loop);

	/* the caller's is earlier: the query lives on */
	ck_assert_int_eq(dns_await(q, start + 20 * MS)->status, DNS_TIMEOUT);
	ck_assert_int_ge(loop_now_us(loop) - start, 20 * MS);
	ck_assert_int_eq(dns_await(q, start + 10 * MS)->status, DNS_TIMEOUT);
	ck_assert_int_eq(dns_await(q, NEVER_US)->status, DNS_OK);
	dns_free(q);
}

START_TEST(deadlines)
{
	run(keeps_deadlines);
}
END_TEST

static void forgets(void)
{
	struct dns_query *q = dns_start(resolver, LIT("late-30.test"), DNS_A);

	dns_free(q);
	dns_free(dns_start(resolver, LIT("late-60000.test"), DNS_A));
	ck_assert_uint_eq(resolver_in_flight(resolver), 2);
	while (resolver_in_flight(resolver) > 1)
		task_sleep_until(loop_now_us(loop) + 5 * MS);
	/* the other one goes with the resolver */
}

START_TEST(forgotten)
{
	run(forgets);
}
END_TEST

static struct task *waiting;

static void waits(void *arg)
{
	struct dns_query *q = dns_start(resolver, LIT("drop.test"), DNS_A);

	(void)arg;
	waiting = task_current();
	ck_assert_int_eq(dns_await(q, NEVER_US)->status, DNS_OURS);
	dns_free(q);
	waiting = NULL;
}

static void cancels(void)
{
	ck_assert(task_spawn(loop, waits, NULL));
	while (!waiting)
		task_yield();
	task_cancel(waiting);
	while (waiting)
		task_yield();
}

START_TEST(cancelled)
{
	run(cancels);
}
END_TEST

static void is_bounded(void)
{
	struct dns_query *q[3];

	for (int i = 0; i < 3; i++)
		q[i] = dns_start(resolver, LIT("late-50.test"), DNS_A);
	ck_assert_ptr_nonnull(q[1]);
	ck_assert_ptr_null(q[2]);
	ck_assert_int_eq(dns_await(q[2], NEVER_US)->status, DNS_OURS);
	ck_assert(!dns_query_is(q[2], LIT("late-50.test"), DNS_A));
	for (int i = 0; i < 3; i++) {
		if (q[i])
			ck_assert_int_eq(dns_await(q[i], NEVER_US)->status, DNS_OK);
		dns_free(q[i]);
	}
	ck_assert_int_eq(ask("a.test", DNS_A)->status, DNS_OK);
	done();
}

START_TEST(bounded)
{
	const struct text server = text_of(address);

	resolver_close(resolver);
	resolver = open_resolver(&server, 1, 5000 * MS, 2);
	run(is_bounded);
}
END_TEST

static void refuses_names(void)
{
	char name[300];

	memset(name, 'a', sizeof(name));
	name[64] = '\0';
	ck_assert_int_eq(ask(name, DNS_A)->status, DNS_NXDOMAIN);
	ck_assert_int_eq(ask("", DNS_A)->status, DNS_NXDOMAIN);
	ck_assert_int_eq(ask(".", DNS_A)->status, DNS_NXDOMAIN);
	ck_assert_int_eq(ask("a..test", DNS_A)->status, DNS_NXDOMAIN);
	ck_assert_uint_eq(atomic_load(&peer->udp_questions), 0);
	/* the longest that is one */
	memset(name, 'a', sizeof(name));
	name[253] = '\0';
	for (int i = 1; i < 253; i += 2)
		name[i] = '.';
	ck_assert_int_eq(ask(name, DNS_A)->status, DNS_OK);
	ck_text(dns_peek(asked)->name, name);
	done();
}

START_TEST(names)
{
	run(refuses_names);
}
END_TEST

/* ---- Several servers, dead ones */

static struct dns_peer *dead;

static void learns_who_answers(void)
{
	for (int i = 0; i < 6; i++)
		ck_assert_int_eq(ask("a.test", DNS_A)->status, DNS_OK);
	const unsigned in_vain = atomic_load(&dead->udp_questions);
	/* by now the silent one isn't the first to be asked */
	ck_assert_int_eq(ask("a.test", DNS_A)->status, DNS_OK);
	ck_assert_uint_gt(in_vain, 0);
	ck_assert_uint_eq(atomic_load(&dead->udp_questions), in_vain);
	done();
}

START_TEST(silent_first_server)
{
	char other[32];

	dead = dns_peer_start();
	atomic_store(&dead->silent, true);
	snprintf(other, sizeof(other), "127.0.0.1:%u", dead->port);
	const struct text servers[] = {text_of(other), text_of(address)};
	resolver_close(resolver);
	resolver = open_resolver(servers, 2, 1200 * MS, 0);
	run(learns_who_answers);
	dns_peer_stop(dead);
}
END_TEST

static void goes_on_to_the_next(void)
{
	ck_assert_int_eq(ask("a.test", DNS_A)->status, DNS_OK);
	/* c-ares doesn't say which of the two it was */
	ck_assert_int_eq(ask("servfail.test", DNS_A)->status, DNS_SERVFAIL);
	ck_assert_int_eq(ask("refused.test", DNS_A)->status, DNS_SERVFAIL);
	done();
}

START_TEST(closed_first_server)
{
	struct dns_peer *gone = dns_peer_start();
	char other[32];

	snprintf(other, sizeof(other), "127.0.0.1:%u", gone->port);
	dns_peer_stop(gone);
	const struct text servers[] = {text_of(other), text_of(address)};
	resolver_close(resolver);
	resolver = open_resolver(servers, 2, 2000 * MS, 0);
	run(goes_on_to_the_next);
}
END_TEST

static void nobody_is_there(void)
{
	const int64_t start = loop_now_us(loop);

	ck_assert_int_eq(ask("a.test", DNS_A)->status, DNS_TIMEOUT);
	/* told so by the kernel: it isn't waited for */
	ck_assert_int_lt(loop_now_us(loop) - start, 1000 * MS);
	done();
}

/* All who ask are told, not only the one that the kernel tells. */
static void nobody_is_there_for_many(void)
{
	const int64_t start = loop_now_us(loop);
	struct dns_query *queries[20];
	char name[32];

	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "n%d.test", i);
		queries[i] = dns_start(resolver, text_of(name), DNS_TXT);
	}
	for (int i = 0; i < 20; i++) {
		ck_assert_int_eq(dns_await(queries[i], start + 20000 * MS)->status, DNS_TIMEOUT);
		dns_free(queries[i]);
	}
	ck_assert_int_lt(loop_now_us(loop) - start, 4000 * MS);
	done();
}

START_TEST(no_server)
{
	struct dns_peer *gone = dns_peer_start();

	snprintf(address, sizeof(address), "127.0.0.1:%u", gone->port);
	dns_peer_stop(gone);
	with_patience(4000 * MS);
	run(nobody_is_there);
	with_patience(20000 * MS);
	run(nobody_is_there_for_many);
}
END_TEST

START_TEST(options)
{
	char message[256];
	struct buf err = buf_over(message, sizeof(message));
	const struct text bad = LIT("localhost");
	struct resolver_options o = {.servers = &bad, .server_count = 1, .timeout_us = 1000 * MS};

	ck_assert_ptr_null(resolver_open(loop, &o, &err));
	ck_assert_str_eq(message, "\"localhost\" is no address of a resolver");
	/* those of the system */
	resolver_close(open_resolver(NULL, 0, 1000 * MS, 0));
	resolver_close(NULL);
	dns_free(NULL);
}
END_TEST

/* ---- The cache */

static void remembers(void)
{
	const char *const same[] = {"a.test", "A.Test.", "a.test"};
	struct dns_query *first = dns_start(resolver, LIT("a.test"), DNS_A);
	const struct dns_answer *a = dns_await(first, NEVER_US);

	for (int i = 0; i < 3; i++) {
		ck_assert_ptr_eq(ask(same[i], DNS_A), a);
		ck_assert(dns_query_is(asked, LIT("a.test"), DNS_A));
	}
	ck_assert_uint_eq(resolver_in_flight(resolver), 0);
	ck_assert_uint_eq(atomic_load(&peer->udp_questions), 1);
	/* another type is another question; what fails, and what has no time to live, isn't kept */
	ask("a.test", DNS_TXT);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(ask("nxdomain.test", DNS_A)->status, DNS_NXDOMAIN);
		ck_assert_int_eq(ask("servfail.test", DNS_A)->status, DNS_SERVFAIL);
		ck_assert_int_eq(ask("aaaa.test", DNS_AAAA)->status, DNS_OK);
		ck_assert_int_eq(ask("cut.test", DNS_A)->status, DNS_OK);
	}
	ck_assert_uint_eq(atomic_load(&peer->udp_questions), 2 + 1 + 3 * 2);
	done();
	ck_ip(&a->records[0], "192.0.2.1");
	dns_free(first);
}

START_TEST(cache)
{
	const struct text server = text_of(address);
	const struct resolver_options o = {
	    .servers = &server, .server_count = 1, .timeout_us = 5000 * MS, .cache_entries = 64};
	char message[256];
	struct buf err = buf_over(message, sizeof(message));

	resolver_close(resolver);
	resolver = resolver_open(loop, &o, &err);
	ck_assert_ptr_nonnull(resolver);
	run(remembers);
}
END_TEST

/* ---- Messages alone */

/* Every message that differs in one byte or ends early: read or refused, never worse. */
START_TEST(damaged_messages)
{
	static struct dns_peer maker;
	static uint8_t copy[512];
	struct peer_question q = {.first = "cname", .type = DNS_A};
	size_t n;
	uint8_t *question = dns_message_ask(LIT("cname.test"), DNS_A, 1, &n);
	unsigned ok = 0, read = 0;

	ck_assert_ptr_nonnull(question);
	/* what c-ares takes off for servers without EDNS */
	ck_assert_uint_eq(n, 12 + 12 + 4 + DNS_OPT_BYTES);
	ck_assert_uint_eq(question[n - 9], 41 & 0xff);
	q.b = question;
	q.n = n - DNS_OPT_BYTES;
	maker.udp = -1;
	answer_cname(&maker, &q);
	ck_assert_uint_lt(maker.out.n, sizeof(copy));
	for (size_t at = 0; at < maker.out.n; at++) {
		for (unsigned bits = 0; bits < 256; bits += at < 12 ? 1 : 17) {
			memcpy(copy, maker.out.b, maker.out.n);
			copy[at] ^= (uint8_t)bits;
			struct dns_answer *a =
			    dns_message_read(copy, maker.out.n, LIT("cname.test"), DNS_A);
			ck_assert_ptr_nonnull(a);
			ok += a->status == DNS_OK;
			read++;
			free(a);
		}
		struct dns_answer *a = dns_message_read(copy, at, LIT("cname.test"), DNS_A);
		ck_assert_ptr_nonnull(a);
		ck_assert_int_eq(a->status, DNS_MALFORMED);
		free(a);
	}
	free(question);
	ck_assert_uint_gt(ok, maker.out.n);
	ck_assert_uint_lt(ok, read);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("dns");
	TCase *t = tcase_create("resolver");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, records);
	tcase_add_test(t, cnames);
	tcase_add_test(t, failures);
	tcase_add_test(t, format_errors);
	tcase_add_test(t, tcp);
	tcase_add_test(t, lies);
	tcase_add_test(t, nonsense);
	tcase_add_test(t, many_at_once);
	tcase_add_test(t, ports);
	tcase_add_test(t, deadlines);
	tcase_add_test(t, forgotten);
	tcase_add_test(t, cancelled);
	tcase_add_test(t, bounded);
	tcase_add_test(t, names);
	tcase_add_test(t, silent_first_server);
	tcase_add_test(t, closed_first_server);
	tcase_add_test(t, no_server);
	tcase_add_test(t, options);
	tcase_add_test(t, cache);
	suite_add_tcase(s, t);
	t = tcase_create("messages");
	tcase_add_test(t, damaged_messages);
	suite_add_tcase(s, t);

	SRunner *sr = srunner_create(s);

	srunner_run_all(sr, CK_NORMAL);
	const int failed = srunner_ntests_failed(sr);

	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
