/* A session's questions to the DNS: each once, for as long as it is said, within a budget. */
#include "worker/smtp/lookups.h"

#include "tests/unit/dns_peer.h"
#include "worker/io/dns.h"
#include "worker/smtp/session.h"

#define MS INT64_C(1000)

static struct loop *loop;
static struct dns_peer *peer;
static struct config config;
static struct process_slot slot;
static struct smtp_server server;
static struct smtp_session *ss;

static void setup(void)
{
	char address[32], message[256];
	struct buf err = buf_over(message, sizeof(message));
	struct resolver_options o = {.server_count = 1, .timeout_us = 10000 * MS};

	loop = loop_new();
	ck_assert_ptr_nonnull(loop);
	peer = dns_peer_start();
	snprintf(address, sizeof(address), "127.0.0.1:%u", peer->port);
	const struct text resolver = text_of(address);
	o.servers = &resolver;
	config.global.dns_budget = 10000 * MS;
	server = (struct smtp_server){.loop = loop, .config = &config, .slot = &slot};
	server.resolver = resolver_open(loop, &o, &err);
	ck_assert_ptr_nonnull(server.resolver);
	ss = calloc(1, sizeof(*ss));
	ck_assert_ptr_nonnull(ss);
	ss->server = &server;
	arena_init(&ss->arena, NULL, NULL);
	arena_init(&ss->tx.arena, NULL, NULL);
}

static void teardown(void)
{
	lookups_end(ss);
	arena_reset(&ss->tx.arena);
	arena_reset(&ss->arena);
	free(ss);
	resolver_close(server.resolver);
	dns_peer_stop(peer);
	loop_free(loop);
	slot = (struct process_slot){0};
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

static const struct dns_answer *await(const char *name)
{
	return lookups_await(ss, text_of(name), DNS_A);
}

static uint64_t metric(enum metric m)
{
	return atomic_load(&slot.metrics[m]);
}

static void asks_once(void)
{
	lookups_start(ss, LIT("a.test"), DNS_A);
	lookups_start(ss, LIT("A.test."), DNS_A);
	lookups_start(ss, LIT("servfail.test"), DNS_A);
	const struct dns_answer *a = await("a.test");
	ck_assert_int_eq(a->status, DNS_OK);
	ck_assert_ptr_eq(await("A.Test."), a);
	ck_assert_int_eq(await("servfail.test")->status, DNS_SERVFAIL);
	ck_assert_int_eq(await("servfail.test")->status, DNS_SERVFAIL);
	ck_assert_uint_eq(atomic_load(&peer->udp_questions), 2);
	ck_assert_uint_eq(metric(METRIC_dns_queries), 2);
	ck_assert_uint_eq(metric(METRIC_dns_failures), 1);
	/* what nobody has begun is asked when it is awaited */
	ck_assert_int_eq(await("two.test")->status, DNS_OK);
	ck_assert_uint_eq(atomic_load(&peer->udp_questions), 3);
}

START_TEST(each_question_once)
{
	run(asks_once);
}
END_TEST

static void transaction_goes(void)
{
	lookups_start(ss, LIT("a.test"), DNS_A);
	ss->s.tx = &ss->tx;
	const struct dns_answer *a = await("a.test");
	ck_assert_int_eq(await("two.test")->status, DNS_OK);
	lookups_start(ss, LIT("drop.test"), DNS_A);
	ss->s.tx = NULL;
	lookups_end_transaction(ss);
	arena_reset(&ss->tx.arena);
	/* the session's is still there, the transaction's is asked anew */
	ck_assert_ptr_eq(await("a.test"), a);
	ck_assert_int_eq(a->status, DNS_OK);
	ck_assert_int_eq(await("two.test")->status, DNS_OK);
	ck_assert_uint_eq(metric(METRIC_dns_queries), 4);
}

START_TEST(a_transaction_takes_its_own_along)
{
	run(transaction_goes);
}
END_TEST

static void shares_a_budget(void)
{
	static const char *const names[] = {"drop.test", "drop.b.test", "drop.c.test"};
	const int64_t start = loop_now_us(loop);

	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(await(names[i])->status, DNS_TIMEOUT);
	ck_assert_int_ge(loop_now_us(loop) - start, 60 * MS);
	ck_assert_int_lt(loop_now_us(loop) - start, 5000 * MS);
	/* with nothing left, what is there already still counts */
	lookups_start(ss, LIT("a.test"), DNS_A);
	while (resolver_in_flight(server.resolver) > 3)
		task_sleep_until(loop_now_us(loop) + 5 * MS);
	ck_assert_int_eq(await("a.test")->status, DNS_OK);
	ck_assert_int_eq(await("two.test")->status, DNS_TIMEOUT);
	/* the next command has its own */
	ss->commands++;
	ck_assert_int_eq(await("late-20.test")->status, DNS_OK);
}

START_TEST(one_budget_for_a_command)
{
	config.global.dns_budget = 60 * MS;
	run(shares_a_budget);
}
END_TEST

static void asks_too_much(void)
{
	char name[64];

	ss->s.tx = &ss->tx;
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "drop.%d.test", i);
		lookups_start(ss, text_of(name), DNS_TXT);
	}
	ck_assert_uint_eq(metric(METRIC_dns_queries), 256);
	ck_assert_int_eq(await("a.test")->status, DNS_OURS);
	ss->s.tx = NULL;
	/* a message that went too far doesn't spoil the next */
	lookups_end_transaction(ss);
	arena_reset(&ss->tx.arena);
	ss->s.tx = &ss->tx;
	ck_assert_int_eq(await("a.test")->status, DNS_OK);
	ss->s.tx = NULL;
}

START_TEST(there_is_a_limit)
{
	run(asks_too_much);
}
END_TEST

static void is_cancelled(void)
{
	task_cancel(task_current());
	ck_assert_int_eq(await("drop.test")->status, DNS_OURS);
}

START_TEST(a_cancelled_session_knows_nothing)
{
	run(is_cancelled);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("lookups");
	TCase *t = tcase_create("lookups");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, each_question_once);
	tcase_add_test(t, a_transaction_takes_its_own_along);
	tcase_add_test(t, one_budget_for_a_command);
	tcase_add_test(t, there_is_a_limit);
	tcase_add_test(t, a_cancelled_session_knows_nothing);
	suite_add_tcase(s, t);

	SRunner *sr = srunner_create(s);

	srunner_run_all(sr, CK_NORMAL);
	const int failed = srunner_ntests_failed(sr);

	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
