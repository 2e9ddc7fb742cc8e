/* Asking an inspector: turns, rounds, deaths. */
#include "worker/inspect/ask.h"

#include "worker/inspect/ask_send.h"
#include "worker/io/task.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	OUTSTANDING_DEFAULT = 32,
	/* The deepest chain that RFC 7208 allows is a record, ten includes below each other, an MX
	 * and its address, and the explanation. */
	ROUNDS_MAX = 20,
	DEATHS_MAX = 2,
};

/* A task that waits for its turn; on its stack. */
struct turn {
	struct task *task;
	struct turn *next;
	bool given;
};

struct inspect {
	struct loop *loop;
	struct inspect_options o;
	char *scratch; /* a question is written here and sent before anybody else runs */
	char reply[QUESTION_REPLY_MAX];
	unsigned outstanding, waiting;
	struct turn *first, **last;
};

struct inspect *inspect_open(struct loop *l, const struct inspect_options *o)
{
	struct inspect *in = calloc(1, sizeof(*in));

	if (!in)
		return NULL;
	/* Pages that no question reaches are never touched. */
	in->scratch = malloc(ASK_SCRATCH_BYTES);
	if (!in->scratch) {
		free(in);
		return NULL;
	}
	in->loop = l;
	in->o = *o;
	if (in->o.outstanding_max == 0)
		in->o.outstanding_max = OUTSTANDING_DEFAULT;
	in->last = &in->first;
	return in;
}

void inspect_close(struct inspect *in)
{
	if (!in)
		return;
	free(in->scratch);
	free(in);
}

unsigned inspect_outstanding(const struct inspect *in)
{
	return in->outstanding;
}

unsigned inspect_waiting(const struct inspect *in)
{
	return in->waiting;
}

const char *inspect_result_text(enum inspect_result r)
{
	static const char *const texts[] = {
	    [INSPECT_ANSWERED] = "answered",
	    [INSPECT_TIMEOUT] = "no inspector answered in time",
	    [INSPECT_DIED] = "inspectors died of it",
	    [INSPECT_TOO_MUCH] = "it needs more look-ups than one question may have",
	    [INSPECT_NONSENSE] = "an inspector answered nonsense",
	    [INSPECT_EXHAUSTED] = "no descriptors or no memory to ask an inspector",
	    [INSPECT_CANCELLED] = "the session was ended",
	};

	return texts[r];
}

/* ---- Turns */

static void leave_line(struct inspect *in, struct turn *t)
{
	struct turn **at = &in->first;

	while (*at != t)
		at = &(*at)->next;
	*at = t->next;
	if (!*at)
		in->last = at;
	in->waiting--;
}

static enum inspect_result take_turn(struct inspect *in, int64_t deadline_us)
{
	struct turn t = {.task = task_current()};

	if (in->outstanding < in->o.outstanding_max && !in->first) {
		in->outstanding++;
		return INSPECT_ANSWERED;
	}
	*in->last = &t;
	/* It leaves the line before this returns. */
	/* cppcheck-suppress autoVariables */
	in->last = &t.next;
	in->waiting++;
	while (!t.given) {
		const enum wake w = task_park(deadline_us);

		if (t.given || w == WAKE_READY)
			continue;
		leave_line(in, &t);
		return w == WAKE_TIMEOUT ? INSPECT_TIMEOUT : INSPECT_CANCELLED;
	}
	return INSPECT_ANSWERED;
}

/* Hands the turn to the one who has waited longest. */
static void give_turn(struct inspect *in)
{
	struct turn *t = in->first;

	if (!t) {
		in->outstanding--;
		return;
	}
	leave_line(in, t);
	t->given = true;
	task_wake(t->task);
}

/* ---- One question of one round */

/* The reply's bytes come into in->reply, where they stay until somebody else runs. */
static enum inspect_result wait_for_reply(struct inspect *in, int fd, int64_t deadline_us,
					  size_t *n)
{
	struct watch w = {0};
	enum inspect_result r = INSPECT_TIMEOUT;
	enum wake woken;

	if (!watch_add(in->loop, &w, fd))
		return INSPECT_EXHAUSTED;
	while ((woken = watch_wait_readable(&w, deadline_us)) == WAKE_READY) {
		if (ask_receive(fd, in->reply, n, &r))
			break;
		watch_spent_readable(&w);
	}
	watch_remove(&w);
	return woken == WAKE_CANCELLED ? INSPECT_CANCELLED : r;
}

static enum inspect_result ask_with_turn(struct inspect *in, const struct question *q, size_t *n)
{
	int64_t pause_us = 1000;
	int fd = -1;
	enum ask_sent sent;

	while ((sent = ask_send(in->o.fd, q, in->scratch, &fd)) == ASK_FULL) {
		/* The queue of all workers is full: it moves on within milliseconds. */
		const int64_t until = loop_now_us(in->loop) + pause_us;

		if (until >= q->deadline_mono_us)
			return INSPECT_TIMEOUT;
		if (task_sleep_until(until) == WAKE_CANCELLED)
			return INSPECT_CANCELLED;
		if (pause_us < 16000)
			pause_us *= 2;
	}
	if (sent != ASK_SENT)
		return sent == ASK_TOO_LONG ? INSPECT_TOO_MUCH : INSPECT_EXHAUSTED;
	const enum inspect_result r = wait_for_reply(in, fd, q->deadline_mono_us, n);
	close(fd);
	return r;
}

/* Out of what other tasks overwrite.  The arena may run out here, where nothing is held. */
static enum inspect_result read_reply(const struct inspect *in, size_t n, struct arena *a,
				      struct inspect_reply *reply)
{
	const struct text kept = arena_text(a, text_make(in->reply, n));

