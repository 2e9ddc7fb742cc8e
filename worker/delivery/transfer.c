/* Delivering a message to a next hop: delivery_send().
 *
 * Only a 2xx after the end of the message is success.  As long as its last byte has not been handed
 * to the kernel, a broken connection means that it can't have been accepted, and it may be said
 * again elsewhere; afterwards it means that nobody knows: 451, and perhaps a duplicate, but never a
 * loss.
 *
 * Three ways, by what the hop offers:
 *   CHUNKING and PIPELINING, one recipient, in memory: RSET, MAIL, RCPT, BDAT LAST and the message
 * in one write, one wait (RFC 3030, 2920) CHUNKING:       the commands, their replies; BDAT LAST
 * and the message else:           the commands with DATA, their replies; the message with its dots
 * doubled */
#include "worker/delivery/maildir.h"
#include "worker/delivery/outflow.h"
#include "worker/delivery/transaction.h"

/* Those of the message are the ones that were accepted in the transaction which is open there. */
static bool is_prepared(const struct delivery *d, const struct hop *hop)
{
	const struct transaction *tx = d->session->tx;

	if (!delivery_owns(d, hop) || d->taken_count != tx->recipient_count)
		return false;
	for (size_t i = 0; i < d->taken_count; i++)
		if (!text_eq(d->taken[i], tx->recipients[i].mailbox.whole))
			return false;
	return true;
}

static void put_bdat(struct hop *hop, const struct payload *p)
{
	hop_put(hop, LIT("BDAT "));
	hop_put_u64(hop, payload_size(p));
	hop_put(hop, LIT(" LAST\r\n"));
}

static enum hop_result send_body(struct hop *hop, const struct payload *p, bool stuff)
{
	return outflow_send(hop, hop->host->route->set.final_timeout, stuff, p);
}

/* The reply after the message, the one that counts. */
static enum exchange take_final(struct hop *hop, bool bdat, struct response *r)
{
	enum hop_result got = hop_read(hop, hop->host->route->set.final_timeout, r);

	if (got == HOP_GONE && r->code == 421)
		return EXCHANGE_CLOSE; /* an answer all the same: not accepted */
	if (got != HOP_OK || response_is(r, 3)) {
		r->code = 0;
		return EXCHANGE_LOST;
	}
	/* The end of the data ends the transaction; a BDAT that failed does not (RFC 3030 2). */
	hop->transaction = bdat && !response_is(r, 2);
	return EXCHANGE_DONE;
}

/* A refusal before the data.  One recipient's says nothing of the others: with several it is 451.
 */
static enum exchange refused(struct delivery *d, const struct dialogue *g, struct response *r)
{
	*r = g->reply;
	if (g->refused == VERB_RCPT && d->session->tx->recipient_count > 1)
		r->code = 0;
	/* The hop waits for a message that it must not get. */
	return g->in_data ? EXCHANGE_CLOSE : EXCHANGE_DONE;
}

static enum exchange send_at_once(struct delivery *d, struct dialogue *g, const struct payload *p,
				  struct response *r)
{
	enum hop_result got;

	dialogue_put(g);
	put_bdat(g->hop, p);
	got = send_body(g->hop, p, false);
	if (got != HOP_OK)
		return exchange_of(g->hop, got);
	got = dialogue_take(g);
	if (g->refused != VERB_NONE) {
		/* Its reply to BDAT would say nothing new; and whether it has swallowed the chunk
		 * or takes it for commands is better not found out by using the connection again.
		 */
		refused(d, g, r);
		return EXCHANGE_CLOSE;
	}
	if (got != HOP_OK) {
		*r = g->reply;
		/* A 421 in the place of an earlier reply: it has not read on to the message. */
		return r->code == 421 ? EXCHANGE_AGAIN : EXCHANGE_LOST;
	}
	return take_final(g->hop, true, r);
}

static enum exchange send_by_steps(struct delivery *d, struct dialogue *g, const struct payload *p,
				   struct response *r)
{
	bool bdat = hop_offers(g->hop, HOP_CHUNKING);
	enum hop_result got;

	g->data = !bdat;
	got = dialogue_run(g);
	*r = g->reply;
	if (got != HOP_OK)
		return exchange_of(g->hop, got);
	if (g->refused != VERB_NONE)
		return refused(d, g, r);
	if (bdat)
		put_bdat(g->hop, p);
	got = send_body(g->hop, p, !bdat);
	if (got != HOP_OK)
		return exchange_of(g->hop, got);
	return take_final(g->hop, bdat, r);
}

static enum exchange transfer(struct delivery *d, struct hop *hop, void *arg, struct response *r)
{
	const struct payload *p = arg;
	const struct transaction *tx = d->session->tx;
	bool prepared = is_prepared(d, hop);
	struct dialogue g = {
	    .hop = hop,
	    .session = d->session,
	    .recipients = tx->recipients,
	    .recipient_count = tx->recipient_count,
	    .size = payload_size(p),
	    .begin = prepared ? VERB_DATA : VERB_RSET,
	};

	/* Whatever becomes of it, that transaction is over. */
	d->taken_count = 0;
	hop->owner = 0;
	if (dialogue_refuses(&g)) {
		*r = g.reply;
		return EXCHANGE_DONE;
	}
	if (hop_offers(hop, HOP_CHUNKING | HOP_PIPELINING) && tx->recipient_count == 1 &&
	    spool_in_memory(p->message))
		return send_at_once(d, &g, p, r);
	return send_by_steps(d, &g, p, r);
}

void delivery_send(struct delivery *d, const struct payload *p, struct hop_reply *out)
{
	const struct transaction *tx = d->session->tx;

	*out = (struct hop_reply){0};
	if (tx->recipient_count == 0 || spool_errno(p->message))
		return;
	if (d->state->maildir)
		maildir_deliver(d->state->maildir, tx, p, out);
	else if (d->state->route->hosts[0].kind != HOP_LMTP || tx->recipient_count == 1)
		delivery_exchange(d, transfer, (void *)p, out);
}
