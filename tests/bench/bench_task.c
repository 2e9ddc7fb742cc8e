/* What tasks cost: a switch, a start with its end, an idle one's memory, and a round trip over a
 * socket.
 *
 * Prints one figure a line.  Usage: bench_task [idle tasks] */
#include "shm/base/clock.h"
#include "worker/io/conn.h"
#include "worker/io/task.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define SWITCHES 2000000
#define STARTS   500000
#define TRIPS    200000

static struct loop *loop;
static int left;

static void yields(void *arg)
{
	(void)arg;
	for (int i = 0; i < SWITCHES / 100; i++)
		task_yield();
	if (task_count(loop) == 1)
		loop_stop(loop);
}

/* A hundred tasks take turns; a switch is there and back, with its share of the loop's rounds. */
static void bench_switch(void)
{
	for (int i = 0; i < 100; i++)
		task_spawn(loop, yields, NULL);
	const int64_t start = clock_mono_us();

	loop_run(loop);
	printf("switch to a task and back     %7.1f ns\n",
	       (double)(clock_mono_us() - start) * 1000 / SWITCHES);
}

static void ends(void *arg)
{
	(void)arg;
	if (--left > 0)
		task_spawn(loop, ends, NULL);
	else
		loop_stop(loop);
}

static void bench_start(void)
{
	left = STARTS;
	task_spawn(loop, ends, NULL);
	const int64_t start = clock_mono_us();

	loop_run(loop);
	printf("start and end of a task       %7.1f ns\n",
	       (double)(clock_mono_us() - start) * 1000 / STARTS);
}

static void asks(void *arg)
{
	struct conn *c = arg;
	struct text line;

	for (int i = 0; i < TRIPS; i++) {
		conn_put(c, "NOOP\r\n", 6);
		conn_getline(c, &line, 512, loop_now_us(loop) + 60 * SECOND_US);
	}
	conn_close(c);
}

static void answers(void *arg)
{
	struct conn *c = arg;
	struct text line;

	while (conn_getline(c, &line, 512, loop_now_us(loop) + 60 * SECOND_US) == CONN_OK)
		conn_put(c, "250 2.0.0 OK\r\n", 14);
	conn_close(c);
	loop_stop(loop);
}

static void bench_round_trip(void)
{
	struct conn conns[2];
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) < 0)
		return;
	conn_init(&conns[0], loop, pair[0]);
	conn_init(&conns[1], loop, pair[1]);
	task_spawn(loop, asks, &conns[0]);
	task_spawn(loop, answers, &conns[1]);
	const int64_t start = clock_mono_us();

	loop_run(loop);
	printf("command and reply, both ends  %7.1f ns\n",
	       (double)(clock_mono_us() - start) * 1000 / TRIPS);
}

static int statm; /* opened while there are descriptors */

static long resident_bytes(void)
{
	char s[128] = "";
	long pages = 0, size = 0;

	if (pread(statm, s, sizeof(s) - 1, 0) <= 0 || sscanf(s, "%ld %ld", &size, &pages) != 2)
		exit(1);
	return pages * sysconf(_SC_PAGESIZE);
}

struct idle {
	struct conn conn;
	int fd;
};

static void idles(void *arg)
{
	struct idle *s = arg;
	struct text line;

	if (!conn_init(&s->conn, loop, s->fd))
		return;
	conn_getline(&s->conn, &line, 512, loop_now_us(loop) + 300 * SECOND_US);
	conn_close(&s->conn);
}

static void parks(void *arg)
{
	(void)arg;
	task_park(NEVER_US);
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

static void end_all(void)
{
	task_cancel_all(loop);
	while (task_count(loop) > 0)
		run_for(1000);
}

static void bench_idle(int n)
{
	const long before = resident_bytes();

	for (int i = 0; i < n; i++)
		task_spawn(loop, parks, NULL);
	run_for(1000);
	printf("memory of an idle task        %7.0f bytes\n",
	       (double)(resident_bytes() - before) / n);
	end_all();
	printf("left of it when all have ended%7.0f bytes\n",
	       (double)(resident_bytes() - before) / n);
}

static void bench_idle_conns(int n)
{
	struct idle *all = calloc((size_t)n, sizeof(*all));
	int *peers = calloc((size_t)n, sizeof(*peers));
	int made = 0, pair[2];

	if (!all || !peers)
		exit(1);
	for (; made < n && socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0; made++) {
		all[made].fd = pair[0];
		peers[made] = pair[1];
	}
	if (made == 0)
		return;
	const long before = resident_bytes();

	for (int i = 0; i < made; i++)
		task_spawn(loop, idles, &all[i]);
	run_for(1000);
	printf("memory of one that waits for a line%2.0f bytes (of %d, its struct conn %zu)\n",
	       (double)(resident_bytes() - before) / made, made, sizeof(struct conn));
	end_all();
	for (int i = 0; i < made; i++)
		close(peers[i]);
	free(all);
	free(peers);
}

int main(int argc, char **argv)
{
	const int n = argc > 1 ? atoi(argv[1]) : 20000;

	statm = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	loop = loop_new();
	if (!loop || n <= 0)
		return 1;
	bench_idle(n);
	bench_idle_conns(n);
	bench_switch();
	bench_start();
	bench_round_trip();
	loop_free(loop);
	return 0;
}
