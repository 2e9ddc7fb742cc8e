/* A worker's surroundings for the tests of worker/delivery: loop, threads, one route, one session.
 */
#ifndef TESTS_UNIT_DELIVERY_FIXTURE_H
#define TESTS_UNIT_DELIVERY_FIXTURE_H

#include "hop_peer.h"
#include "shm/base/clock.h"
#include "shm/base/log.h"
#include "worker/delivery/delivery.h"
#include "worker/io/task.h"

#include <fcntl.h>

#define FIXTURE_HOSTS 3

struct fixture {
	struct loop *loop;
	struct offload *offload;
	struct process_slot slot;
	struct config config;
	struct route route;
	struct hop_address hosts[FIXTURE_HOSTS];
	struct routes *routes;
	struct spool_place place;
	struct arena arena;
	struct session session;
	struct transaction tx;
	struct recipient recipients[4];
};

static inline struct mailbox fixture_mailbox(const char *whole)
{
	struct mailbox m = {.whole = text_of(whole)};

	text_split(m.whole, '@', &m.local, &m.domain);
	return m;
}

/* A route to `hosts`, set to short ways and long waits; change it before fixture_open(). */
static inline void fixture_init(struct fixture *f)
{
	*f = (struct fixture){0};
	log_set_level(LOG_LEVEL_ERROR);
	f->route.set.name = LIT("test");
	f->route.set.connect_timeout = f->route.set.reply_timeout = 20 * SECOND_US;
	f->route.set.final_timeout = 20 * SECOND_US;
	f->route.set.max_connections = 10;
	f->route.set.max_idle = 10;
	f->route.set.idle_timeout = 30 * SECOND_US;
	f->route.set.retry_down = 60 * SECOND_US;
	f->route.hosts = f->hosts;
	f->config.routes = &f->route;
	f->config.route_count = 1;
	f->config.global.hostname = LIT("edge.test");
	f->config.global.recipient_delimiter = LIT("+");
	arena_init(&f->arena, NULL, NULL);
	arena_init(&f->tx.arena, NULL, NULL);
	f->session.arena = &f->arena;
	f->session.config = &f->config;
	f->session.tx = &f->tx;
	f->session.helo = LIT("client.test");
	f->session.esmtp = true;
	f->session.client_port = 4711;
	strcpy(f->session.id, "S1");
	ip_parse(LIT("192.0.2.7"), &f->session.client);
	f->tx.from = fixture_mailbox("sender@example.org");
	f->tx.recipients = f->recipients;
}

static inline void fixture_host(struct fixture *f, const struct peer *p)
{
	struct hop_address *h = &f->hosts[f->route.host_count++];

	h->kind = HOP_SMTP;
	h->name = LIT("smtp://hop.test");
	ip_parse(LIT("127.0.0.1"), &h->ip);
	h->port = p->port;
}

static inline void fixture_recipient(struct fixture *f, const char *whole)
{
	f->recipients[f->tx.recipient_count++] =
	    (struct recipient){.mailbox = fixture_mailbox(whole), .route = &f->route};
}

static inline void fixture_open(struct fixture *f)
{
	char text[256];
	struct buf err = buf_over(text, sizeof(text));

	f->loop = loop_new();
	ck_assert_ptr_nonnull(f->loop);
	f->offload = offload_new(f->loop, 2);
	ck_assert_ptr_nonnull(f->offload);
	f->place = (struct spool_place){.offload = f->offload,
					.dir_fd = open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC),
					.memory_each = 1 << 20,
					.memory_total = 64 << 20};
	f->routes = routes_open(f->loop, &f->config, f->offload, &f->slot, &err);
	ck_assert_msg(f->routes != NULL, "%s", text);
}

static inline void fixture_close(struct fixture *f)
{
	ck_assert_uint_eq(task_count(f->loop), 0);
	routes_close(f->routes);
	spool_place_clear(&f->place);
	ck_assert_uint_eq(f->place.memory_used, 0);
	close(f->place.dir_fd);
	offload_free(f->offload);
	loop_free(f->loop);
	arena_reset(&f->arena);
	arena_reset(&f->tx.arena);
}

/* Runs fn(f) as a task, until all tasks have ended. */
struct fixture_task {
	struct fixture *f;
	void (*fn)(struct fixture *f);
};

static inline void fixture_run_task(void *arg)
{
	struct fixture_task *t = arg;

	t->fn(t->f);
	if (task_count(t->f->loop) == 1)
		loop_stop(t->f->loop);
}

static inline void fixture_run(struct fixture *f, void (*fn)(struct fixture *f))
{
	struct fixture_task t = {f, fn};

	ck_assert(task_spawn(f->loop, fixture_run_task, &t));
	loop_run(f->loop);
}

static inline struct spool *fixture_message(struct fixture *f, const void *p, size_t n)
{
	struct spool *s = spool_new(&f->place);

	ck_assert_ptr_nonnull(s);
	ck_assert_int_eq(spool_append(s, p, n), SPOOL_OK);
	return s;
}

#endif
