/* Having a message's signatures judged. */
#include "worker/smtp/dkim.h"

#include "shm/base/clock.h"
#include "worker/inspect/dkim.h"
#include "worker/smtp/inspection.h"
#include "worker/smtp/session.h"

enum { DKIM_BODY_MAX = 64 };

/* What is known without any key.  True: for one of them a key is needed. */
static bool list_fields(const struct dkim_fields *fields, struct dkim_result *out)
{
	bool any = false;

	out->count = fields->count;
	out->more = fields->more;
	for (size_t i = 0; i < fields->count; i++) {
		const struct dkim_field *f = &fields->v[i];

		out->signatures[i] = (struct dkim_signature){
		    .code = dkim_code_of(f->flaw),
		    .reason = f->flaw,
		    .algorithm = f->algorithm,
		    .domain = f->domain,
		    .selector = f->selector,
		    .identity = f->identity,
		    .b = f->b,
		};
		any = any || f->flaw == DKIM_REASON_NONE;
	}
	return any;
}

/* Each key once. */
static size_t list_keys(const struct dkim_fields *fields, struct arena *a, struct need *keys)
{
	size_t n = 0;

	for (size_t i = 0; i < fields->count; i++) {
		struct text name;
		size_t k = 0;

		if (fields->v[i].flaw != DKIM_REASON_NONE)
			continue;
		name = dkim_key_name(&fields->v[i], a);
		while (k < n && !text_eq(keys[k].name, name))
			k++;
		if (k == n && dns_name_ok(name))
			keys[n++] = (struct need){name, DNS_TXT};
	}
	return n;
}

static struct inspect_outcome ask(struct smtp_session *ss, const struct dkim_fields *fields, int fd,
				  int64_t now_s)
{
	struct arena *a = &ss->tx.arena;
	struct buf body = buf_over(arena_alloc(a, DKIM_BODY_MAX), DKIM_BODY_MAX);
	struct need *keys = arena_alloc(a, DKIM_SIGNATURES_MAX * sizeof(*keys));
	const struct dkim_question q = {ss->tx.header->size, spool_size(ss->spool), now_s};

	dkim_question_put(&body, &q);
	return smtp_inspect(ss, (struct inspect_request){
				    .type = QUESTION_DKIM,
				    .body = buf_view(&body),
				    .message_fd = fd,
				    .queries_max = DKIM_QUERIES_MAX,
				    .first = keys,
				    .first_count = list_keys(fields, a, keys),
				});
}

/* A field that is flawed by our own reading stays so, whatever the inspector says. */
static void take(const struct dkim_verdict *v, struct dkim_result *out)
{
	for (size_t i = 0; i < out->count; i++) {
		struct dkim_signature *s = &out->signatures[i];

		if (s->reason != DKIM_REASON_NONE)
			continue;
		s->reason = v[i].reason;
		s->code = dkim_code_of(s->reason);
		s->key_bits = v[i].key_bits;
		s->testing = v[i].testing;
		s->partial = v[i].partial;
	}
}

static void nobody(const char *why, struct dkim_result *out)
{
	*out = (struct dkim_result){.why = text_of(why), .queries = out->queries};
}

void smtp_ask_dkim(struct smtp_session *ss, struct dkim_result *out)
{
	const int64_t now_s = clock_wall_us() / SECOND_US;
	struct dkim_fields *fields = arena_new(&ss->tx.arena, struct dkim_fields);
	struct dkim_verdict v[DKIM_SIGNATURES_MAX];
	struct inspect_outcome o;
	int fd;

	out->judged = true;
	dkim_fields_of(ss->tx.header, now_s, &ss->tx.arena, fields);
	if (!list_fields(fields, out))
		return;
	fd = smtp_message_fd(ss);
	if (fd < 0) {
		nobody("the message can't be handed on", out);
		return;
	}
	o = ask(ss, fields, fd, now_s);
	out->queries = o.queries;
	if (o.result != INSPECT_ANSWERED)
		nobody(inspect_result_text(o.result), out);
	else if (!dkim_answer_get(o.body, v, out->count))
		nobody(inspect_result_text(INSPECT_NONSENSE), out);
	else
		take(v, out);
}
