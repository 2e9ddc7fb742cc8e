/* How many events a second one keeper takes from the rings to log and journal.
 *
 *   usage: bench_keeper [DIRECTORY]     (where the journal is kept; default /var/tmp) */
#include "shm/base/clock.h"
#include "shm/base/log.h"
#include "shm/event.h"
#include "shm/keeper.h"

#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 300000, RING_BYTES = 8 << 20, KEEPER_SLOT = SEGMENT_PROCESSES - 1 };

static struct segment seg;
static char dir[256];
static volatile sig_atomic_t told_to_stop;

static void on_term(int signal_number)
{
	(void)signal_number;
	told_to_stop = 1;
}

static bool stop(void)
{
	return told_to_stop;
}

static pid_t start_keeper(void)
{
	struct keeper_options o = {
	    .state_dir = dir, .process = KEEPER_SLOT, .lifeline_fd = -1, .stop = stop};
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	signal(SIGTERM, on_term);
	dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
	log_open(LOG_TO_STDERR, "keeper");
	_exit(keeper_run(&seg, &o));
}

static void moment(void)
{
	static const struct timespec time = {.tv_nsec = 100000};

	nanosleep(&time, NULL);
}

static void push(enum event_type type, uint64_t number)
{
	struct event e;

	event_begin(&e, type, clock_wall_us());
	event_text(&e, FIELD_session, text_of("1-4711"));
	event_text(&e, FIELD_helo, text_of("mout.example.org"));
	event_text(&e, FIELD_from, text_of("news@shop.example.org"));
	event_text(&e, FIELD_to, text_of("user17@example.net"));
	event_text(&e, FIELD_reply,
		   text_of("550 5.7.1 The IP address is on the list of banned IPs"));
	event_int(&e, FIELD_incident, (int64_t)number);
	event_int(&e, FIELD_tag, (int64_t)(number % 1000));
	for (int i = 0; type == EVENT_INCIDENT && i < 10; i++)
		event_text(&e, FIELD_ran, text_of("some-check passed 3 what it saw"));
	while (!ring_push(&seg.rings[number % 4], e.bytes, e.n, RING_MATTERS))
		moment();
	keeper_wake(&seg);
}

static void run(const char *what, enum event_type type)
{
	int64_t start = clock_mono_us();

	for (uint64_t i = 0; i < EVENTS; i++)
		push(type, i);
	for (int p = 0; p < 4; p++) {
		while (!ring_drained(&seg.rings[p]))
			moment();
	}
	printf("keeper, %-12s %10.0f events/s\n", what, EVENTS * 1e6 / (clock_mono_us() - start));
}

static int remove_one(const char *path, const struct stat *sb, int type, struct FTW *f)
{
	(void)sb;
	(void)type;
	(void)f;
	return remove(path);
}

int main(int argc, char **argv)
{
	static const struct siphash_key key = {1, 2};
	int status;

	snprintf(dir, sizeof(dir), "%s/gatepost-bench-XXXXXX", argc > 1 ? argv[1] : "/var/tmp");
	if (!mkdtemp(dir) || segment_create(1024, RING_BYTES, &key, &seg) < 0) {
		perror(dir);
		return 1;
	}
	pid_t keeper = start_keeper();

	run("messages", EVENT_MESSAGE);
	run("hits", EVENT_HIT);
	run("incidents", EVENT_INCIDENT);
	kill(keeper, SIGTERM);
	waitpid(keeper, &status, 0);
	nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return status != 0;
}
