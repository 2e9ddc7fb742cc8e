/* Asking the next hop for a recipient while the client waits: delivery_ask(). */
#include "worker/delivery/maildir.h"
#include "worker/delivery/transaction.h"

struct question {
	const struct recipient *recipient;
	bool sender_refused; /* asked anonymously */
};

static enum answer answer_of(const struct hop_reply *r)
{
	switch (r->code / 100) {
	case 2:
		return ANSWER_YES;
	case 5:
		return ANSWER_NO;
	default:
		return ANSWER_UNKNOWN;
	}
}

/* Remembers who was accepted in the transaction that stays open. */
static void note_taken(struct delivery *d, const struct recipient *r)
{
	if (d->taken_count == d->taken_capacity) {
		size_t capacity = d->taken_capacity ? 2 * d->taken_capacity : 8;
		struct text *more = arena_alloc(&d->session->tx->arena, capacity * sizeof(*more));

		if (d->taken_count)
			memcpy(more, d->taken, d->taken_count * sizeof(*more));
		d->taken = more;
		d->taken_capacity = capacity;
	}
	d->taken[d->taken_count++] = r->mailbox.whole;
}

static enum exchange ask(struct delivery *d, struct hop *hop, void *arg, struct response *r)
{
	const struct question *q = arg;
	bool open = delivery_owns(d, hop);
	struct dialogue g = {
	    .hop = hop,
	    .session = d->session,
	    .recipients = q->recipient,
	    .recipient_count = 1,
	    .size = d->session->tx->declared_size,
	    .begin = open ? VERB_RCPT : VERB_RSET,
	};
	enum hop_result got = HOP_OK;

	if (!open)
		d->taken_count = 0;
	hop->owner = d->serial;
	if (!dialogue_refuses(&g))
		got = dialogue_run(&g);
	*r = g.reply;
	if (got == HOP_OK && g.refused == VERB_NONE) {
		r->code = 250; /* each RCPT was a 2xx */
		note_taken(d, q->recipient);
	}
	return exchange_of(hop, got);
}

enum answer delivery_ask(struct delivery *d, const struct recipient *r, struct hop_reply *out)
{
	struct question q = {.recipient = r};

	if (d->state->maildir)
		return maildir_ask(d->state->maildir, &d->session->tx->arena, r, out);
	if (d->routes->metrics)
		metric_add(d->routes->metrics, METRIC_hop_questions, 1);
	delivery_exchange(d, ask, &q, out);
	return answer_of(out);
}

static enum exchange ask_anonymously(struct delivery *d, struct hop *hop, void *arg,
				     struct response *r)
{
	struct question *q = arg;
	struct dialogue g = {
	    .hop = hop,
	    .session = d->session,
	    .recipients = q->recipient,
	    .recipient_count = 1,
	    .begin = VERB_RSET,
	    .anonymous = true,
	};
	enum hop_result got = HOP_OK;
	enum exchange ended;

	hop->owner = 0;
	if (!dialogue_refuses(&g)) {
		got = dialogue_run(&g);
		q->sender_refused = g.refused == VERB_MAIL;
	}
	*r = g.reply;
	if (got == HOP_OK && g.refused == VERB_NONE)
		r->code = 250; /* each RCPT was a 2xx */
	ended = exchange_of(hop, got);
	/* One that was told of a client at its start serves no other. */
	return ended == EXCHANGE_DONE && d->hold ? EXCHANGE_CLOSE : ended;
}

bool delivery_ask_anonymously(struct delivery *d, const struct recipient *r, struct hop_reply *out)
{
	struct question q = {.recipient = r};

	if (d->routes->metrics)
		metric_add(d->routes->metrics, METRIC_hop_questions, 1);
	delivery_exchange(d, ask_anonymously, &q, out);
	return !q.sender_refused;
}
