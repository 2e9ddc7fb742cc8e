/* The worker's side of a login by the auth process: a queue that is full, answers that don't come
 * or are none, and a process that dies of the question. */
#include "worker/auth/login.h"

#include "worker/auth/message.h"
#include "worker/io/task.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define MS INT64_C(1000)

static struct loop *loop;
static struct logins *logins;
static int pair[2]; /* [0] asks, [1] is the auth process's */
static struct fd_event served;
static struct session session;
static int64_t patience_us;
static struct {
	unsigned all, yes, full, late, died, nonsense;
} seen;

static void start(void)
{
	loop = loop_new();
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
	logins = logins_open(loop, &(struct logins_options){.auth_fd = pair[0], .mechanisms = 7});
	ck_assert(loop && logins);
	ck_assert_uint_eq(logins_mechanisms(logins), 7);
	memset(&seen, 0, sizeof(seen));
	patience_us = 10000 * MS;
}

static void stop(void)
{
	loop_fd_remove(&served);
	logins_close(logins);
	close(pair[0]);
	if (pair[1] >= 0)
		close(pair[1]);
	loop_free(loop);
}

static void stop_loop(void *arg)
{
	(void)arg;
	loop_stop(loop);
}

static void cancel_all(void *arg)
{
	(void)arg;
	task_cancel_all(loop);
}

static void one_login(void *arg)
{
	struct arena none;
	struct login *l;
	struct login_answer a;

	(void)arg;
	arena_init(&none, NULL, NULL);
	l = login_new(logins, &none);
	a = login_begin(l,
			&(struct login_question){.mechanism = MECHANISM_PLAIN,
						 .login = LIT("ann@x"),
						 .secret = LIT("secret"),
						 .session = &session,
						 .deadline_us = loop_now_us(loop) + patience_us});
	const struct text why = text_of(a.why);

	seen.all++;
	seen.yes += a.result == LOGIN_YES;
	ck_assert(a.result == LOGIN_YES || a.result == LOGIN_AWAY);
	seen.full += text_eq(why, LIT("the queue of the auth process is full"));
	seen.late += text_eq(why, LIT("the auth process did not answer in time"));
	seen.died += text_eq(why, LIT("the auth process died of it"));
	seen.nonsense += text_eq(why, LIT("the auth process answered nonsense"));
	login_free(l);
	if (task_count(loop) == 1)
		loop_stop(loop);
}

static void run(unsigned logins_at_once)
{
	for (unsigned i = 0; i < logins_at_once; i++)
		ck_assert(task_spawn(loop, one_login, NULL));
	loop_run(loop);
	ck_assert_uint_eq(seen.all, logins_at_once);
}

/* Takes a question and gives the reply descriptor; the question must be well-formed. */
static int take(void)
{
	char room[AUTH_REQUEST_MAX];
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = {room, sizeof(room)};
	struct msghdr m = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = control.room,
			   .msg_controllen = sizeof(control.room)};
	struct auth_request rq;
	const ssize_t n = recvmsg(pair[1], &m, 0);
	int fd = -1;

	if (n <= 0)
		return -1;
	ck_assert(auth_request_get(text_make(room, (size_t)n), &rq));
	ck_assert(rq.kind == AUTH_PASSWORD && text_eq(rq.login, LIT("ann@x")) &&
		  text_eq(rq.secret, LIT("secret")));
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(fd));
	return fd;
}

static void say_yes(void *arg, uint32_t events)
{
	char room[AUTH_REPLY_MAX + 1];
	struct buf b = buf_over(room, sizeof(room));
	const int fd = take();

	(void)arg;
	(void)events;
	ck_assert(
	    auth_reply_put(&b, &(struct auth_reply){.verdict = AUTH_YES, .login = LIT("ann@x")}));
	ck_assert_int_eq(send(fd, b.p, b.n, 0), (int)b.n);
	close(fd);
}

static void say_nonsense(void *arg, uint32_t events)
{
	const int fd = take();

	(void)arg;
	(void)events;
	ck_assert_int_eq(send(fd, "\2nonsense", 9, 0), 9);
	close(fd);
}

static void die(void *arg, uint32_t events)
{
	(void)arg;
	(void)events;
	close(take());
}

START_TEST(many_are_answered)
{
	ck_assert(loop_fd_add(loop, &served, pair[1], EPOLLIN, say_yes, NULL));
	run(100);
	ck_assert_uint_eq(seen.yes, 100);
}
END_TEST

START_TEST(nonsense)
{
	ck_assert(loop_fd_add(loop, &served, pair[1], EPOLLIN, say_nonsense, NULL));
	run(10);
	ck_assert_uint_eq(seen.nonsense, 10);
}
END_TEST

START_TEST(it_dies_of_it)
{
	ck_assert(loop_fd_add(loop, &served, pair[1], EPOLLIN, die, NULL));
	run(10);
	ck_assert_uint_eq(seen.died, 10);
}
END_TEST

/* Nobody takes the questions: who finds the queue full is told at once, the others in the end. */
START_TEST(full_queue)
{
	const int64_t begin = loop_now_us(loop);

	patience_us = 300 * MS;
	run(600);
	ck_assert(seen.full > 0 && seen.late > 0);
	ck_assert_uint_eq(seen.full + seen.late, 600);
	ck_assert(loop_now_us(loop) - begin < 30000 * MS);
}
END_TEST

/* What was queued is answered by the next process. */
START_TEST(queued_for_the_next)
{
	for (unsigned i = 0; i < 5; i++)
		ck_assert(task_spawn(loop, one_login, NULL));
	struct timer t = {0};

	timer_set(loop, &t, loop_now_us(loop) + 20 * MS, stop_loop, NULL);
	loop_run(loop);
	ck_assert_uint_eq(seen.all, 0);
	ck_assert(loop_fd_add(loop, &served, pair[1], EPOLLIN, say_yes, NULL));
	loop_run(loop);
	ck_assert_uint_eq(seen.yes, 5);
}
END_TEST

START_TEST(cancelled)
{
	ck_assert(task_spawn(loop, one_login, NULL));
	struct timer t = {0};

	timer_set(loop, &t, loop_now_us(loop) + 20 * MS, cancel_all, NULL);
	loop_run(loop);
	ck_assert_uint_eq(seen.all, 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("login_ask");
	TCase *tc = tcase_create("login_ask");
	SRunner *sr = srunner_create(s);

	tcase_add_checked_fixture(tc, start, stop);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, many_are_answered);
	tcase_add_test(tc, nonsense);
	tcase_add_test(tc, it_dies_of_it);
	tcase_add_test(tc, full_queue);
	tcase_add_test(tc, queued_for_the_next);
	tcase_add_test(tc, cancelled);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
