/* Accepting: bounded bursts, pausing, and what happens when descriptors run out. */
#include "worker/io/accept.h"

#include "worker/io/task.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MS INT64_C(1000)

static struct loop *loop;
static struct acceptor acceptor;
static struct sockaddr_in address;
static int listener;
static int accepted[200], count, exhausted, pause_at;

static void on_connection(void *arg, int fd, const struct sockaddr *peer, socklen_t len)
{
	ck_assert_ptr_eq(arg, &count);
	ck_assert_int_eq(peer->sa_family, AF_INET);
	ck_assert_uint_eq(len, sizeof(struct sockaddr_in));
	ck_assert(fcntl(fd, F_GETFL) & O_NONBLOCK);
	ck_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	accepted[count++] = fd;
	if (count == pause_at)
		acceptor_pause(&acceptor);
}

static void on_exhausted(void *arg, int fd)
{
	(void)arg;
	exhausted++;
	send(fd, "421\r\n", 5, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static const struct acceptor_ops ops = {on_connection, on_exhausted};

static void setup(void)
{
	socklen_t len = sizeof(address);

	loop = loop_new();
	ck_assert_ptr_nonnull(loop);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	address = (struct sockaddr_in){.sin_family = AF_INET};
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(listen(listener, 128), 0);
	ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &len), 0);
	count = exhausted = 0;
	pause_at = -1;
	ck_assert(acceptor_init(&acceptor, loop, listener, &ops, &count));
}

static void teardown(void)
{
	acceptor_close(&acceptor);
	acceptor_close(&acceptor);
	while (count > 0)
		close(accepted[--count]);
	close(listener);
	loop_free(loop);
}

static void stop(void *arg)
{
	(void)arg;
	loop_stop(loop);
}

static void run_for(int64_t us)
{
	struct timer t = {0};

	timer_set(loop, &t, loop_now_us(loop) + us, stop, NULL);
	loop_run(loop);
}

/* Until so many have been accepted; a busy machine may let us wait. */
static void run_until(int n)
{
	for (int i = 0; i < 1000 && count < n; i++)
		run_for(10 * MS);
	ck_assert_int_eq(count, n);
}

static int dial(void)
{
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

START_TEST(a_burst_is_accepted)
{
	int fds[100];

	for (int i = 0; i < 100; i++)
		fds[i] = dial();
	run_until(100);
	ck_assert_uint_eq(acceptor.accepted, 100);
	for (int i = 0; i < 100; i++)
		close(fds[i]);
}
END_TEST

START_TEST(a_worker_at_its_limit_takes_no_more)
{
	int fds[6];

	pause_at = 4;
	for (int i = 0; i < 6; i++)
		fds[i] = dial();
	run_until(4);
	run_for(10 * MS);
	ck_assert_int_eq(count, 4);
	acceptor_pause(&acceptor);
	acceptor_resume(&acceptor);
	acceptor_resume(&acceptor);
	run_until(6);
	for (int i = 0; i < 6; i++)
		close(fds[i]);
}
END_TEST

/* The listener is woken for one worker only; if that one does nothing, another looks by itself. */
START_TEST(a_wake_up_that_somebody_lost_is_found)
{
	const int fd = dial();

	loop_fd_remove(&acceptor.event); /* as if the wake-up had gone to another worker */
	run_for(100 * MS);
	ck_assert_int_eq(count, 0);
	run_until(1);
	close(fd);
}
END_TEST

static int open_until_full(int fds[], int max)
{
	int n = 0;

	while (n < max && (fds[n] = dup(0)) >= 0)
		n++;
	ck_assert_int_eq(errno, EMFILE);
	return n;
}

static void without_descriptors(void)
{
	const struct rlimit limit = {64, 64};
	int fds[64], clients[20];
	char reply[10];

	for (int i = 0; i < 20; i++)
		clients[i] = dial();
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	const int n = open_until_full(fds, 64);
	const clock_t cpu = clock();

	for (int i = 0; i < 100 && exhausted < 20; i++)
		run_for(100 * MS);
	run_for(350 * MS);
	ck_assert_int_eq(count, 0);
	ck_assert_int_eq(exhausted, 20);
	ck_assert_int_le(clock() - cpu, CLOCKS_PER_SEC / 10); /* it doesn't spin */
	for (int i = 0; i < 20; i++) {
		ck_assert_int_eq(recv(clients[i], reply, sizeof(reply), 0), 5);
		ck_assert_int_eq(recv(clients[i], reply, sizeof(reply), 0), 0);
		close(clients[i]);
	}
	for (int i = 0; i < n; i++)
		close(fds[i]);
	clients[0] = dial();
	run_until(1);
	ck_assert_int_eq(exhausted, 20);
	ck_assert_int_ge(acceptor.reserve_fd, 0);
	close(clients[0]);
}

/* Each test is a forked child, so the limit is its own. */
START_TEST(without_descriptors_it_says_so_and_comes_back)
{
	without_descriptors();
}
END_TEST

/* Somebody else took the reserve's place: nobody is answered, nothing spins, and it comes back. */
START_TEST(without_a_reserve_it_rests)
{
	const struct rlimit limit = {64, 64};
	int fds[64];
	const int client = dial();

	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	close(acceptor.reserve_fd);
	acceptor.reserve_fd = -1;
	const int n = open_until_full(fds, 64);
	const clock_t cpu = clock();

	run_for(300 * MS);
	ck_assert_int_eq(count + exhausted, 0);
	ck_assert_int_le(clock() - cpu, CLOCKS_PER_SEC / 10);
	for (int i = 0; i < n; i++)
		close(fds[i]);
	run_until(1);
	ck_assert_int_ge(acceptor.reserve_fd, 0);
	close(client);
}
END_TEST

START_TEST(a_bad_descriptor_is_refused)
{
	struct acceptor bad;

	ck_assert(!acceptor_init(&bad, loop, -1, &ops, NULL));
	ck_assert_int_eq(errno, EBADF);
	acceptor_close(&bad);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("accept");
	TCase *t = tcase_create("accept");

	tcase_set_timeout(t, 30);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_burst_is_accepted);
	tcase_add_test(t, a_worker_at_its_limit_takes_no_more);
	tcase_add_test(t, a_wake_up_that_somebody_lost_is_found);
	tcase_add_test(t, without_descriptors_it_says_so_and_comes_back);
	tcase_add_test(t, without_a_reserve_it_rests);
	tcase_add_test(t, a_bad_descriptor_is_refused);
	suite_add_tcase(s, t);

	SRunner *sr = srunner_create(s);

	srunner_run_all(sr, CK_NORMAL);
	const int failed = srunner_ntests_failed(sr);

	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
