/* The connections to one host: kept, bounded, shared out in turn, thrown away when they are stale.
 */
#include "worker/delivery/pool.h"

#include "delivery_fixture.h"

static struct host *host;

static void open_host(struct fixture *f, struct peer *p)
{
	peer_start(p);
	fixture_host(f, p);
	fixture_open(f);
	host = &f->routes->states[0].hosts[0];
}

static struct hop *borrow(struct fixture *f, bool fresh)
{
	struct hop *hop = NULL;

	ck_assert_int_eq(
	    pool_borrow(host, &f->session, fresh, loop_now_us(f->loop) + 20 * SECOND_US, &hop),
	    BORROW_OK);
	ck_assert_ptr_nonnull(hop);
	return hop;
}

static void run(struct fixture *f, void (*fn)(struct fixture *f))
{
	fixture_run(f, fn);
	ck_assert_uint_eq(host->open, host->idle);
}

/* ---- */

static void reuse_body(struct fixture *f)
{
	struct hop *a = borrow(f, false), *b = borrow(f, false), *c;

	ck_assert_ptr_ne(a, b);
	ck_assert(!a->reused);
	pool_give(a);
	pool_give(b);
	ck_assert_uint_eq(host->idle, 2);
	/* The newest first, so that the others grow old. */
	c = borrow(f, false);
	ck_assert_ptr_eq(c, b);
	ck_assert(c->reused);
	pool_give(c);
	c = borrow(f, true);
	ck_assert(!c->reused);
	pool_drop(c, true);
	ck_assert_uint_eq(host->idle, 2);
	pool_forget_idle(host);
	ck_assert_uint_eq(host->open, 0);
}

START_TEST(reuse)
{
	struct peer p = {0};
	struct fixture f;

	fixture_init(&f);
	open_host(&f, &p);
	run(&f, reuse_body);
	fixture_close(&f);
	peer_stop(&p);
	ck_assert_int_eq(p.connections, 3);
}
END_TEST

/* ---- */

static int order[8], turns;
static bool some_drop;

static void take_turn(struct fixture *f)
{
	int me = turns++;
	struct hop *hop = borrow(f, false);
	static int served;

	ck_assert_uint_le(host->open, 2);
	order[served++] = me;
	ck_assert_int_eq(task_sleep_until(loop_now_us(f->loop) + 2000), WAKE_TIMEOUT);
	if (some_drop && me % 3 == 1)
		pool_drop(hop, true); /* its place goes on as well */
	else
		pool_give(hop);
}

START_TEST(first_come_first_served)
{
	struct peer p = {0};
	struct fixture f;
	struct fixture_task t = {&f, take_turn};

	fixture_init(&f);
	f.route.set.max_connections = 2;
	some_drop = _i;
	open_host(&f, &p);
	for (int i = 0; i < 8; i++)
		ck_assert(task_spawn(f.loop, fixture_run_task, &t));
	loop_run(f.loop);
	ck_assert_ptr_null(host->first_waiter);
	ck_assert_uint_eq(host->open, host->idle);
	/* The first two open theirs, which takes its time; the others get them in the order in
	 * which they came (unless they have to open their own). */
	for (int i = 0, last = 1; i < 8 && !some_drop; i++) {
		if (order[i] < 2)
			continue;
		ck_assert_int_eq(order[i], last + 1);
		last = order[i];
	}
	ck_assert_int_eq(turns, 8);
	fixture_close(&f);
	peer_stop(&p);
}
END_TEST

/* ---- */

static struct task *waiting;
static enum borrow_result waited;

static void wait_for_place(struct fixture *f)
{
	struct hop *hop;

	waiting = task_current();
	waited = pool_borrow(host, &f->session, false, loop_now_us(f->loop) + SECOND_US / 20, &hop);
	if (waited == BORROW_OK)
		pool_give(hop);
	waiting = NULL;
}

static void hold_on(struct fixture *f)
{
	struct fixture_task t = {f, wait_for_place};
	struct hop *hop = borrow(f, false);

	/* In time, too late, called off, and called off just when it got one. */
	for (int i = 0; i < 4; i++) {
		waited = BORROW_DOWN;
		ck_assert(task_spawn(f->loop, fixture_run_task, &t));
		task_yield();
		task_yield();
		ck_assert_ptr_nonnull(waiting);
		if (i == 0 || i == 3)
			pool_give(hop);
		if (i >= 2)
			task_cancel(waiting);
		while (waiting)
			ck_assert_int_eq(task_sleep_until(loop_now_us(f->loop) + 5000),
					 WAKE_TIMEOUT);
		ck_assert_int_eq(waited, i == 0   ? BORROW_OK
					 : i == 1 ? BORROW_NO_PLACE
						  : BORROW_CANCELLED);
		ck_assert_ptr_null(host->first_waiter);
		if (i == 0 || i == 3)
			hop = borrow(f, false);
	}
	pool_give(hop);
}

START_TEST(waiting_ends)
{
	struct peer p = {0};
	struct fixture f;

	fixture_init(&f);
	f.route.set.max_connections = 1;
	open_host(&f, &p);
	run(&f, hold_on);
	fixture_close(&f);
	peer_stop(&p);
	ck_assert_int_eq(p.connections, 1);
}
END_TEST

/* ---- */

static void until_idle(struct fixture *f, unsigned idle)
{
	int64_t end_us = loop_now_us(f->loop) + 20 * SECOND_US;

	while (host->idle > idle && loop_now_us(f->loop) < end_us)
		ck_assert_int_eq(task_sleep_until(loop_now_us(f->loop) + 5000), WAKE_TIMEOUT);
	ck_assert_uint_eq(host->idle, idle);
}

