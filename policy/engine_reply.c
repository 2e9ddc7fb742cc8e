/* Replies that need no check: protocol, ours, and what the next hop said of a message.  And what a
 * session would have got. */
#include "policy/decide.h"
#include "policy/incident.h"
#include "shm/segment.h"

enum { TEXT_MAX = 400, HOP_TEXT_MAX = 200, WOULD_MAX = 1000 };

/* What is final about a message or a recipient though its syntax is right: its sender will ask why.
 */
static bool makes_incident(enum reply_id id)
{
	switch (id) {
	case REPLY_TOO_BIG:
	case REPLY_HEADER_TOO_BIG:
	case REPLY_TOO_MANY_HOPS:
	case REPLY_NEEDS_SMTPUTF8:
	case REPLY_HOP_REFUSED:
		return true;
	default:
		return false;
	}
}

static enum phase phase_of(const struct session *s)
{
	if (s->rcpt)
		return PHASE_RCPT;
	return s->tx && s->tx->recipient_count ? PHASE_MESSAGE : PHASE_MAIL;
}

static void add_incident(struct session *s, struct decision *d, struct text facts)
{
	struct refusal r = {
	    .check = -1,
	    .phase = phase_of(s),
	    .cause = d->cause,
	    .reply = d->reply,
	    .code = d->code,
	    .enhanced = d->enhanced,
	    .text = d->text,
	    .facts = facts,
	};

	d->incident = incident_record(s, &r);
	d->text = incident_reply_text(s, d->text, d->incident);
	s->world.ops->count(s->world.self, METRIC_messages_refused, 1);
}

struct decision engine_reply(struct session *s, enum reply_id id)
{
	const struct catalog_row *row = catalog_row(id);
	struct decision d = {
	    .refused = true,
	    .reply = id,
	    .check = -1,
	    .cause = row->code < 500 ? CAUSE_OURS : CAUSE_SENDER,
	    .code = row->code,
	    .enhanced = text_of(row->enhanced),
	    .text = text_of(row->text),
	};

	if (makes_incident(id))
		add_incident(s, &d, LIT(""));
	return d;
}

static enum reply_id hop_row(const struct hop_reply *hop)
{
	if (hop->code >= 500 && hop->code <= 599)
		return REPLY_HOP_REFUSED;
	return hop->code >= 400 && hop->code <= 499 ? REPLY_HOP_DEFERRED : REPLY_HOP_AWAY;
}

static struct text hop_reply_text(const struct session *s, enum reply_id id,
				  const struct hop_reply *hop)
{
	char text[TEXT_MAX];
	struct buf b = buf_over(text, sizeof(text));

	buf_text(&b, text_of(catalog_row(id)->text));
	if (s->config->global.hop_text && !text_empty(hop->text)) {
		buf_put(&b, ": ", 2);
		catalog_put_value(&b, hop->text, HOP_TEXT_MAX);
	}
	return arena_text(check_arena(s), buf_view(&b));
}

struct decision engine_hop_reply(struct session *s, const struct hop_reply *hop)
{
	enum reply_id id = hop_row(hop);
	const struct catalog_row *row = catalog_row(id);
	struct decision d = {
	    .refused = true,
	    .reply = id,
	    .check = -1,
	    .cause = id == REPLY_HOP_REFUSED ? CAUSE_POLICY : CAUSE_OURS,
	    .code = row->code,
	    .enhanced = text_of(row->enhanced),
	    .text = hop_reply_text(s, id, hop),
	};

	if (id != REPLY_HOP_AWAY) {
		/* A 421 of the hop's is about its connection to us, not about ours to the client.
		 */
		d.code = hop->code == 421 ? row->code : hop->code;
		if (hop->enhanced[0] == row->enhanced[0])
			d.enhanced = arena_text(check_arena(s), text_of(hop->enhanced));
	}
	if (id == REPLY_HOP_REFUSED)
		add_incident(s, &d, fact(s, "%.*s said: %.*s", TEXT(hop->hop), TEXT(hop->text)));
	else
		s->world.ops->count(s->world.self, METRIC_messages_deferred, 1);
	return d;
}

static void put_would(struct buf *b, enum check_id id, const struct verdict *v)
{
	const struct catalog_row *row = catalog_row((enum reply_id)v->reply);

	if (b->n)
		buf_put(b, "; ", 2);
	buf_printf(b, "%s: %d %s%s", check_row(id)->name, row->code, row->enhanced,
		   row->enhanced[0] ? " " : "");
	catalog_text((enum reply_id)v->reply, v->values, b);
}

struct text engine_would(const struct session *s)
{
	char line[WOULD_MAX];
	struct buf b = buf_over(line, sizeof(line));

	for (unsigned id = 0; s->runs && id < CHECK_COUNT; id++) {
		const struct check_run *run = &s->runs[id];

		if (run_outcome(run) == OUTCOME_REFUSE &&
		    (run->fate == FATE_STANDS || run->fate == FATE_WAIVED) &&
		    (s->tx || !run->in_transaction))
			put_would(&b, id, run->verdict);
	}
	return b.n ? arena_text(check_arena(s), buf_view(&b)) : LIT("");
}

struct text engine_not_inspected(const struct session *s)
{
	char line[WOULD_MAX];
	struct buf b = buf_over(line, sizeof(line));

	for (unsigned id = 0; s->runs && id < CHECK_COUNT; id++) {
		const struct verdict *v = s->runs[id].verdict;

		if (!v || !v->not_inspected || (s->runs[id].in_transaction && !s->tx))
			continue;
		buf_printf(&b, "%s%s: ", b.n ? "; " : "", check_row((enum check_id)id)->name);
		buf_text(&b, v->facts);
	}
	return b.n ? arena_text(check_arena(s), buf_view(&b)) : LIT("");
}
