/* What a question of SPF costs: CPU of the worker and of the inspector, and the time until the
 * answer, for a record that includes two others (two rounds), with a DNS that answers at once.
 *
 * Prints one figure a line. */
#include "shm/base/clock.h"
#include "worker/inspect/ask.h"
#include "worker/inspect/inspector.h"
#include "worker/inspect/spf.h"
#include "worker/io/task.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { QUESTIONS = 20000 };

static struct loop *loop;
static struct inspect *asking;
static unsigned left, running, wrong;

static const struct {
	struct text name;
	struct dns_record record;
} zone[] = {
    {LIT("example.org"), {.text = LIT("v=spf1 include:a.example.org include:b.example.org -all")}},
    {LIT("a.example.org"), {.text = LIT("v=spf1 ip4:198.51.100.0/24 ip4:203.0.113.0/24 ~all")}},
    {LIT("b.example.org"), {.text = LIT("v=spf1 ip6:2001:db8::/32 ip4:192.0.2.0/24 ~all")}},
};

static void look_up(void *self, struct inspect_query *queries, size_t n, struct arena *a,
		    int64_t deadline_us)
{
	(void)self;
	(void)a;
	(void)deadline_us;
	for (size_t i = 0; i < n; i++) {
		queries[i].answer.status = DNS_NXDOMAIN;
		for (size_t k = 0; k < 3; k++) {
			if (text_eq(queries[i].name, zone[k].name))
				queries[i].answer = (struct dns_answer){
				    .status = DNS_OK, .records = &zone[k].record, .count = 1};
		}
	}
}

static void ask_one(void)
{
	const struct spf_question q = {.client = {{[10] = 0xff, 0xff, 192, 0, 2, 1}},
				       .helo = LIT("mx.example.org"),
				       .local = LIT("ann"),
				       .domain = LIT("example.org"),
				       .receiver = LIT("mx1.example.net")};
	char bytes[1024];
	struct buf body = buf_over(bytes, sizeof(bytes));
	const struct need record = {q.domain, DNS_TXT};
	struct spf_result r = {0};
	struct arena a;

	arena_init(&a, NULL, NULL);
	spf_question_put(&body, &q);
	const struct inspect_outcome o =
	    inspect_ask(asking,
			&(struct inspect_request){.type = QUESTION_SPF,
						  .body = buf_view(&body),
						  .message_fd = -1,
						  .deadline_us = loop_now_us(loop) + 10 * SECOND_US,
						  .look_up = look_up,
						  .first = &record,
						  .first_count = 1},
			&a);
	if (o.result != INSPECT_ANSWERED || !spf_answer_get(o.body, &r) || r.code != SPF_PASS)
		wrong++;
	arena_reset(&a);
}

static void ask_many(void *arg)
{
	(void)arg;
	while (left > 0) {
		left--;
		ask_one();
	}
	if (--running == 0)
		loop_stop(loop);
}

static double cpu_us(int who)
{
	struct rusage u;

	getrusage(who, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static void measure(unsigned at_once)
{
	const double cpu = cpu_us(RUSAGE_SELF);
	const int64_t start = clock_mono_us();

	left = QUESTIONS;
	running = at_once;
	for (unsigned i = 0; i < at_once; i++)
		task_spawn(loop, ask_many, NULL);
	loop_run(loop);
	const double us = (double)(clock_mono_us() - start);
	printf("%u at once: %.1f us a question, of it %.1f us of the worker's CPU\n", at_once,
	       us / QUESTIONS, (cpu_us(RUSAGE_SELF) - cpu) / QUESTIONS);
}

int main(void)
{
	static struct inspector_page page;
	struct inspect_options o = {0};
	int pair[2];
	unsigned done = 0;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) != 0)
		return 1;
	/* As often as it retires. */
	for (;;) {
		const pid_t pid = fork();

		if (pid == 0) {
			close(pair[0]);
			inspector_run(pair[1], &page);
		}
		if (++done == 8)
			break;
	}
	close(pair[1]);
	loop = loop_new();
	o.fd = pair[0];
	asking = inspect_open(loop, &o);
	if (!loop || !asking)
		return 1;
	measure(1);
	measure(32);
	inspect_close(asking);
	loop_free(loop);
	close(pair[0]);
	while (wait(NULL) > 0)
		;
	printf("the inspector's CPU: %.1f us a question; %u wrong answers\n",
	       cpu_us(RUSAGE_CHILDREN) / (2 * QUESTIONS), wrong);
	return wrong > 0;
}
