/* The DKIM question: its two bodies, and the inspector's function. */
#include "worker/inspect/dkim.h"

#include "worker/inspect/dkim_key.h"
#include "worker/inspect/dkim_verify.h"

#include <errno.h>
#include <unistd.h>

enum { FLAG_TESTING = 1, FLAG_PARTIAL = 2, KEY_BITS_MAX = 16384 };

/* ---- The bodies */

bool dkim_question_put(struct buf *b, const struct dkim_question *q)
{
	wire_put_u64(b, q->header_size);
	wire_put_u64(b, q->message_size);
	wire_put_u64(b, (uint64_t)q->now_s);
	return !b->cut;
}

bool dkim_question_get(struct text body, struct dkim_question *q)
{
	struct reader r = reader_over(body);

	q->header_size = wire_get_u64(&r);
	q->message_size = wire_get_u64(&r);
	q->now_s = (int64_t)wire_get_u64(&r);
	return reader_done(&r) && q->header_size <= DKIM_HEADER_MAX &&
	       q->header_size <= q->message_size && q->message_size <= INT64_MAX && q->now_s >= 0;
}

void dkim_answer_put(struct buf *b, const struct dkim_verdict *v, size_t n)
{
	wire_put_u8(b, (uint8_t)n);
	for (size_t i = 0; i < n; i++) {
		wire_put_u8(b, (uint8_t)v[i].reason);
		wire_put_u16(b, (uint16_t)v[i].key_bits);
		wire_put_u8(b,
			    (v[i].testing ? FLAG_TESTING : 0) | (v[i].partial ? FLAG_PARTIAL : 0));
	}
}

bool dkim_answer_get(struct text body, struct dkim_verdict *v, size_t n)
{
	struct reader r = reader_over(body);

	if (wire_get_u8(&r) != n || n > DKIM_SIGNATURES_MAX)
		return false;
	for (size_t i = 0; i < n; i++) {
		const uint8_t reason = wire_get_u8(&r);

		v[i].key_bits = wire_get_u16(&r);
		const uint8_t flags = wire_get_u8(&r);
		if (reason >= DKIM_REASONS || reason == DKIM_REASON_NO_SIGNATURE ||
		    dkim_code_of((enum dkim_reason)reason) == DKIM_POLICY ||
		    v[i].key_bits > KEY_BITS_MAX || flags > (FLAG_TESTING | FLAG_PARTIAL))
			return false;
		v[i].reason = (enum dkim_reason)reason;
		v[i].testing = flags & FLAG_TESTING;
		v[i].partial = flags & FLAG_PARTIAL;
	}
	return reader_done(&r);
}

/* ---- In the inspector */

struct source {
	int fd;
	uint64_t offset, size; /* of the whole message */
};

static bool read_exactly(int fd, char *p, size_t n, uint64_t offset)
{
	for (size_t done = 0; done < n;) {
		const ssize_t got = pread(fd, p + done, n - done, (off_t)(offset + done));

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		done += (size_t)got;
	}
	return true;
}

/* dkim_judge()'s: the body, piece by piece. */
static bool next_piece(void *self, struct text *out)
{
	static char bytes[128 * 1024];
	struct source *s = self;
	const uint64_t left = s->size - s->offset;
	const size_t n = left < sizeof(bytes) ? (size_t)left : sizeof(bytes);

	*out = text_make(bytes, n);
	if (!read_exactly(s->fd, bytes, n, s->offset))
		return false;
	s->offset += n;
	return true;
}

/* NULL: the message is not what the question says. */
static const struct header *read_header(const struct inquiry *i, const struct dkim_question *q)
{
	const size_t n = (size_t)q->header_size;
	char *bytes = arena_alloc(i->arena, n + 1);
	const struct header *h;

	if (i->q->message_fd < 0 || !read_exactly(i->q->message_fd, bytes, n, 0))
		return NULL;
	h = header_parse(text_make(bytes, n), 0, i->arena);
	return h->size == n ? h : NULL;
}

/* Looks for all keys at a time.  False: there is none to verify with. */
static bool find_keys(struct inquiry *i, const struct dkim_fields *fields, struct dkim_key *keys,
		      struct dkim_verdict *v)
{
	bool any = false;

	for (size_t k = 0; k < fields->count; k++) {
		const struct dkim_field *f = &fields->v[k];
		const struct known_answer *a;

		v[k].reason = f->flaw;
		if (f->flaw != DKIM_REASON_NONE)
			continue;
		a = inquiry_dns(i, dkim_key_name(f, i->arena), DNS_TXT);
		if (!a)
			continue;
		v[k].reason = dkim_key_read(a, f, i->arena, &keys[k]);
		v[k].key_bits = keys[k].bits;
		v[k].testing = keys[k].testing;
		any = any || v[k].reason == DKIM_REASON_NONE;
	}
	return any;
}

void question_dkim(struct inquiry *i, struct buf *answer)
{
	struct dkim_question q;
	const struct header *h;
	struct dkim_fields *fields = arena_new(i->arena, struct dkim_fields);
	struct dkim_key *keys = arena_alloc(i->arena, DKIM_SIGNATURES_MAX * sizeof(*keys));
	struct dkim_verdict v[DKIM_SIGNATURES_MAX] = {0};

	answer->cut = true; /* no answer */
	if (!dkim_question_get(i->q->body, &q) || !(h = read_header(i, &q)))
		return;
	dkim_fields_of(h, q.now_s, i->arena, fields);
	if (find_keys(i, fields, keys, v) && !i->blocked) {
		struct source body = {i->q->message_fd, q.header_size, q.message_size};
		const struct dkim_work work = {
		    .header = h,
		    .fields = fields,
		    .keys = keys,
		    .verdicts = v,
		    .next = next_piece,
		    .self = &body,
		};

		if (!dkim_judge(&work))
			return;
	}
	answer->cut = false;
	dkim_answer_put(answer, v, fields->count);
}
