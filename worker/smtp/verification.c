/* One question for an address at a time (worker/smtp/verification.h). */
#include "worker/smtp/verification.h"

#include "shm/base/siphash.h"
#include "worker/io/task.h"
#include "worker/smtp/session.h"

#include <stdio.h>
#include <stdlib.h>

/* While the keeper is away: what is older is asked again. */
enum { DONE_MAX = 1024 };

/* On the stack of the task that waits. */
struct verification_waiter {
	struct verification_waiter *next;
	struct task *task;
	bool woken; /* taken out of the list, with an answer unless: */
	bool take_over;
	struct verify_answer answer;
};

struct verification {
	struct verification *next;      /* in its chain */
	struct verification *next_done; /* in the order in which they were done */
	struct verification_waiter *waiters;
	bool done;
	uint64_t position; /* of our ring: once the keeper is there, the store has the answer */
	struct verify_answer answer;
	enum verified_kind kind;
	size_t key_n;
	char key[LIST_KEY_MAX];
};

/* Whoever asks can't choose the chain: the key of the counters' hash is secret. */
static struct verification **chain_of(const struct smtp_session *ss, enum verified_kind kind,
				      struct text key)
{
	const uint64_t hash = siphash(&ss->server->seg->table.key, key.p, key.n) + kind;

	return &ss->server->verifications.chains[hash % VERIFICATION_CHAINS];
}

static struct verification **find(struct verification **chain, enum verified_kind kind,
				  struct text key)
{
	while (*chain &&
	       !((*chain)->kind == kind && text_eq(text_make((*chain)->key, (*chain)->key_n), key)))
		chain = &(*chain)->next;
	return chain;
}

static bool is_written(const struct smtp_session *ss, const struct verification *v)
{
	const struct smtp_server *sv = ss->server;

	return ring_tail(&sv->seg->rings[sv->process]) >= v->position;
}

static void drop(struct smtp_session *ss, struct verification *v)
{
	struct verification **link = chain_of(ss, v->kind, text_make(v->key, v->key_n));

	while (*link != v)
		link = &(*link)->next;
	*link = v->next;
	free(v);
}

static void drop_oldest(struct smtp_session *ss)
{
	struct verifications *all = &ss->server->verifications;
	struct verification *v = all->oldest;

	all->oldest = v->next_done;
	all->done_count--;
	drop(ss, v);
}

static void drop_written(struct smtp_session *ss)
{
	struct verifications *all = &ss->server->verifications;

	while (all->oldest && (is_written(ss, all->oldest) || all->done_count > DONE_MAX))
		drop_oldest(ss);
}

/* ---- waiting for another session's answer ---- */

static void add_waiter(struct verification *v, struct verification_waiter *w)
{
	w->next = v->waiters;
	v->waiters = w;
}

static void unlink_waiter(struct verification *v, const struct verification_waiter *gone)
{
	struct verification_waiter **link = &v->waiters;

	while (*link != gone)
		link = &(*link)->next;
	*link = gone->next;
}

/* False: the one who asked is gone. */
static bool wait_for(struct verification *v, int64_t deadline_us, struct verify_answer *out)
{
	struct verification_waiter w = {.task = task_current()};
	enum wake wake = WAKE_READY;

	add_waiter(v, &w);
	while (!w.woken && wake == WAKE_READY)
		wake = task_park(deadline_us);
	if (!w.woken) {
		unlink_waiter(v, &w);
		*out = (struct verify_answer){.said = VERIFY_SILENT};
		snprintf(out->found.text, sizeof(out->found.text),
			 "another session's question has no answer yet");
		return true;
	}
	*out = w.answer;
	return !w.take_over;
}

static void wake_all(struct verification *v, const struct verify_answer *a)
{
	struct verification_waiter *w;

	while ((w = v->waiters)) {
		v->waiters = w->next;
		if (a)
			w->answer = *a;
		w->take_over = !a;
		w->woken = true;
		task_wake(w->task);
	}
}

/* ---- for policy ---- */

static void begin(struct smtp_session *ss, struct verification **chain, enum verified_kind kind,
		  struct text key)
{
	struct verification *v = key.n <= LIST_KEY_MAX ? calloc(1, sizeof(*v)) : NULL;

	ss->asking = v;
	if (!v)
		return; /* without memory everybody asks for himself */
	v->kind = kind;
	v->key_n = key.n;
	memcpy(v->key, key.p, key.n);
	v->next = *chain;
	*chain = v;
}

bool verification_join(struct smtp_session *ss, enum verified_kind kind, struct text key,
		       int64_t wait_us, struct verify_answer *out)
{
	struct verification **chain = chain_of(ss, kind, key);
	const int64_t deadline_us = loop_now_us(ss->server->loop) + wait_us;

	for (;;) {
		drop_written(ss);
		struct verification *v = *find(chain, kind, key);

		if (!v) {
			begin(ss, chain, kind, key);
			return false;
		}
		if (v->done) {
			*out = v->answer;
			return true;
		}
		if (wait_for(v, deadline_us, out))
			return true;
	}
}

void verification_end(struct smtp_session *ss, const struct verify_answer *a)
{
	struct smtp_server *sv = ss->server;
	struct verifications *all = &sv->verifications;
	struct verification *v = ss->asking;

	ss->asking = NULL;
	if (!v)
		return;
	wake_all(v, a);
	if (a->found.until_wall_us == 0) {
		drop(ss, v); /* nobody will remember it: the next one asks */
		return;
	}
	v->done = true;
	v->answer = *a;
	v->position = ring_head(&sv->seg->rings[sv->process]);
	if (!all->oldest)
		all->newest = &all->oldest;
	*all->newest = v;
	all->newest = &v->next_done;
	all->done_count++;
	drop_written(ss);
}

void verification_abandon(struct smtp_session *ss)
{
	struct verification *v = ss->asking;

	ss->asking = NULL;
	if (!v)
		return;
	wake_all(v, NULL);
	drop(ss, v);
}

void verifications_free(struct verifications *all)
{
	for (size_t i = 0; i < VERIFICATION_CHAINS; i++) {
		while (all->chains[i]) {
			struct verification *v = all->chains[i];

			all->chains[i] = v->next;
			free(v);
		}
	}
	*all = (struct verifications){0};
}
