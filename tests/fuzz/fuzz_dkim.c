/* DKIM: the input's first line is the key record that every selector has, the rest is a message.
 * Whatever comes, each field gets a verdict, the same number of them on both sides, for at most so
 * many queries; names that would be shown are plain. */
#include "worker/inspect/dkim.h"
#include "worker/inspect/dkim_length.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerInitialize(int *argc, char ***argv);

enum { NOW = 1800000000 };

static void require(bool fact)
{
	if (!fact)
		abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	require(dkim_prepare());
	return 0;
}

static void is_plain(struct text t, size_t most)
{
	require(t.n <= most);
	for (size_t i = 0; i < t.n; i++)
		require(t.p[i] > ' ' && t.p[i] <= '~' && t.p[i] != '"' && t.p[i] != '\\');
}

static void look_at(const struct dkim_fields *fields)
{
	require(fields->count <= DKIM_SIGNATURES_MAX);
	for (size_t i = 0; i < fields->count; i++) {
		const struct dkim_field *f = &fields->v[i];

		is_plain(f->domain, DKIM_NAME_MAX);
		is_plain(f->selector, DKIM_NAME_MAX);
		is_plain(f->identity, DKIM_IDENTITY_MAX);
		require(f->b.n <= DKIM_B_MAX);
		require(dkim_code_of(f->flaw) != DKIM_POLICY);
	}
}

static bool ask(struct question *q, struct known_answer *answers, const struct dns_record *record,
		struct arena *a, struct buf *answer)
{
	struct inquiry *i = arena_new(a, struct inquiry);

	i->q = q;
	i->arena = a;
	*answer = buf_over(answer->p, answer->cap);
	question_dkim(i, answer);
	for (size_t k = 0; i->blocked && k < i->need_count; k++) {
		require(q->answer_count < DKIM_QUERIES_MAX);
		answers[q->answer_count++] =
		    (struct known_answer){i->needs[k].name, DNS_TXT, DNS_OK, record, 1};
	}
	return !i->blocked;
}

static void judge(struct text message, struct text key, struct arena *a)
{
	static char room[512], body[64];
	const struct header *h = header_parse(message, 0, a);
	const struct dkim_question dq = {h->size, message.n, NOW};
	const struct dns_record record = {.text = key};
	struct known_answer answers[DKIM_QUERIES_MAX];
	struct dkim_verdict v[DKIM_SIGNATURES_MAX];
	struct dkim_fields fields;
	struct buf b = buf_over(body, sizeof(body)), answer = buf_over(room, sizeof(room));
	struct question q = {.type = QUESTION_DKIM, .answers = answers};

	dkim_fields_of(h, NOW, a, &fields);
	look_at(&fields);
	dkim_question_put(&b, &dq);
	q.body = buf_view(&b);
	q.message_fd = memfd_create("message", MFD_CLOEXEC);
	require(q.message_fd >= 0 &&
		write(q.message_fd, message.p, message.n) == (ssize_t)message.n);
	if (!ask(&q, answers, &record, a, &answer))
		require(ask(&q, answers, &record, a, &answer));
	close(q.message_fd);
	require(!answer.cut && dkim_answer_get(buf_view(&answer), v, fields.count));
	for (size_t i = 0; i < fields.count; i++)
		require(fields.v[i].flaw == DKIM_REASON_NONE || v[i].reason == fields.v[i].flaw);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const struct text t = text_make((const char *)data, n);
	struct dkim_length l = {.relaxed = n % 2};
	struct text key, message;
	struct arena a;

	arena_init(&a, NULL, NULL);
	text_split(t, '\n', &key, &message);
	judge(message, key, &a);
	dkim_length_feed(&l, message);
	require(dkim_length_end(&l) <= message.n + 2);
	arena_reset(&a);
	return 0;
}
