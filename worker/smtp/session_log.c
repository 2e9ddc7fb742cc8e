/* The SESSION and MESSAGE events. */
#include "worker/smtp/session_log.h"

#include "policy/results.h"
#include "shm/base/clock.h"

#include <stdio.h>

/* How many recipients are named in a line; the count stands beside them. */
#define NAMED_MAX 20

static const char *verdict_of(short code)
{
	return code >= 500 ? "refused" : "deferred";
}

void session_log_decision(struct smtp_session *ss, const struct decision *d)
{
	struct message_log *log = &ss->log;

	log->verdict = verdict_of(d->code);
	log->check = d->check;
	log->code = d->code;
	log->incident = d->incident;
	log->cause = cause_name(d->cause);
	log->reply = arena_text(&ss->tx.arena, d->text);
}

void session_log_refused_recipient(struct smtp_session *ss, const struct recipient *r,
				   const struct decision *d)
{
	session_log_decision(ss, d);
	ss->log.to_refused = r->mailbox.whole;
}

void session_log_hop(struct smtp_session *ss, const struct hop_reply *hop)
{
	ss->log.hop = hop->hop;
	ss->log.code = hop->code;
	ss->log.hop_reply = hop->text;
	ss->log.hop_tls = hop->tls;
}

void session_log_accepted(struct smtp_session *ss)
{
	ss->log.verdict = "accepted";
	ss->log.code = 250;
	ss->log.check = -1;
	ss->log.cause = NULL;
	ss->log.incident = 0;
	ss->log.reply = LIT("");
}

static void put_client(struct event *e, const struct smtp_session *ss)
{
	const struct session *s = &ss->s;

	event_text(e, FIELD_session, text_of(s->id));
	event_text(e, FIELD_listener, s->listener->set.name);
	event_ip(e, FIELD_client, &s->client);
	event_text(e, FIELD_host, s->host);
	event_text(e, FIELD_helo, s->helo);
	event_text(e, FIELD_tls, s->tls_text);
	event_text(e, FIELD_login, s->login);
}

static void emit(struct smtp_session *ss, struct event *e)
{
	ss->s.world.ops->emit(ss->s.world.self, e);
}

static void put_recipients(struct event *e, const struct smtp_session *ss)
{
	const struct transaction *tx = &ss->tx;

	for (size_t i = 0; i < tx->recipient_count && i < NAMED_MAX; i++)
		event_text(e, FIELD_to, tx->recipients[i].mailbox.whole);
	if (tx->recipient_count == 0)
		event_text(e, FIELD_to, ss->log.to_refused);
	event_int(e, FIELD_recipients, (int64_t)tx->recipient_count);
	if (tx->recipients_refused)
		event_int(e, FIELD_recipients_refused, tx->recipients_refused);
}

/* The queue's name for the message, where the hop says one in the usual words. */
static struct text queue_id(struct text reply)
{
	static const char words[] = "queued as ";
	const char *at = memmem(reply.p, reply.n, words, sizeof(words) - 1);

	if (!at)
		return LIT("");
	at += sizeof(words) - 1;
	struct text id = text_make(at, (size_t)(reply.p + reply.n - at)), rest;
	text_split(id, ' ', &id, &rest);
	return id;
}

static void put_message_id(struct event *e, const struct header *h)
{
	const struct header_field *f = h ? header_find(h, LIT("Message-ID"), NULL) : NULL;

	if (f)
		event_text(e, FIELD_message_id, text_trim(f->body));
}

static void put_results(struct event *e, const struct session *s)
{
	static const struct {
		enum event_field field;
		void (*put)(const struct session *s, struct buf *out);
	} rows[] = {
	    {FIELD_spf, results_spf}, {FIELD_dkim, results_dkim}, {FIELD_dmarc, results_dmarc}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[EVENT_TEXT_MAX];
		struct buf b = buf_over(text, sizeof(text));

		rows[i].put(s, &b);
		event_text(e, rows[i].field, buf_view(&b));
	}
}

