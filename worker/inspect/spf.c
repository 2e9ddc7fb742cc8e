/* The SPF question: its two bodies, and the inspector's function. */
#include "worker/inspect/spf.h"

enum { LOCAL_MAX = 256, HELO_MAX = 512 };

bool spf_question_put(struct buf *b, const struct spf_question *q)
{
	wire_put_u8(b, (uint8_t)q->identity);
	buf_put(b, q->client.b, sizeof(q->client.b));
	wire_put_text(b, text_make(q->helo.p, q->helo.n < HELO_MAX ? q->helo.n : HELO_MAX));
	wire_put_text(b, text_make(q->local.p, q->local.n < LOCAL_MAX ? q->local.n : LOCAL_MAX));
	wire_put_text(b, q->domain);
	wire_put_text(b, q->receiver);
	wire_put_u64(b, (uint64_t)q->now_s);
	return !b->cut;
}

bool spf_question_get(struct text body, struct spf_question *q)
{
	struct reader r = reader_over(body);
	struct text ip;

	*q = (struct spf_question){.identity =
				       wire_get_u8(&r) == SPF_HELO ? SPF_HELO : SPF_MAILFROM};
	ip = wire_get_bytes(&r, sizeof(q->client.b));
	if (ip.n == sizeof(q->client.b))
		memcpy(q->client.b, ip.p, ip.n);
	q->helo = wire_get_text(&r, HELO_MAX);
	q->local = wire_get_text(&r, LOCAL_MAX);
	q->domain = wire_get_text(&r, HELO_MAX);
	q->receiver = wire_get_text(&r, HELO_MAX);
	q->now_s = (int64_t)wire_get_u64(&r);
	return reader_done(&r);
}

void spf_answer_put(struct buf *b, const struct spf_result *r)
{
	wire_put_u8(b, (uint8_t)r->code);
	wire_put_u8(b, r->passes_nobody);
	wire_put_text(b, r->explanation);
	wire_put_text(b, r->reason);
}

static bool is_plain(struct text t)
{
	for (size_t i = 0; i < t.n; i++) {
		if (t.p[i] < ' ' || t.p[i] > '~')
			return false;
	}
	return true;
}

bool spf_answer_get(struct text body, struct spf_result *out)
{
	struct reader r = reader_over(body);
	const uint8_t code = wire_get_u8(&r);

	out->passes_nobody = wire_get_u8(&r) == 1;
	out->explanation = wire_get_text(&r, SPF_EXPLANATION_MAX);
	out->reason = wire_get_text(&r, SPF_REASON_MAX);
	if (!reader_done(&r) || code <= SPF_UNDECIDED || code >= SPF_CODES ||
	    !is_plain(out->explanation) || !is_plain(out->reason))
		return false;
	out->code = (enum spf_code)code;
	return true;
}

void question_spf(struct inquiry *i, struct buf *answer)
{
	struct spf_question q;
	struct spf_result r = {.code = SPF_PERMERROR};

	if (!spf_question_get(i->q->body, &q)) {
		answer->cut = true; /* no answer */
		return;
	}
	spf_evaluate(i, &q, &r);
	if (!i->blocked)
		spf_answer_put(answer, &r);
}
