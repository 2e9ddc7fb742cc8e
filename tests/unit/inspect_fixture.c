/* A real zygote with real inspectors, and a zone in place of the DNS. */
#include "tests/unit/inspect_fixture.h"

#include "shm/base/clock.h"
#include "shm/base/log.h"
#include "worker/io/task.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- The zone */

void zone_add(struct zone *z, const char *name, uint16_t type, uint16_t preference,
	      const char *text, size_t n)
{
	struct zone_record *r;

	if (!z->records)
		z->records = calloc(ZONE_RECORDS_MAX, sizeof(*z->records));
	ck_assert(z->records && z->count < ZONE_RECORDS_MAX);
	r = &z->records[z->count++];
	memset(r, 0, sizeof(*r));
	ck_assert_uint_lt(n, sizeof(r->text));
	snprintf(r->name, sizeof(r->name), "%s", name);
	memcpy(r->text, text, n);
	r->type = type;
	r->record.preference = preference;
	r->record.text = text_make(r->text, n);
	if (type == DNS_A || type == DNS_AAAA)
		ck_assert(ip_parse(text_make(text, n), &r->record.ip));
}

void zone_txt(struct zone *z, const char *name, const char *text)
{
	zone_add(z, name, DNS_TXT, 0, text, strlen(text));
}

void zone_clear(struct zone *z)
{
	free(z->records);
	*z = (struct zone){0};
}

static bool is_name(const struct zone_record *r, struct text name)
{
	return text_ieq(text_of(r->name), name);
}

static const struct zone_record *cname_of(const struct zone *z, struct text name)
{
	for (size_t i = 0; i < z->count; i++) {
		if (z->records[i].type == DNS_CNAME && is_name(&z->records[i], name))
			return &z->records[i];
	}
	return NULL;
}

void zone_ask(const struct zone *z, struct text name, uint16_t type, struct arena *a,
	      struct dns_answer *out)
{
	struct dns_record *records = arena_alloc(a, (z->count + 1) * sizeof(*records));
	bool there = false, times_out = false;
	const struct zone_record *cname;

	*out = (struct dns_answer){.status = DNS_SERVFAIL, .records = records};
	for (int hops = 0; (cname = cname_of(z, name)); hops++) {
		if (hops == 8)
			return;
		name = cname->record.text;
	}
	for (size_t i = 0; i < z->count; i++) {
		const struct zone_record *r = &z->records[i];

		if (!is_name(r, name))
			continue;
		there = true;
		times_out = times_out || r->type == 0;
		if (r->type == type)
			records[out->count++] = r->record;
	}
	if (out->count > 0)
		out->status = DNS_OK;
	else if (times_out)
		out->status = DNS_TIMEOUT;
	else
		out->status = there ? DNS_NODATA : DNS_NXDOMAIN;
}

static void look_up(void *self, struct inspect_query *queries, size_t n, struct arena *a,
		    int64_t deadline_us)
{
	struct inspect_fixture *f = self;

	(void)deadline_us;
	f->look_ups++;
	f->queries += (unsigned)n;
	for (size_t i = 0; i < n; i++)
		zone_ask(&f->zone, queries[i].name, queries[i].type, a, &queries[i].answer);
}

/* ---- The zygote */

void inspect_fixture_zygote(struct inspect_fixture *f, unsigned inspectors)
{
	const struct zygote_options o = {
	    .inspectors = inspectors,
	    .memory_bytes = 256U << 20,
	    .user = LIT("gatepost-jail"),
	    .serve_fd = f->pair[1],
	    .status_fd = f->status_fd,
	};

	f->zygote = fork();
	ck_assert_int_ge(f->zygote, 0);
	if (f->zygote == 0) {
		log_open(LOG_TO_STDERR, "zygote");
		log_set_level(LOG_LEVEL_ERROR);
		close(f->pair[0]);
		_exit(zygote_run(&o));
	}
}