	return inspect_reply_get(kept, a, reply) ? INSPECT_ANSWERED : INSPECT_NONSENSE;
}

/* Also where an inspector died: once more. */
static enum inspect_result ask_round(struct inspect *in, const struct question *q, struct arena *a,
				     unsigned deaths_max, unsigned *deaths,
				     struct inspect_reply *reply)
{
	enum inspect_result r;
	size_t n = 0;

	do {
		r = take_turn(in, q->deadline_mono_us);
		if (r != INSPECT_ANSWERED)
			return r;
		r = ask_with_turn(in, q, &n);
		give_turn(in);
	} while (r == INSPECT_DIED && ++*deaths < deaths_max);
	return r == INSPECT_ANSWERED ? read_reply(in, n, a, reply) : r;
}

/* ---- Rounds */

/* All that is known of the DNS so far. */
struct knowledge {
	struct known_answer *v;
	size_t n, max, queries_left;
};

static bool knows(const struct knowledge *k, const struct need *need)
{
	for (size_t i = 0; i < k->n; i++) {
		if (k->v[i].type == need->type && text_ieq(k->v[i].name, need->name))
			return true;
	}
	return false;
}

static bool fits(const struct dns_answer *a)
{
	if (a->count > QUESTION_RECORDS_MAX)
		return false;
	for (size_t i = 0; i < a->count; i++) {
		if (a->records[i].text.n > QUESTION_TEXT_MAX)
			return false;
	}
	return true;
}

static void learn(struct knowledge *k, const struct inspect_query *q)
{
	struct known_answer *a = &k->v[k->n++];

	*a = (struct known_answer){.name = q->name, .type = q->type, .status = q->answer.status};
	if (!fits(&q->answer)) {
		a->status = DNS_MALFORMED;
	} else if (q->answer.status == DNS_OK) {
		a->records = q->answer.records;
		a->count = q->answer.count;
	}
}

/* Looks up what the reply asks for.  An inspector that asks for what it was told, or for more than
 * may be, is not believed. */
static enum inspect_result satisfy(const struct inspect_request *rq,
				   const struct inspect_reply *reply, struct arena *a,
				   struct knowledge *k)
{
	struct inspect_query *queries;

	for (size_t i = 0; i < reply->need_count; i++) {
		if (knows(k, &reply->needs[i]))
			return INSPECT_NONSENSE;
	}
	if (reply->need_count > k->queries_left || reply->need_count > k->max - k->n)
		return INSPECT_TOO_MUCH;
	queries = arena_alloc(a, reply->need_count * sizeof(*queries));
	for (size_t i = 0; i < reply->need_count; i++) {
		queries[i].name = reply->needs[i].name;
		queries[i].type = reply->needs[i].type;
		queries[i].answer.status = DNS_OURS;
	}
	if (rq->look_up)
		rq->look_up(rq->look_up_self, queries, reply->need_count, a, rq->deadline_us);
	for (size_t i = 0; i < reply->need_count; i++)
		learn(k, &queries[i]);
	k->queries_left -= reply->need_count;
	return INSPECT_ANSWERED;
}

static unsigned bounded(unsigned wanted, unsigned most)
{
	return wanted == 0 || wanted > most ? most : wanted;
}

static void prepare(struct knowledge *k, const struct inspect_request *rq, struct arena *a)
{
	k->max = QUESTION_ANSWERS_MAX;
	k->queries_left = bounded(rq->queries_max, QUESTION_ANSWERS_MAX);
	k->v = arena_alloc(a, k->max * sizeof(*k->v));
	for (size_t i = 0; i < rq->known_count && k->n < k->max; i++)
		k->v[k->n++] = rq->known[i];
}

struct inspect_outcome inspect_ask(struct inspect *in, const struct inspect_request *rq,
				   struct arena *a)
{
	const unsigned rounds_max = bounded(rq->rounds_max, ROUNDS_MAX);
	const unsigned deaths_max = rq->deaths_max ? rq->deaths_max : DEATHS_MAX;
	struct inspect_outcome out = {.result = INSPECT_TOO_MUCH};
	struct inspect_reply reply = {0};
	struct knowledge k = {0};

	prepare(&k, rq, a);
	if (rq->first_count > 0) {
		const size_t known = k.n;

		reply = (struct inspect_reply){.needs = rq->first, .need_count = rq->first_count};
		out.result = satisfy(rq, &reply, a, &k);
		out.queries = (unsigned)(k.n - known);
		if (out.result != INSPECT_ANSWERED)
			return out;
	}
	while (out.rounds < rounds_max) {
		const struct question q = {
		    .type = rq->type,
		    .deadline_mono_us = rq->deadline_us,
		    .body = rq->body,
		    .answers = k.v,
		    .answer_count = k.n,
		    .message_fd = rq->message_fd,
		};
		const size_t known = k.n;

		out.rounds++;
		out.result = ask_round(in, &q, a, deaths_max, &out.deaths, &reply);
		if (out.result != INSPECT_ANSWERED || reply.kind == REPLY_KIND_ANSWER)
			break;
		out.result = satisfy(rq, &reply, a, &k);
		out.queries += (unsigned)(k.n - known);
		if (out.result != INSPECT_ANSWERED)
			break;
		out.result = INSPECT_TOO_MUCH; /* if no round is left */
	}
	if (out.result == INSPECT_ANSWERED)
		out.body = reply.body;
	out.known = k.v;
	out.known_count = k.n;
	return out;
}
