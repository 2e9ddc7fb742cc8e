/* What a question to the DNS costs a worker, beside a resolver on loopback that answers at once:
 * CPU of the asking thread, and time until the answer.  What an answer cache could save is the sum.
 *
 * Prints one figure a line. */
#include "shm/base/clock.h"
#include "worker/io/dns.h"
#include "worker/io/dns_message.h"
#include "worker/io/task.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { QUESTIONS = 40000, AT_ONCE_MAX = 64, MESSAGES = 200000 };

static struct loop *loop;
static struct resolver *resolver;
static size_t at_once;
static char address[32];

/* One TXT record of 60 bytes for whatever is asked. */
static size_t answer(uint8_t *b, size_t n)
{
	static const uint8_t head[] = {0xc0, 0x0c, 0, 16, 0, 1, 0, 0, 1, 0, 0, 61, 60};
	size_t at = 12;

	while (at < n && b[at])
		at += b[at] + 1U;
	at += 5;
	b[2] = 0x81;
	b[3] = 0x80;
	b[7] = 1;
	b[11] = 0;
	memcpy(b + at, head, sizeof(head));
	memset(b + at + sizeof(head), 'x', 60);
	return at + sizeof(head) + 60;
}

static void serve(int fd)
{
	uint8_t b[2048];
	struct sockaddr_in from;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		socklen_t len = sizeof(from);
		const ssize_t n = recvfrom(fd, b, sizeof(b), 0, (struct sockaddr *)&from, &len);

		if (n > 16)
			(void)!sendto(fd, b, answer(b, (size_t)n), 0, (struct sockaddr *)&from,
				      len);
	}
}

static uint16_t start_server(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&a, len) != 0 ||
	    getsockname(fd, (struct sockaddr *)&a, &len) != 0)
		exit(1);
	if (fork() == 0)
		serve(fd);
	close(fd);
	return ntohs(a.sin_port);
}

static int64_t cpu_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * SECOND_US + t.tv_nsec / 1000;
}

static void ask(void *arg)
{
	struct dns_query *q[AT_ONCE_MAX];
	unsigned lost = 0;
	const int64_t cpu = cpu_us(), start = clock_mono_us();

	(void)arg;
	for (unsigned i = 0; i < QUESTIONS / at_once; i++) {
		for (size_t k = 0; k < at_once; k++)
			q[k] =
			    dns_start(resolver, LIT("selector1._domainkey.example.org"), DNS_TXT);
		for (size_t k = 0; k < at_once; k++) {
			lost += dns_await(q[k], NEVER_US)->status != DNS_OK;
			dns_free(q[k]);
		}
	}
	printf("a question, %2zu at once        %7.2f us of CPU, %7.2f us in all, %u unanswered\n",
	       at_once, (double)(cpu_us() - cpu) / QUESTIONS,
	       (double)(clock_mono_us() - start) / QUESTIONS, lost);
	loop_stop(loop);
}

static void open_resolver(size_t cache_entries)
{
	char message[256];
	struct buf err = buf_over(message, sizeof(message));
	const struct text server = text_of(address);
	const struct resolver_options o = {.servers = &server,
					   .server_count = 1,
					   .timeout_us = 10 * SECOND_US,
					   .cache_entries = cache_entries};

	resolver = resolver_open(loop, &o, &err);
	if (!resolver)
		exit(1);
}

static void bench_messages(void)
{
	const struct text name = LIT("selector1._domainkey.example.org");
	uint8_t b[2048];
	size_t n = 0;
	int64_t cpu = cpu_us();

	for (int i = 0; i < MESSAGES; i++) {
		uint8_t *wire = dns_message_ask(name, DNS_TXT, 1, &n);

		memcpy(b, wire, n);
		free(wire);
	}
	printf("... of it, making the question %7.2f us\n", (double)(cpu_us() - cpu) / MESSAGES);
	n = answer(b, n);
	cpu = cpu_us();
	for (int i = 0; i < MESSAGES; i++)
		free(dns_message_read(b, n, name, DNS_TXT));
	printf("... and reading the answer     %7.2f us\n", (double)(cpu_us() - cpu) / MESSAGES);
}

int main(void)
{
	snprintf(address, sizeof(address), "127.0.0.1:%u", start_server());
	loop = loop_new();
	if (!loop)
		return 1;
	open_resolver(0);
	for (at_once = 1; at_once <= AT_ONCE_MAX; at_once *= 8) {
		task_spawn(loop, ask, NULL);
		loop_run(loop);
	}
	resolver_close(resolver);
	bench_messages();
	puts("with a cache in the worker:");
	open_resolver(1024);
	at_once = 8;
	task_spawn(loop, ask, NULL);
	loop_run(loop);
	resolver_close(resolver);
	loop_free(loop);
	return 0;
}