static void put_outcome(struct event *e, const struct message_log *log)
{
	event_text(e, FIELD_verdict, text_of(log->verdict ? log->verdict : "aborted"));
	if (log->check >= 0)
		event_text(e, FIELD_check, text_of(check_row((enum check_id)log->check)->name));
	event_text(e, FIELD_cause, text_of(log->cause));
	if (log->code)
		event_int(e, FIELD_code, log->code);
	event_text(e, FIELD_reply, log->reply);
	if (log->incident)
		event_int(e, FIELD_incident, (int64_t)log->incident);
	event_text(e, FIELD_hop, log->hop);
	event_text(e, FIELD_hop_reply, log->hop_reply);
	event_text(e, FIELD_hop_tls, log->hop_tls);
	if (log->hop_reply.n)
		event_text(e, FIELD_hop_id, queue_id(log->hop_reply));
}

void session_log_message(struct smtp_session *ss)
{
	struct event *e = &ss->server->scratch;
	const struct transaction *tx = &ss->tx;
	char number[40];

	event_begin(e, EVENT_MESSAGE, clock_wall_us());
	put_client(e, ss);
	snprintf(number, sizeof(number), "%s.%u", ss->s.id, ss->transactions);
	event_text(e, FIELD_id, text_of(number));
	event_text(e, FIELD_from, tx->null_sender ? LIT("<>") : tx->from.whole);
	put_recipients(e, ss);
	if (tx->recipient_count && tx->recipients[0].route)
		event_text(e, FIELD_route, tx->recipients[0].route->set.name);
	if (tx->size)
		event_int(e, FIELD_size, (int64_t)tx->size);
	put_message_id(e, tx->header);
	put_results(e, &ss->s);
	put_outcome(e, &ss->log);
	event_text(e, FIELD_would, ss->log.would);
	event_text(e, FIELD_not_inspected, ss->log.not_inspected);
	event_int(e, FIELD_duration, loop_now_us(ss->server->loop) - ss->log.start_us);
	emit(ss, e);
}

void session_log_end(struct smtp_session *ss)
{
	struct event *e = &ss->server->scratch;
	static const struct ip none;

	event_begin(e, EVENT_SESSION, clock_wall_us());
	put_client(e, ss);
	event_int(e, FIELD_worker, ss->server->slot->index + 1);
	event_int(e, FIELD_client_port, ss->s.client_port);
	if (!ip_eq(&ss->s.proxy, &none))
		event_ip(e, FIELD_proxy, &ss->s.proxy);
	event_int(e, FIELD_messages, ss->accepted);
	event_int(e, FIELD_commands, ss->commands);
	if (ss->errors)
		event_int(e, FIELD_errors, ss->errors);
	event_text(e, FIELD_end, text_of(ss->end ? ss->end : "unknown"));
	if (ss->tls_failure)
		event_text(e, FIELD_text, text_of(ss->tls_failure));
	event_text(e, FIELD_would, ss->would);
	event_int(e, FIELD_duration, loop_now_us(ss->server->loop) - ss->start_us);
	emit(ss, e);
}

void session_log_auth(struct smtp_session *ss, enum mechanism m, struct text login,
		      const char *verdict, struct text facts)
{
	struct event *e = &ss->server->scratch;
	const struct session *s = &ss->s;

	event_begin(e, EVENT_AUTH, clock_wall_us());
	event_text(e, FIELD_session, text_of(s->id));
	event_text(e, FIELD_listener, s->listener->set.name);
	event_ip(e, FIELD_client, &s->client);
	event_text(e, FIELD_tls, s->tls_text);
	event_text(e, FIELD_mechanism, text_of(mechanism_name(m)));
	event_text(e, FIELD_login, login);
	event_text(e, FIELD_verdict, text_of(verdict));
	event_text(e, FIELD_facts, facts);
	emit(ss, e);
}
