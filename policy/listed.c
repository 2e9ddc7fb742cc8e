/* Bans and exemptions, as checks and engine ask for them, and the hits of entries. */
#include "policy/listed.h"

static void __attribute__((noinline))
note_hit(const struct session *s, const char *list, const char *check, const struct list_entry *e)
{
	struct event ev;

	event_begin(&ev, EVENT_HIT, s->world.ops->wall_us(s->world.self));
	event_text(&ev, FIELD_list, text_of(list));
	if (check)
		event_text(&ev, FIELD_check, text_of(check));
	event_text(&ev, FIELD_key, text_of(e->key));
	event_int(&ev, FIELD_tag, (int64_t)e->id);
	event_text(&ev, FIELD_session, text_of(s->id));
	event_ip(&ev, FIELD_client, &s->client);
	if (s->tx)
		event_text(&ev, FIELD_from, s->tx->from.whole);
	s->world.ops->emit(s->world.self, &ev);
}

enum answer ban_find(const struct session *s, enum list_key kind, struct text key,
		     struct list_entry *out)
{
	enum answer a = s->world.ops->ban(s->world.self, kind, &s->client, key, out);

	if (a == ANSWER_YES)
		note_hit(s, "ban", NULL, out);
	return a;
}

struct text ban_fact(const struct session *s, const struct list_entry *e)
{
	bool by = e->by[0], why = e->reason[0];

	return fact(s, "banned by %s%s%s%s%s", e->key, by ? ", added by " : "", e->by,
		    why ? ": " : "", e->reason);
}

struct question {
	const struct session *s;
	const char *check;
	const char *matched; /* that, or "*": every check */
	bool unknown;        /* a look-up had no answer */
	struct list_entry *out;
};

static bool exempt(struct question *q, enum list_key kind, struct text key)
{
	const char *const names[] = {q->check, "*"};
	const struct world *w = &q->s->world;

	if (kind != LIST_CLIENT && text_empty(key))
		return false;
	for (int i = 0; i < 2; i++) {
		enum answer a =
		    w->ops->exemption(w->self, names[i], kind, &q->s->client, key, q->out);

		q->matched = names[i];
		q->unknown = q->unknown || a == ANSWER_UNKNOWN;
		if (a == ANSWER_YES)
			return true;
	}
	return false;
}

/* An address, or the same without its +tag. */
static bool exempt_address(struct question *q, enum list_key kind, const struct mailbox *m)
{
	struct arena *a = &q->s->tx->arena;
	struct text key = mailbox_key(m, a), untagged = mailbox_key_untagged(m, a);

	return exempt(q, kind, key) || (!text_eq(key, untagged) && exempt(q, kind, untagged));
}

static bool exempt_by_recipient(struct question *q, const struct mailbox *m)
{
	struct text domain;

	if (exempt_address(q, LIST_RECIPIENT, m))
		return true;
	domain = arena_printf(&q->s->tx->arena, "@%.*s", TEXT(m->domain));
	return exempt(q, LIST_RECIPIENT, domain);
}

/* The one that is judged now; at the end of data the verdict is on all of them, and so is the
 * exemption. */
static bool exempt_by_recipients(struct question *q)
{
	const struct transaction *tx = q->s->tx;

	if (q->s->rcpt)
		return exempt_by_recipient(q, &q->s->rcpt->mailbox);
	for (size_t i = 0; i < tx->recipient_count; i++) {
		if (!exempt_by_recipient(q, &tx->recipients[i].mailbox))
			return false;
	}
	return tx->recipient_count > 0;
}

static bool exempt_from(struct question *q)
{
	const struct session *s = q->s;

	if (exempt(q, LIST_CLIENT, LIT("")) || exempt(q, LIST_HOST, s->host) ||
	    exempt(q, LIST_LOGIN, s->login))
		return true;
	if (!s->tx)
		return false;
	if (!s->tx->null_sender && (exempt_address(q, LIST_ADDRESS, &s->tx->from) ||
				    exempt(q, LIST_DOMAIN, s->tx->from.domain)))
		return true;
	return exempt_by_recipients(q);
}

enum answer exemption_find(const struct session *s, enum check_id id, struct list_entry *out)
{
	struct question q = {.s = s, .check = check_row(id)->name, .out = out};

	if (s->world.ops->no_exemptions(s->world.self))
		return ANSWER_NO;
	if (!exempt_from(&q))
		return q.unknown ? ANSWER_UNKNOWN : ANSWER_NO;
	note_hit(s, "exemption", q.matched, out);
	return ANSWER_YES;
}

/* Lists hold names in lower case. */
static enum answer find_signature(const struct session *s, struct text name, struct list_entry *out)
{
	const struct world *w = &s->world;
	char *key = arena_alloc(check_arena(s), name.n + 1);

	text_lower(name, key);
	return w->ops->exemption(w->self, check_row(CHECK_antivirus)->name, LIST_SIGNATURE, NULL,
				 text_make(key, name.n), out);
}

enum answer signature_ignored(const struct session *s, struct text name, struct list_entry *out)
{
	/* What the engine adds to names that are not of its makers. */
	static const struct text unofficial = LIT(".UNOFFICIAL");
	enum answer a = find_signature(s, name, out);

	if (a == ANSWER_NO && text_iends(name, unofficial))
		a = find_signature(s, text_make(name.p, name.n - unofficial.n), out);
	if (a == ANSWER_YES)
		note_hit(s, "signature", NULL, out);
	return a;
}

enum answer exemption_find_key(const struct session *s, enum check_id id, enum list_key kind,
			       struct text key, struct list_entry *out)
{
	struct question q = {.s = s, .check = check_row(id)->name, .out = out};

	if (s->world.ops->no_exemptions(s->world.self))
		return ANSWER_NO;
	if (!exempt(&q, kind, key))
		return q.unknown ? ANSWER_UNKNOWN : ANSWER_NO;
	note_hit(s, "exemption", q.matched, out);
	return ANSWER_YES;
}