static void grow_old(struct fixture *f)
{
	struct hop *hops[3];

	for (int i = 0; i < 3; i++)
		hops[i] = borrow(f, false);
	for (int i = 0; i < 3; i++)
		pool_give(hops[i]);
	ck_assert_uint_eq(host->idle, 3);
	until_idle(f, 0);
	ck_assert(!timer_is_set(&host->timer));
}

START_TEST(idle_ones_are_closed)
{
	struct peer p = {0};
	struct fixture f;

	fixture_init(&f);
	f.route.set.idle_timeout = SECOND_US / 20;
	open_host(&f, &p);
	run(&f, grow_old);
	fixture_close(&f);
	peer_stop(&p);
	p.said[p.said_n] = '\0';
	ck_assert_ptr_nonnull(strstr(p.said, "QUIT\n"));
}
END_TEST

static void keep_few(struct fixture *f)
{
	struct hop *hops[3];

	for (int i = 0; i < 3; i++)
		hops[i] = borrow(f, false);
	for (int i = 0; i < 3; i++)
		pool_give(hops[i]);
	until_idle(f, 1);
}

START_TEST(no_more_than_max_idle)
{
	struct peer p = {0};
	struct fixture f;

	fixture_init(&f);
	f.route.set.max_idle = 1;
	open_host(&f, &p);
	run(&f, keep_few);
	fixture_close(&f);
	peer_stop(&p);
}
END_TEST

/* ---- */

static void closed_behind(struct fixture *f)
{
	struct hop *a = borrow(f, false), *b;

	pool_give(a);
	ck_assert_int_eq(shutdown(conn_fd(&a->conn), SHUT_WR), 0); /* the peer closes in turn */
	for (int i = 0; i < 400 && !a->conn.watch.hangup; i++)
		ck_assert_int_eq(task_sleep_until(loop_now_us(f->loop) + 5000), WAKE_TIMEOUT);
	b = borrow(f, false);
	ck_assert(!b->reused);
	pool_give(b);
}

START_TEST(closed_while_idle)
{
	struct peer p = {0};
	struct fixture f;

	fixture_init(&f);
	open_host(&f, &p);
	run(&f, closed_behind);
	fixture_close(&f);
	peer_stop(&p);
	ck_assert_int_eq(p.connections, 2);
}
END_TEST

/* ---- A hop with a limit of its own */

static int got_one;

static void want_one(struct fixture *f)
{
	struct hop *hop = borrow(f, false);

	got_one++;
	ck_assert_int_eq(task_sleep_until(loop_now_us(f->loop) + 5000), WAKE_TIMEOUT);
	pool_give(hop);
}

START_TEST(one_connection_too_many)
{
	struct peer p = {.faults = {{"GREETING", FAULT_BYE, "421 4.7.0 too many\r\n", 3},
				    {"GREETING", FAULT_BYE, "421 4.7.0 too many\r\n", 4}}};
	struct fixture f;
	struct fixture_task t = {&f, want_one};

	fixture_init(&f);
	open_host(&f, &p);
	for (int i = 0; i < 4; i++)
		ck_assert(task_spawn(f.loop, fixture_run_task, &t));
	loop_run(f.loop);
	ck_assert_int_eq(got_one, 4);
	ck_assert(host_is_up(host));
	fixture_close(&f);
	peer_stop(&p);
}
END_TEST

/* ---- */

static int sent_away;

static void want_in_vain(struct fixture *f)
{
	struct hop *hop;

	ck_assert_int_eq(
	    pool_borrow(host, &f->session, false, loop_now_us(f->loop) + 20 * SECOND_US, &hop),
	    BORROW_DOWN);
	sent_away++;
}

/* Who waits for a host that turns out to be down need not wait on. */
START_TEST(down_while_others_wait)
{
	struct peer p = {.faults = {{"GREETING", FAULT_CLOSE}}};
	struct fixture f;
	struct fixture_task t = {&f, want_in_vain};
	bool tried = false;

	fixture_init(&f);
	f.route.set.max_connections = 1;
	open_host(&f, &p);
	for (int i = 0; i < 5; i++)
		ck_assert(task_spawn(f.loop, fixture_run_task, &t));
	loop_run(f.loop);
	ck_assert_int_eq(sent_away, 5);
	ck_assert_uint_eq(host->open, 0);
	ck_assert(!host_is_up(host));
	ck_assert_ptr_null(host_choose(&f.routes->states[0], &tried, NULL));
	/* After a while one may try, and only one. */
	host->down_until_us = loop_now_us(f.loop);
	ck_assert_ptr_eq(host_choose(&f.routes->states[0], &tried, NULL), host);
	ck_assert_ptr_null(host_choose(&f.routes->states[0], &tried, NULL));
	fixture_close(&f);
	peer_stop(&p);
	ck_assert_int_eq(p.connections, 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("pool");
	TCase *t = tcase_create("pool");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_set_timeout(t, 60);
	tcase_add_test(t, reuse);
	tcase_add_loop_test(t, first_come_first_served, 0, 2);
	tcase_add_test(t, waiting_ends);
	tcase_add_test(t, idle_ones_are_closed);
	tcase_add_test(t, no_more_than_max_idle);
	tcase_add_test(t, closed_while_idle);
	tcase_add_test(t, one_connection_too_many);
	tcase_add_test(t, down_while_others_wait);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
