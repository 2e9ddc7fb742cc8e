/* A worker's system calls, in a child under the filter: what it needs works, what an attacker would
 * want fails with EPERM, also in a thread that was there before. */
#include "worker/seccomp.h"

#include "tests/unit/dns_peer.h"
#include "worker/io/dns.h"
#include "worker/io/task.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef GATEPOST_SANITIZED

int main(void)
{
	puts("SKIP: sanitizer builds run without the filter");
	puts("100%: Checks: 0, Failures: 0, Errors: 0");
	return EXIT_SUCCESS;
}

#else

static atomic_int closed;
static int in_thread = -1;

static void *thread(void *arg)
{
	(void)arg;
	while (!atomic_load(&closed))
		usleep(1000);
	in_thread = socket(AF_NETLINK, SOCK_RAW, 0) < 0 ? errno : 0;
	return NULL;
}

static void *nothing(void *arg)
{
	return arg;
}

static bool denied(long result)
{
	return result == -1 && errno == EPERM;
}

/* The number of the first thing that isn't as it should be, or 0. */
static int forbidden_things(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	const int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char *const argv[] = {"true", NULL};

	if (!denied(bind(s, (struct sockaddr *)&a, sizeof(a))))
		return 1;
	if (!denied(listen(s, 1)))
		return 2;
	if (!denied(execv("/bin/true", argv)))
		return 3;
	if (!denied(fork()))
		return 4;
	if (!denied(ptrace(PTRACE_TRACEME, 0, NULL, NULL)))
		return 5;
	if (!denied(socket(AF_PACKET, SOCK_RAW, 0)) || !denied(socket(AF_NETLINK, SOCK_RAW, 0)))
		return 6;
	if (!denied(setuid(0)) || !denied(chroot("/")))
		return 7;
	if (!denied(kill(getppid(), SIGTERM)))
		return 8;
	if (!denied(prctl(PR_SET_DUMPABLE, 1)))
		return 9;
	close(s);
	return 0;
}

static int needed_things(void)
{
	pthread_t t;
	int fd;

	if (pthread_create(&t, NULL, nothing, NULL) != 0 || pthread_join(t, NULL) != 0)
		return 20;
	fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, "x", 1) != 1 || fsync(fd) != 0 || close(fd) != 0)
		return 21;
	fd = epoll_create1(EPOLL_CLOEXEC);
	if (fd < 0 || close(fd) != 0)
		return 22;
	free(malloc(64 << 20));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return fd < 0 || close(fd) != 0 ? 23 : 0;
}

/* ---- The DNS: c-ares opens, connects and closes sockets under the filter */

static struct loop *loop;
static struct resolver *resolver;
static int dns_fault = 30;

static enum dns_status ask(const char *name)
{
	struct dns_query *q = dns_start(resolver, text_of(name), DNS_A);
	const enum dns_status status = dns_await(q, NEVER_US)->status;

	dns_free(q);
	return status;
}

static void ask_dns(void *arg)
{
	(void)arg;
	dns_fault = ask("a.test") != DNS_OK ? 31 : ask("cut.test") != DNS_OK ? 32 : 0;
	loop_stop(loop);
}

static bool open_resolver(uint16_t port, struct buf *err)
{
	char address[32];
	const int n = snprintf(address, sizeof(address), "127.0.0.1:%u", port);
	const struct text server = text_make(address, (size_t)n);
	const struct resolver_options o = {
	    .servers = &server, .server_count = 1, .timeout_us = 10000000};

	loop = loop_new();
	resolver = loop ? resolver_open(loop, &o, err) : NULL;
	return resolver != NULL;
}

static int resolves(void)
{
	if (!task_spawn(loop, ask_dns, NULL))
		return 33;
	loop_run(loop);
	resolver_close(resolver);
	loop_free(loop);
	return dns_fault;
}

static int child(uint16_t dns_port)
{
	char message[256];
	struct buf err = buf_over(message, sizeof(message));
	pthread_t before;
	int rc;

	pthread_create(&before, NULL, thread, NULL);
	if (!open_resolver(dns_port, &err))
		return 42;
	if (!worker_seccomp(&err)) {
		fprintf(stderr, "%s\n", message);
		return 40;
	}
	atomic_store(&closed, 1);
	pthread_join(before, NULL);
	if (in_thread != EPERM)
		return 41;
	rc = forbidden_things();
	if (rc == 0)
		rc = needed_things();
	return rc ? rc : resolves();
}

START_TEST(filter)
{
	struct dns_peer *peer = dns_peer_start();
	const pid_t pid = fork();
	int status;

	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		_exit(child(peer->port));
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	dns_peer_stop(peer);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x", status);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("seccomp");
	TCase *tc = tcase_create("seccomp");
	SRunner *sr = srunner_create(s);

	tcase_add_test(tc, filter);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