void inspect_fixture_start(struct inspect_fixture *f, unsigned inspectors)
{
	struct inspect_options o = {0};

	*f = (struct inspect_fixture){0};
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, f->pair), 0);
	f->status_fd = zygote_status_create(&f->status);
	ck_assert_int_ge(f->status_fd, 0);
	arena_init(&f->arena, NULL, NULL);
	f->loop = loop_new();
	ck_assert_ptr_nonnull(f->loop);
	o.fd = f->pair[0];
	f->inspect = inspect_open(f->loop, &o);
	ck_assert_ptr_nonnull(f->inspect);
	if (inspectors > 0)
		inspect_fixture_zygote(f, inspectors);
}

void inspect_fixture_stop(struct inspect_fixture *f)
{
	int status;

	if (f->zygote > 0) {
		kill(f->zygote, SIGTERM);
		ck_assert_int_eq(waitpid(f->zygote, &status, 0), f->zygote);
		ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x", status);
	}
	inspect_close(f->inspect);
	loop_free(f->loop);
	close(f->pair[0]);
	close(f->pair[1]);
	close(f->status_fd);
	munmap(f->status, 4096);
	zone_clear(&f->zone);
	arena_reset(&f->arena);
}

unsigned inspect_fixture_inspectors(const struct inspect_fixture *f, pid_t pids[INSPECTORS_MAX])
{
	char path[64];
	unsigned n = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)f->zygote, (int)f->zygote);
	file = fopen(path, "r");
	ck_assert_ptr_nonnull(file);
	while (n < INSPECTORS_MAX && fscanf(file, "%d", &pids[n]) == 1)
		n++;
	fclose(file);
	return n;
}

void inspect_fixture_await(const struct inspect_fixture *f, unsigned inspectors)
{
	const int64_t end = clock_mono_us() + 10 * SECOND_US;

	while (atomic_load(&f->status->inspectors) != inspectors) {
		ck_assert_int_lt(clock_mono_us(), end);
		usleep(2000);
	}
}

/* ---- Asking */

static struct spf_question question_of(const char *client, const char *helo, const char *sender)
{
	struct spf_question q = {
	    .identity = SPF_MAILFROM,
	    .helo = text_of(helo),
	    .domain = text_of(helo),
	    .receiver = LIT("mx1.test"),
	    .now_s = 1700000000,
	};
	const char *at = strrchr(sender, '@');

	ck_assert(ip_parse(text_of(client), &q.client));
	if (at) {
		q.local = text_make(sender, (size_t)(at - sender));
		q.domain = text_of(at + 1);
	}
	return q;
}

struct inspect_outcome inspect_fixture_spf(struct inspect_fixture *f, const char *client,
					   const char *helo, const char *sender, int64_t timeout_us,
					   struct spf_result *r)
{
	const struct spf_question q = question_of(client, helo, sender);
	char *bytes = arena_alloc(&f->arena, 4096);
	struct buf body = buf_over(bytes, 4096);

	ck_assert(spf_question_put(&body, &q));
	const struct inspect_request rq = {
	    .type = QUESTION_SPF,
	    .body = buf_view(&body),
	    .message_fd = -1,
	    .deadline_us = loop_now_us(f->loop) + timeout_us,
	    .queries_max = SPF_QUERIES_MAX,
	    .look_up = look_up,
	    .look_up_self = f,
	};
	const struct inspect_outcome out = inspect_ask(f->inspect, &rq, &f->arena);

	*r = (struct spf_result){0};
	if (out.result == INSPECT_ANSWERED)
		ck_assert(spf_answer_get(out.body, r));
	return out;
}

struct one {
	struct inspect_fixture *f;
	const char *client, *helo, *sender;
	struct spf_result *r;
	struct inspect_outcome out;
};

static void ask_one(void *arg)
{
	struct one *o = arg;

	o->out = inspect_fixture_spf(o->f, o->client, o->helo, o->sender, 10 * SECOND_US, o->r);
	loop_stop(o->f->loop);
}

struct inspect_outcome inspect_fixture_ask_spf(struct inspect_fixture *f, const char *client,
					       const char *helo, const char *sender,
					       struct spf_result *r)
{
	struct one o = {f, client, helo, sender, r, {0}};

	ck_assert(task_spawn(f->loop, ask_one, &o));
	loop_run(f->loop);
	return o.out;
}
