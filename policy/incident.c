/* Making incidents, and their ids and tokens for the reply. */
#include "policy/incident.h"

#include "policy/mark.h"
#include "shm/base/clock.h"

#include <stdio.h>

enum {
	REPEAT_SECONDS = 60,
	/* Code, enhanced code and CR LF take at most 20 of a reply line's 512 octets. */
	REPLY_TEXT_MAX = 490
};

#define ID_MASK ((UINT64_C(1) << 40) - 1)

/* --- id and token */

static struct text host_label(const struct session *s)
{
	struct text head, tail;

	text_split(s->config->global.hostname, '.', &head, &tail);
	return head;
}

static void put_base32(char *dst, uint64_t v, unsigned chars)
{
	static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

	while (chars-- > 0) {
		dst[chars] = digits[v & 31];
		v >>= 5;
	}
}

struct text incident_token(const struct session *s, uint64_t id,
			   char dst[INCIDENT_TOKEN_LENGTH + 1])
{
	const struct world *w = &s->world;
	/* Two tags of the table: keyed hashes, of whose 64 bits the top two say the kind. */
	uint64_t one = w->ops->counter_tag(w->self, TABLE_MARK, LIT("token one"), &id, sizeof(id));
	uint64_t two = w->ops->counter_tag(w->self, TABLE_MARK, LIT("token two"), &id, sizeof(id));

	put_base32(dst, id, 8);
	put_base32(dst + 8, one, 8);
	put_base32(dst + 16, two, 8);
	dst[INCIDENT_TOKEN_LENGTH] = '\0';
	return text_make(dst, INCIDENT_TOKEN_LENGTH);
}

static struct text page_url(const struct session *s, uint64_t id)
{
	struct text url = s->config->global.help_url;
	char token[INCIDENT_TOKEN_LENGTH + 1];

	if (text_empty(url))
		return LIT("");
	return fact(s, "%.*s%.*s", TEXT(url), TEXT(incident_token(s, id, token)));
}

struct text incident_reply_text(const struct session *s, struct text text, uint64_t id)
{
	char shown[INCIDENT_TEXT_MAX], line[REPLY_TEXT_MAX + 1];
	struct text url = page_url(s, id);
	struct buf b = buf_over(line, sizeof(line));

	incident_format(host_label(s), id, shown);
	buf_text(&b, text);
	buf_printf(&b, " [%s]", shown);
	if (!text_empty(url) && b.n + 1 + url.n <= REPLY_TEXT_MAX) {
		buf_char(&b, ' ');
		buf_text(&b, url);
	}
	return arena_text(check_arena(s), buf_view(&b));
}

/* --- the record */

static struct text remedy(const struct session *s, const struct refusal *r)
{
	const char *name;
	char ip[IP_TEXT_MAX];
	struct mailbox *to = s->rcpt ? &s->rcpt->mailbox : NULL;

	if (r->check < 0 || !text_empty(r->remedy))
		return r->remedy;
	name = check_row((enum check_id)r->check)->name;
	switch ((enum check_id)r->check) {
	case CHECK_relay:
		return LIT("trusted-networks, or a domain of our own");
	case CHECK_unknown_recipient:
		return to ? fact(s, "recipient add %.*s", TEXT(to->whole)) : LIT("");
	case CHECK_restricted_recipient:
	case CHECK_banned_recipient:
	case CHECK_recipient_verify:
		return to ? fact(s, "exempt add %s recipient:%.*s", name, TEXT(to->whole))
			  : LIT("");
	case CHECK_banned_domain:
	case CHECK_banned_address:
	case CHECK_restricted_sender:
	case CHECK_sender_verify:
	case CHECK_sender_callout:
	case CHECK_empty_reply_to:
	case CHECK_subject:
	case CHECK_invalid_headers:
		if (s->tx && !s->tx->null_sender)
			return fact(s, "exempt add %s sender:%.*s", name, TEXT(s->tx->from.whole));
		break;
	default:
		break;
	}
	return fact(s, "exempt add %s client:%s", name, ip_format(&s->client, ip));
}

static void put_session(struct event *e, const struct session *s)
{
	static const struct ip nobody;

	event_text(e, FIELD_session, text_of(s->id));
	event_text(e, FIELD_listener, s->listener ? s->listener->set.name : LIT(""));
	event_ip(e, FIELD_client, &s->client);
	event_int(e, FIELD_client_port, s->client_port);
	if (!ip_eq(&s->proxy, &nobody))
		event_ip(e, FIELD_proxy, &s->proxy);
	event_text(e, FIELD_host, s->host);
	event_text(e, FIELD_helo, s->helo);
	event_text(e, FIELD_login, s->login);
}

