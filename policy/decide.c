/* From a verdict to the reply.
 *
 * Soft mode: every 5xx of policy is said as 451 4.7.1 with its own text (the catalog's row SOFT),
 * in the greeting as 421.  What the protocol asks for, and what the next hop says of a message,
 * stays as it is. */
#include "policy/decide.h"

#include "policy/incident.h"
#include "shm/segment.h"

enum { TEXT_MAX = 400, HOP_TEXT_MAX = 120, QUOTED_MAX = 200 };

struct decision decide_pass(void)
{
	return (struct decision){.check = -1};
}

/* The same words have other codes in the greeting and at AUTH. */
static enum reply_id reply_in(enum reply_id reply, enum phase phase)
{
	static const struct {
		enum reply_id reply;
		enum phase phase;
		enum reply_id there;
	} rows[] = {
	    {REPLY_BANNED_CLIENT, PHASE_CONNECT, REPLY_BANNED_AT_CONNECT},
	    {REPLY_DICTIONARY_ATTACK, PHASE_CONNECT, REPLY_DICTIONARY_AT_CONNECT},
	    {REPLY_AUTH_BLOCKED, PHASE_CONNECT, REPLY_AUTH_BLOCKED_AT_CONNECT},
	    {REPLY_AUTH_BLOCKED, PHASE_AUTH, REPLY_AUTH_BLOCKED_AT_AUTH},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].reply == reply && rows[i].phase == phase)
			return rows[i].there;
	}
	return reply;
}

static enum reply_id reply_of(const struct verdict *v, enum phase phase)
{
	static const enum reply_id deferrals[] = {
	    [DEFERRAL_NONE] = REPLY_UNDECIDED,        [DEFERRAL_LOCAL] = REPLY_UNDECIDED,
	    [DEFERRAL_DNS] = REPLY_UNDECIDED_DNS,     [DEFERRAL_HOP_AWAY] = REPLY_HOP_AWAY,
	    [DEFERRAL_HOP_SAID] = REPLY_HOP_DEFERRED,
	};

	if (v->outcome == OUTCOME_UNDECIDED)
		return deferrals[v->deferral];
	return reply_in((enum reply_id)v->reply, phase);
}

/* A hop's codes count only where they are of the class that the verdict has: a 4xx never becomes a
 * 5xx, nor the other way round. */
static void set_codes(const struct session *s, const struct verdict *v, struct decision *d)
{
	const struct catalog_row *row = catalog_row(d->reply);

	d->code = row->code;
	d->enhanced = text_of(row->enhanced);
	if (v->hop_code / 100 == row->code / 100)
		d->code = v->hop_code;
	if (v->hop_enhanced[0] == row->enhanced[0] && v->hop_enhanced[0])
		d->enhanced = arena_text(check_arena(s), text_of(v->hop_enhanced));
}

static void soften(const struct session *s, struct decision *d)
{
	const struct catalog_row *row = catalog_row(REPLY_SOFT);

	if (s->config->global.mode != RUN_SOFT || d->code < 500)
		return;
	d->code = row->code;
	d->enhanced = text_of(row->enhanced);
}

/* A greeting is 554 or 421 (RFC 5321 4.3.2), without an enhanced code. */
static void fit_greeting(enum phase phase, struct decision *d)
{
	if (phase != PHASE_CONNECT)
		return;
	d->code = d->code < 500 ? 421 : 554;
	d->enhanced = LIT("");
}

static void count(const struct session *s, const struct decision *d, enum phase phase)
{
	enum metric metric = d->code >= 500 ? METRIC_messages_refused : METRIC_messages_deferred;

	if (phase == PHASE_CONNECT)
		return;
	s->world.ops->count(s->world.self, phase == PHASE_AUTH ? METRIC_auth_refused : metric, 1);
}

/* A refusal from which the sender may be exempt, were the exemptions to be read, is ours to put
 * off. */
static struct verdict what_is_sure(const struct session *s, enum check_id id,
				   const struct verdict *v)
{
	if (!s->runs[id].unsure || v->outcome != OUTCOME_REFUSE)
		return *v;
	return deferred(DEFERRAL_LOCAL,
			fact(s, "exemptions can't be read; else: %.*s", TEXT(v->facts)));
}

struct decision decide_refusal(struct session *s, enum check_id id, const struct verdict *said,
			       enum phase phase)
{
	const struct verdict sure = what_is_sure(s, id, said), *v = &sure;
	struct decision d = {
	    .refused = true,
	    .reply = reply_of(v, phase),
	    .check = (int)id,
	    .cause = (enum cause)v->cause,
	};
	char text[TEXT_MAX];
	struct buf b = buf_over(text, sizeof(text));
	struct refusal r;

	set_codes(s, v, &d);
	soften(s, &d);
	fit_greeting(phase, &d);
	catalog_text(d.reply, v->values, &b);
	if (s->config->global.hop_text && !text_empty(v->hop_text)) {
		buf_put(&b, ": ", 2);
		catalog_put_value(&b, v->hop_text, HOP_TEXT_MAX);
	}
	if (!text_empty(v->quoted)) {
		buf_put(&b, ": ", 2);
		catalog_put_value(&b, v->quoted, QUOTED_MAX);
	}
	r = (struct refusal){
	    .check = d.check,
	    .phase = phase,
	    .cause = d.cause,
	    .reply = d.reply,
	    .code = d.code,
	    .enhanced = d.enhanced,
	    .text = buf_view(&b),
	    .facts = v->facts,
	    .remedy = v->remedy,
	};
	d.incident = incident_record(s, &r);
	d.text = incident_reply_text(s, r.text, d.incident);
	s->runs[id].fate = FATE_SPOKEN;
	count(s, &d, phase);
	return d;
}
