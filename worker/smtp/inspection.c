/* A session's questions to the inspectors. */
#include "worker/smtp/inspection.h"

#include "shm/base/clock.h"
#include "worker/inspect/spf.h"
#include "worker/inspect/spf_record.h"
#include "worker/smtp/session.h"

#include <unistd.h>

/* An inspector's own time, and that of the queue, beside the DNS. */
#define INSPECTION_US (5 * SECOND_US)

static void look_up(void *self, struct inspect_query *queries, size_t n, struct arena *a,
		    int64_t deadline_us)
{
	struct smtp_session *ss = self;

	(void)a;
	(void)deadline_us; /* the budget ends sooner */
	for (size_t i = 0; i < n; i++)
		lookups_start(ss, queries[i].name, queries[i].type);
	for (size_t i = 0; i < n; i++)
		queries[i].answer = *lookups_await(ss, queries[i].name, queries[i].type);
}

struct inspect_outcome smtp_inspect(struct smtp_session *ss, struct inspect_request rq)
{
	struct inspect_outcome out = {.result = INSPECT_EXHAUSTED};
	struct smtp_server *sv = ss->server;

	metric_add(sv->slot, METRIC_inspections, 1);
	rq.deadline_us = loop_now_us(sv->loop) + sv->config->global.dns_budget + INSPECTION_US;
	rq.look_up = look_up;
	rq.look_up_self = ss;
	if (sv->inspect)
		out = inspect_ask(sv->inspect, &rq, &ss->tx.arena);
	if (out.result != INSPECT_ANSWERED)
		metric_add(sv->slot, METRIC_inspections_failed, 1);
	metric_add(sv->slot, METRIC_inspector_deaths, out.deaths);
	return out;
}

int smtp_message_fd(struct smtp_session *ss)
{
	if (ss->message_fd < 0)
		ss->message_fd = spool_share(ss->spool);
	return ss->message_fd;
}

void smtp_message_fd_close(struct smtp_session *ss)
{
	if (ss->message_fd >= 0)
		close(ss->message_fd);
	ss->message_fd = -1;
}

enum { SPF_BODY_MAX = 4096 };

static bool write_question(const struct smtp_session *ss, enum spf_identity identity,
			   const struct spf_result *r, struct buf *body)
{
	const struct session *s = &ss->s;
	const bool by_helo = identity == SPF_HELO || s->tx->null_sender;
	const struct spf_question q = {
	    .identity = identity,
	    .client = s->client,
	    .helo = s->helo,
	    .local = by_helo ? LIT("") : s->tx->from.local,
	    .domain = r->domain,
	    .receiver = ss->server->config->global.hostname,
	    .now_s = clock_wall_us() / SECOND_US,
	};

	return spf_question_put(body, &q);
}

/* Most HELO names, and many domains, have no record: an inspector would say no more than that. */
static bool has_no_record(const struct dns_answer *a)
{
	for (size_t i = 0; i < a->count; i++) {
		if (spf_is_record(a->records[i].text))
			return false;
	}
	return dns_known(a->status);
}

void smtp_ask_spf(struct smtp_session *ss, enum spf_identity identity, struct spf_result *out)
{
	char *bytes = arena_alloc(&ss->tx.arena, SPF_BODY_MAX);
	struct buf body = buf_over(bytes, SPF_BODY_MAX);
	const struct need record = {out->domain, DNS_TXT};
	const bool is_name = domain_is_valid(out->domain);
	struct inspect_outcome outcome;

	if (is_name && has_no_record(lookups_await(ss, out->domain, DNS_TXT))) {
		out->code = SPF_NONE;
		out->reason = LIT("no record");
		out->queries = 1;
		return;
	}
	if (!write_question(ss, identity, out, &body)) {
		out->reason = LIT("the names are too long");
		return;
	}
	outcome = smtp_inspect(ss, (struct inspect_request){
				       .type = QUESTION_SPF,
				       .body = buf_view(&body),
				       .message_fd = -1,
				       .queries_max = SPF_QUERIES_MAX,
				       .first = &record,
				       .first_count = is_name,
				   });
	out->queries = outcome.queries;
	if (outcome.result != INSPECT_ANSWERED)
		out->reason = text_of(inspect_result_text(outcome.result));
	else if (!spf_answer_get(outcome.body, out))
		out->reason = text_of(inspect_result_text(INSPECT_NONSENSE));
}
