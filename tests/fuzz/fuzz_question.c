/* The datagrams of the inspectors' protocol: any bytes are read without reading outside, and what
 * is read as a question or a reply is written and read as the same again. */
#include "worker/inspect/antivirus.h"
#include "worker/inspect/clamd.h"
#include "worker/inspect/dkim.h"
#include "worker/inspect/spf.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static char room[QUESTION_SIZE_MAX + 16];

static void require(bool fact)
{
	if (!fact)
		abort();
}

static void try_question(struct text t, struct arena *a)
{
	struct buf b = buf_over(room, sizeof(room));
	struct question q = {0}, again = {0};

	if (!question_get(t, a, &q))
		return;
	require(question_put(&b, &q));
	require(text_eq(buf_view(&b), t));
	require(question_get(buf_view(&b), a, &again));
	require(again.answer_count == q.answer_count && text_eq(again.body, q.body));
}

static void try_reply(struct text t, struct arena *a)
{
	struct buf b = buf_over(room, sizeof(room));
	struct inspect_reply r;

	if (!inspect_reply_get(t, a, &r))
		return;
	require(inspect_reply_put(&b, &r));
	require(text_eq(buf_view(&b), t));
}

static void try_spf(struct text t)
{
	struct spf_question q;
	struct spf_result r = {0};

	(void)spf_question_get(t, &q);
	if (!spf_answer_get(t, &r))
		return;
	require(r.code > SPF_UNDECIDED && r.code < SPF_CODES);
	for (size_t i = 0; i < r.explanation.n; i++)
		require(r.explanation.p[i] >= ' ' && r.explanation.p[i] <= '~');
}

static void try_dkim(struct text t)
{
	struct dkim_verdict v[DKIM_SIGNATURES_MAX];
	struct dkim_question q;

	if (dkim_question_get(t, &q))
		require(q.header_size <= q.message_size && q.header_size <= DKIM_HEADER_MAX);
	for (size_t n = 0; n <= DKIM_SIGNATURES_MAX; n++) {
		if (!dkim_answer_get(t, v, n))
			continue;
		for (size_t i = 0; i < n; i++)
			require(v[i].reason < DKIM_REASONS &&
				dkim_code_of(v[i].reason) != DKIM_POLICY);
	}
}

static void try_antivirus(struct text t)
{
	struct scan_result r;
	uint64_t size;

	(void)antivirus_question_get(t, &size);
	clamd_read_reply(t, &r);
	require(r.match_count <= 1 && (r.match_count == 0 || scan_name_ok(r.matches[0].name)));
	if (!antivirus_answer_get(t, &r))
		return;
	require(r.match_count <= SCAN_MATCHES_MAX && r.code <= SCAN_DONE);
	for (size_t i = 0; i < r.match_count; i++)
		require(scan_name_ok(r.matches[i].name));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const struct text t = text_make((const char *)data, n);
	struct arena a;

	arena_init(&a, NULL, NULL);
	try_question(t, &a);
	try_reply(t, &a);
	try_spf(t);
	try_dkim(t);
	try_antivirus(t);
	arena_reset(&a);
	return 0;
}
