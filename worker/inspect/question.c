/* The two datagrams of the protocol, written and read. */
#include "worker/inspect/question.h"

/* First bytes of each: a datagram of another build is none. */
enum { QUESTION_MAGIC = 0x47507131, REPLY_MAGIC = 0x47507231 };

static const struct {
	const char *name;
	uint32_t time_ms;
} rows[QUESTION_TYPES] = {
#define QUESTION(name_, type, time_ms_, help) [QUESTION_##type] = {#name_, time_ms_},
#include "worker/inspect/questions.def"
#undef QUESTION
};

const char *question_name(enum question_type type)
{
	return type > QUESTION_NONE && type < QUESTION_TYPES ? rows[type].name : "none";
}

uint32_t question_time_ms(enum question_type type)
{
	return type > QUESTION_NONE && type < QUESTION_TYPES ? rows[type].time_ms : 0;
}

/* ---- Answers of the DNS */

static bool has_address(uint16_t type)
{
	return type == DNS_A || type == DNS_AAAA;
}

static bool put_answer(struct buf *b, const struct known_answer *k)
{
	if (k->count > QUESTION_RECORDS_MAX || k->name.n > DNS_NAME_MAX + 1)
		return false;
	wire_put_text(b, k->name);
	wire_put_u16(b, k->type);
	wire_put_u8(b, (uint8_t)k->status);
	wire_put_u16(b, (uint16_t)k->count);
	for (size_t i = 0; i < k->count; i++) {
		const struct dns_record *r = &k->records[i];

		if (has_address(k->type)) {
			buf_put(b, r->ip.b, sizeof(r->ip.b));
			continue;
		}
		if (r->text.n > QUESTION_TEXT_MAX)
			return false;
		wire_put_u16(b, r->preference);
		wire_put_text(b, r->text);
	}
	return !b->cut;
}

static void get_record(struct reader *r, uint16_t type, struct dns_record *out)
{
	if (has_address(type)) {
		const struct text t = wire_get_bytes(r, sizeof(out->ip.b));

		if (t.n == sizeof(out->ip.b))
			memcpy(out->ip.b, t.p, t.n);
		return;
	}
	out->preference = wire_get_u16(r);
	out->text = wire_get_text(r, QUESTION_TEXT_MAX);
}

static bool get_answer(struct reader *r, struct arena *a, struct known_answer *k)
{
	struct dns_record *records;

	k->name = wire_get_text(r, DNS_NAME_MAX + 1);
	k->type = wire_get_u16(r);
	const uint8_t status = wire_get_u8(r);
	k->count = wire_get_u16(r);
	/* Each takes at least six bytes, so a short datagram can't ask for much memory. */
	if (r->bad || status > DNS_OURS || k->count > QUESTION_RECORDS_MAX || k->count > r->n / 6 ||
	    (k->count > 0 && status != DNS_OK))
		return false;
	k->status = (enum dns_status)status;
	records = arena_alloc(a, (k->count + 1) * sizeof(*records));
	for (size_t i = 0; i < k->count; i++)
		get_record(r, k->type, &records[i]);
	k->records = records;
	return !r->bad;
}

/* ---- Questions */

bool question_put(struct buf *b, const struct question *q)
{
	const size_t start = b->n;

	if (q->answer_count > QUESTION_ANSWERS_MAX)
		return false;
	wire_put_u32(b, QUESTION_MAGIC);
	wire_put_u8(b, (uint8_t)q->type);
	wire_put_u64(b, (uint64_t)q->deadline_mono_us);
	wire_put_text(b, q->body);
	wire_put_u16(b, (uint16_t)q->answer_count);
	for (size_t i = 0; i < q->answer_count; i++) {
		if (!put_answer(b, &q->answers[i]))
			return false;
	}
	return !b->cut && b->n - start <= QUESTION_SIZE_MAX;
}

bool question_get(struct text t, struct arena *a, struct question *q)
{
	struct reader r = reader_over(t);
	struct known_answer *answers;

	if (t.n > QUESTION_SIZE_MAX || wire_get_u32(&r) != QUESTION_MAGIC)
		return false;
	const uint8_t type = wire_get_u8(&r);
	if (type == QUESTION_NONE || type >= QUESTION_TYPES)
		return false;
	q->type = (enum question_type)type;
	q->deadline_mono_us = (int64_t)wire_get_u64(&r);
	q->body = wire_get_text(&r, QUESTION_SIZE_MAX);
	q->answer_count = wire_get_u16(&r);
	if (r.bad || q->answer_count > QUESTION_ANSWERS_MAX)
		return false;
	answers = arena_alloc(a, (q->answer_count + 1) * sizeof(*answers));
	for (size_t i = 0; i < q->answer_count; i++) {
		if (!get_answer(&r, a, &answers[i]))
			return false;
	}
	q->answers = answers;
	return reader_done(&r);
}

/* ---- Replies */

bool inspect_reply_put(struct buf *b, const struct inspect_reply *reply)
{
	wire_put_u32(b, REPLY_MAGIC);
	wire_put_u8(b, (uint8_t)reply->kind);
	if (reply->kind == REPLY_KIND_ANSWER) {
		wire_put_text(b, reply->body);
		return !b->cut;
	}
	wire_put_u16(b, (uint16_t)reply->need_count);
	for (size_t i = 0; i < reply->need_count; i++) {
		wire_put_text(b, reply->needs[i].name);
		wire_put_u16(b, reply->needs[i].type);
	}
	return !b->cut && reply->need_count <= QUESTION_NEEDS_MAX;
}

static bool get_needs(struct reader *r, struct arena *a, struct inspect_reply *reply)
{
	struct need *needs;

	reply->need_count = wire_get_u16(r);
	if (r->bad || reply->need_count == 0 || reply->need_count > QUESTION_NEEDS_MAX)
		return false;
	needs = arena_alloc(a, reply->need_count * sizeof(*needs));
	for (size_t i = 0; i < reply->need_count; i++) {
		needs[i].name = wire_get_text(r, DNS_NAME_MAX + 1);
		needs[i].type = wire_get_u16(r);
		if (r->bad || !dns_name_ok(needs[i].name))
			return false;
	}
	reply->needs = needs;
	return true;
}

bool inspect_reply_get(struct text t, struct arena *a, struct inspect_reply *reply)
{
	struct reader r = reader_over(t);

	*reply = (struct inspect_reply){0};
	if (t.n > QUESTION_REPLY_MAX || wire_get_u32(&r) != REPLY_MAGIC)
		return false;
	switch (wire_get_u8(&r)) {
	case REPLY_KIND_ANSWER:
		reply->kind = REPLY_KIND_ANSWER;
		reply->body = wire_get_text(&r, QUESTION_REPLY_MAX);
		break;
	case REPLY_KIND_NEEDS:
		reply->kind = REPLY_KIND_NEEDS;
		if (!get_needs(&r, a, reply))
			return false;
		break;
	default:
		return false;
	}
	return reader_done(&r);
}
