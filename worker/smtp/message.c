/* Receiving a message and passing it on: what DATA and BDAT have in common. */
#include "policy/attachment.h"
#include "policy/results.h"
#include "shm/base/clock.h"
#include "worker/smtp/deadlines.h"
#include "worker/smtp/inspection.h"
#include "worker/smtp/kept.h"
#include "worker/smtp/received.h"
#include "worker/smtp/reply.h"
#include "worker/smtp/session_log.h"

/* The canonical bytes go to the spool as long as they are wanted there. */
static void keep(void *arg, const char *p, size_t n)
{
	struct smtp_session *ss = arg;
	struct intake *in = &ss->intake;

	in->kept += n;
	if (in->kept > ss->server->config->global.max_message_size)
		in->too_big = true;
	if (!in->too_big && in->spooled == SPOOL_OK)
		in->spooled = spool_append(ss->spool, p, n);
	if (in->mime && !in->too_big)
		mime_feed(in->mime, p, n);
}

bool smtp_intake_begin(struct smtp_session *ss, bool dots)
{
	struct mime_bounds bounds;

	ss->intake = (struct intake){.spooled = SPOOL_OK};
	if (attachment_wants_parts(&ss->s, &bounds))
		ss->intake.mime = mime_begin(&ss->tx.arena, &bounds);
	body_init(&ss->intake.body, dots, keep, ss);
	deadline_message(ss, &ss->intake.rate);
	ss->spool = spool_new(ss->server->spool_place);
	return ss->spool != NULL;
}

/* What our own limits say of the message; not refused: nothing. */
static struct decision judge_limits(struct smtp_session *ss)
{
	const struct global_settings *g = &ss->server->config->global;
	struct transaction *tx = &ss->tx;

	if (ss->intake.too_big)
		return engine_reply(&ss->s, REPLY_TOO_BIG);
	if (ss->intake.spooled != SPOOL_OK)
		return engine_reply(&ss->s, REPLY_NO_SPACE);
	/* One byte more than is allowed tells a section that fits from one that doesn't. */
	const struct text head = spool_head(ss->spool, g->max_header_size + 1);
	/* What can't be read can't be judged; nor could forged results in it be removed. */
	if (head.n < tx->size && head.n <= g->max_header_size)
		return engine_reply(&ss->s, REPLY_UNDECIDED);
	tx->header = header_parse(head, 0, &tx->arena);
	if (tx->header->size > g->max_header_size)
		return engine_reply(&ss->s, REPLY_HEADER_TOO_BIG);
	if (header_count(tx->header, LIT("Received")) > (size_t)g->max_hops)
		return engine_reply(&ss->s, REPLY_TOO_MANY_HOPS);
	return (struct decision){.check = -1};
}

static struct decision judge(struct smtp_session *ss)
{
	struct transaction *tx = &ss->tx;

	tx->size = spool_size(ss->spool);
	tx->bare_newlines = ss->intake.body.bare;
	struct decision d = judge_limits(ss);
	if (!d.refused && ss->intake.mime)
		tx->parts = mime_end(ss->intake.mime);
	if (!d.refused)
		d = engine_message(&ss->s);
	if (d.refused && d.reply == REPLY_UNINSPECTABLE && d.incident)
		smtp_keep(ss, d.incident);
	smtp_message_fd_close(ss);
	return d;
}

/* Our fields in front of the message: Authentication-Results above Received, so that only what the
 * sender can't write stands above Received, and a first line of his that begins with a blank
 * continues no results. */
static struct text make_fields(struct smtp_session *ss)
{
	const bool tells = ss->server->config->global.authentication_results == RESULTS_ON;
	const struct text results = tells ? results_field(&ss->s) : LIT("");
	char field[RECEIVED_MAX];
	struct buf received = buf_over(field, sizeof(field));

	received_format(&ss->s, ss->transactions, clock_wall_us(), &received);
	return arena_printf(&ss->tx.arena, "%.*s%.*s", TEXT(results), TEXT(buf_view(&received)));
}

static struct payload make_payload(struct smtp_session *ss)
{
	const struct global_settings *g = &ss->server->config->global;
	struct payload p = {.fields = make_fields(ss), .message = ss->spool};

	if (g->authentication_results != RESULTS_OFF)
		p.cuts = results_forged(&ss->s, spool_head(ss->spool, ss->tx.header->size));
	return p;
}

/* Hands it on; the hop's answer is ours. */
static void deliver(struct smtp_session *ss)
{
	const struct payload payload = make_payload(ss);
	struct hop_reply hop = {0};
	const struct route *route = ss->tx.recipients[0].route;
	struct delivery *delivery = smtp_transaction_delivery(ss, route);

	if (delivery)
		delivery_send(delivery, &payload, &hop);
	session_log_hop(ss, &hop);
	if (hop.code / 100 != 2) {
		const struct decision d = engine_hop_reply(&ss->s, &hop);

		session_log_decision(ss, &d);
		reply_decision(ss, &d);
		return;
	}
	ss->accepted++;
	engine_accepted(&ss->s);
	session_log_accepted(ss);
	reply_ok(ss, 250, "2.0.0", "Accepted as %s.%u", ss->s.id, ss->transactions);
}

void smtp_intake_finish(struct smtp_session *ss)
{
	const struct decision d = judge(ss);

	if (d.refused) {
		session_log_decision(ss, &d);
		reply_decision(ss, &d);
	} else {
		deliver(ss);
	}
	smtp_transaction_end(ss);
}