static void put_envelope(struct event *e, const struct session *s)
{
	if (!s->tx)
		return;
	event_text(e, FIELD_from, s->tx->null_sender ? LIT("<>") : s->tx->from.whole);
	if (s->rcpt)
		event_text(e, FIELD_to, s->rcpt->mailbox.whole);
	else if (s->tx->recipient_count)
		event_text(e, FIELD_to, s->tx->recipients[0].mailbox.whole);
	event_int(e, FIELD_recipients, (int64_t)s->tx->recipient_count);
	if (s->tx->size)
		event_int(e, FIELD_size, (int64_t)s->tx->size);
}

static void put_refusal(struct event *e, const struct session *s, const struct refusal *r,
			uint64_t id)
{
	char reply[EVENT_TEXT_MAX];
	struct buf b = buf_over(reply, sizeof(reply));

	event_int(e, FIELD_incident, (int64_t)id);
	if (r->check >= 0) {
		const struct check_run *run = &s->runs[r->check];

		event_text(e, FIELD_check, text_of(check_row((enum check_id)r->check)->name));
		event_text(e, FIELD_mode, text_of(check_mode_name(run->mode)));
	}
	event_text(e, FIELD_cause, text_of(cause_name(r->cause)));
	event_text(e, FIELD_phase, text_of(phase_name(r->phase)));
	event_int(e, FIELD_code, r->code);
	buf_printf(&b, "%d ", r->code);
	if (!text_empty(r->enhanced)) {
		buf_text(&b, r->enhanced);
		buf_char(&b, ' ');
	}
	buf_text(&b, r->text);
	event_text(e, FIELD_reply, buf_view(&b));
	event_text(e, FIELD_facts, r->facts);
}

static const char *shown_outcome(const struct check_run *run, bool decided)
{
	if (run->fate == FATE_EXEMPT)
		return "exempt";
	if (run_outcome(run) == OUTCOME_REFUSE && run->fate == FATE_SKIPPED)
		return "skipped";
	if (run_outcome(run) == OUTCOME_REFUSE && !decided)
		return "would-refuse";
	return outcome_name(run_outcome(run));
}

static void put_runs(struct event *e, const struct session *s, int decided)
{
	char line[EVENT_TEXT_MAX];

	for (int id = 0; s->runs && id < CHECK_COUNT; id++) {
		const struct check_run *run = &s->runs[id];
		struct buf b = buf_over(line, sizeof(line));

		if (!run->verdict || (run->in_transaction && !s->tx))
			continue;
		buf_printf(&b, "%s %s %u ", check_row((enum check_id)id)->name,
			   shown_outcome(run, id == decided), run->us);
		if (run->fate == FATE_EXEMPT && s->tx && s->tx->exempt_by && s->tx->exempt_by[id])
			buf_printf(&b, "by %s; ", s->tx->exempt_by[id]);
		buf_text(&b, run->verdict->facts);
		event_text(e, FIELD_ran, text_trim(buf_view(&b)));
	}
}

static void __attribute__((noinline))
emit_incident(const struct session *s, const struct refusal *r, uint64_t id)
{
	struct event e;

	event_begin(&e, EVENT_INCIDENT, s->world.ops->wall_us(s->world.self));
	put_refusal(&e, s, r, id);
	put_session(&e, s);
	put_envelope(&e, s);
	event_text(&e, FIELD_remedy, remedy(s, r));
	event_text(&e, FIELD_url, page_url(s, id));
	put_runs(&e, s, r->check);
	s->world.ops->emit(s->world.self, &e);
}

static void __attribute__((noinline))
emit_repeat(const struct session *s, const struct refusal *r, uint64_t id)
{
	struct event e;

	event_begin(&e, EVENT_REPEAT, s->world.ops->wall_us(s->world.self));
	put_refusal(&e, s, r, id);
	event_text(&e, FIELD_session, text_of(s->id));
	event_ip(&e, FIELD_client, &s->client);
	put_envelope(&e, s);
	s->world.ops->emit(s->world.self, &e);
}

static uint64_t mark_tag(const struct session *s, const struct refusal *r)
{
	struct {
		struct ip client;
		int32_t check, reply;
	} key = {client_key(s), r->check, r->check < 0 ? (int32_t)r->reply : 0};

	return s->world.ops->counter_tag(s->world.self, TABLE_MARK, LIT("incident"), &key,
					 sizeof(key));
}

uint64_t incident_record(const struct session *s, const struct refusal *r)
{
	uint64_t tag = mark_tag(s, r);
	uint64_t id = mark_read(s, tag);

	if (id) {
		emit_repeat(s, r, id);
		return id;
	}
	while (id == 0)
		id = s->world.ops->random(s->world.self) & ID_MASK;
	mark_set(s, tag, id, REPEAT_SECONDS * SECOND_US);
	emit_incident(s, r, id);
	return id;
}
