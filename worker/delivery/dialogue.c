/* The commands of one transaction with a hop (worker/delivery/dialogue.h). */
#include "worker/delivery/dialogue.h"

#include "worker/delivery/client_info.h"
#include "worker/delivery/host.h"

/* A place in the sequence of commands. */
struct step {
	enum verb verb;
	size_t i; /* the i-th XFORWARD or RCPT */
};

static bool step_exists(const struct dialogue *g, const struct step *s)
{
	switch (s->verb) {
	case VERB_RSET:
		return s->i == 0 && g->reset;
	case VERB_XFORWARD:
		return !g->anonymous && s->i < client_info_xforward_count(g->hop);
	case VERB_RCPT:
		return s->i < g->recipient_count;
	case VERB_DATA:
		return s->i == 0 && g->data;
	default:
		return s->i == 0;
	}
}

/* Goes on to the next command that is to be said; VERB_NONE: all have been. */
static struct step step_at(const struct dialogue *g, struct step s)
{
	while (s.verb != VERB_NONE && !step_exists(g, &s))
		s = (struct step){(enum verb)(s.verb + 1), 0};
	return s;
}

static struct step step_next(const struct dialogue *g, struct step s)
{
	s.i++;
	return step_at(g, s);
}

static void put_parameter(struct hop *h, struct text t)
{
	if (text_empty(t))
		return;
	hop_put(h, LIT(" "));
	hop_put(h, t);
}

static void put_mail(const struct dialogue *g)
{
	const struct transaction *tx = g->session->tx;
	struct hop *h = g->hop;

	h->transaction = true;
	if (g->anonymous) {
		hop_put(h, LIT("MAIL FROM:<>"));
		hop_put(h, g->recipients->mailbox.utf8 ? LIT(" SMTPUTF8\r\n") : LIT("\r\n"));
		return;
	}
	hop_put(h, LIT("MAIL FROM:<"));
	hop_put(h, tx->from.whole);
	hop_put(h, LIT(">"));
	if (g->size && hop_offers(h, HOP_SIZE)) {
		hop_put(h, LIT(" SIZE="));
		hop_put_u64(h, g->size);
	}
	if (tx->body_8bit && hop_offers(h, HOP_8BITMIME))
		hop_put(h, LIT(" BODY=8BITMIME"));
	if (tx->smtputf8 && hop_offers(h, HOP_SMTPUTF8))
		hop_put(h, LIT(" SMTPUTF8"));
	if (hop_offers(h, HOP_DSN))
		put_parameter(h, text_trim(tx->esmtp));
	hop_put(h, LIT("\r\n"));
}

static void put_rcpt(const struct dialogue *g, const struct recipient *r)
{
	struct hop *h = g->hop;

	hop_put(h, LIT("RCPT TO:<"));
	hop_put(h, r->mailbox.whole);
	hop_put(h, LIT(">"));
	if (hop_offers(h, HOP_DSN))
		put_parameter(h, text_trim(r->esmtp));
	hop_put(h, LIT("\r\n"));
}

static void step_put(const struct dialogue *g, struct step s)
{
	switch (s.verb) {
	case VERB_RSET:
		hop_put(g->hop, LIT("RSET\r\n"));
		break;
	case VERB_XFORWARD:
		client_info_put_xforward(g->hop, g->session, (unsigned)s.i);
		break;
	case VERB_MAIL:
		put_mail(g);
		break;
	case VERB_RCPT:
		put_rcpt(g, &g->recipients[s.i]);
		break;
	default:
		hop_put(g->hop, LIT("DATA\r\n"));
		break;
	}
}

/* Judges a reply: what is neither a yes nor a refusal is nonsense. */
static enum hop_result step_judge(struct dialogue *g, struct step s, const struct response *r)
{
	bool refusal = response_is(r, 4) || response_is(r, 5);
	bool yes = s.verb == VERB_DATA ? r->code == 354 : response_is(r, 2);

	g->in_data = s.verb == VERB_DATA && yes;
	if (!yes && !refusal)
		return HOP_NONSENSE;
	if (s.verb == VERB_XFORWARD)
		return HOP_OK; /* information only: the mail goes on without it */
	if (s.verb == VERB_RSET)
		return yes ? HOP_OK : HOP_NONSENSE;
	if (refusal && g->refused == VERB_NONE) {
		g->refused = s.verb;
		g->reply = *r;
	}
	return HOP_OK;
}

static enum hop_result step_take(struct dialogue *g, struct step s)
{
	int64_t timeout_us = g->hop->host->route->set.reply_timeout;
	struct response r;
	enum hop_result got = hop_read(g->hop, timeout_us, &r);

	if (got != HOP_OK) {
		if (g->refused == VERB_NONE)
			g->reply = r;
		return got;
	}
	g->replies++;
	return step_judge(g, s, &r);
}

static enum hop_result one_by_one(struct dialogue *g, struct step begin)
{
	enum hop_result got = HOP_OK;

	for (struct step s = begin; s.verb != VERB_NONE; s = step_next(g, s)) {
		step_put(g, s);
		got = step_take(g, s);
		if (got != HOP_OK || g->refused != VERB_NONE)
			break;
	}
	return got;
}

static struct step dialogue_begin(struct dialogue *g)
{
	g->reset = g->begin == VERB_RSET && g->hop->transaction;
	g->replies = 0;
	g->refused = VERB_NONE;
	g->in_data = false;
	response_start(&g->reply);
	return step_at(g, (struct step){g->begin, 0});
}

void dialogue_put(struct dialogue *g)
{
	for (struct step s = dialogue_begin(g); s.verb != VERB_NONE; s = step_next(g, s))
		step_put(g, s);
}

enum hop_result dialogue_take(struct dialogue *g)
{
	struct step s = step_at(g, (struct step){g->begin, 0});
	enum hop_result got = HOP_OK;

	for (; s.verb != VERB_NONE && got == HOP_OK; s = step_next(g, s))
		got = step_take(g, s);
	return got;
}

enum hop_result dialogue_run(struct dialogue *g)
{
	if (!hop_offers(g->hop, HOP_PIPELINING))
		return one_by_one(g, dialogue_begin(g));
	dialogue_put(g);
	return dialogue_take(g);
}

bool dialogue_refuses(struct dialogue *g)
{
	static const char text[] = "The next hop does not take addresses of UTF-8";
	bool utf8 = !g->anonymous && g->session->tx->from.utf8;

	for (size_t i = 0; i < g->recipient_count; i++)
		utf8 |= g->recipients[i].mailbox.utf8;
	if (!utf8 || hop_offers(g->hop, HOP_SMTPUTF8))
		return false;
	g->refused = VERB_MAIL;
	response_start(&g->reply);
	g->reply.code = 553;
	memcpy(g->reply.enhanced, "5.6.7", 6);
	g->reply.text_n = sizeof(text) - 1;
	memcpy(g->reply.text, text, g->reply.text_n);
	return true;
}
