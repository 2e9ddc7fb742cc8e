/* RCPT (RFC 5321 4.1.1.3): one recipient, judged by everything that is known so far. */
#include "worker/smtp/command.h"
#include "worker/smtp/esmtp.h"
#include "worker/smtp/reply.h"
#include "worker/smtp/session_log.h"

static bool after_keyword(struct text *args)
{
	if (!text_istarts(*args, LIT("TO:")))
		return false;
	*args = text_make(args->p + 3, args->n - 3);
	return true;
}

static bool parse(struct smtp_session *ss, struct text args, struct recipient *r)
{
	struct transaction *tx = &ss->tx;
	struct text params;

	if (!after_keyword(&args)) {
		reply_error(ss, REPLY_BAD_SYNTAX);
		return false;
	}
	switch (path_parse(args, PATH_FORWARD, tx->smtputf8, &tx->arena, &r->mailbox, &params)) {
	case ADDRESS_OK:
		break;
	case ADDRESS_NEEDS_SMTPUTF8:
		reply_error(ss, REPLY_NEEDS_SMTPUTF8);
		return false;
	default:
		reply_error(ss, REPLY_BAD_RECIPIENT);
		return false;
	}
	const enum esmtp_result e = esmtp_rcpt(params, &ss->server->config->global, tx, r);
	if (e == ESMTP_OK)
		return true;
	reply_error(ss, e == ESMTP_UNKNOWN ? REPLY_BAD_PARAMETER : REPLY_BAD_SYNTAX);
	return false;
}

/* <Postmaster> without a domain is ours wherever it is said (RFC 5321 4.5.1): that of the domain
 * named like us, else of the first one. */
static void complete_postmaster(struct smtp_session *ss, struct recipient *r)
{
	const struct config *c = ss->server->config;
	const struct domain *d = config_domain(c, c->global.hostname);

	for (size_t i = 0; !d && i < c->domain_count; i++) {
		if (!c->domains[i].subdomains)
			d = &c->domains[i];
	}
	if (!d)
		return;
	r->mailbox.domain = d->subdomains ? c->global.hostname : d->name;
	r->mailbox.whole = arena_printf(&ss->tx.arena, "%.*s@%.*s", TEXT(r->mailbox.local),
					TEXT(r->mailbox.domain));
}

/* Whose recipient it is and where its mail goes. */
static void resolve(struct smtp_session *ss, struct recipient *r)
{
	const struct config *c = ss->server->config;

	if (r->mailbox.domain.n == 0)
		complete_postmaster(ss, r);
	r->domain = config_domain(c, r->mailbox.domain);
	if (ss->s.listener->route) {
		/* One way for all, and one set of rules: none of them has to wait for another
		 * message. */
		r->settings = &c->base;
		r->route = r->domain || ss->s.own ? ss->s.listener->route : NULL;
	} else {
		r->settings = r->domain ? r->domain->settings : &c->base;
		r->route = r->domain ? r->domain->route : ss->s.own ? c->relay_route : NULL;
	}
	r->is_role = r->domain && mailbox_is_postmaster(&r->mailbox);
}

static bool is_lmtp(const struct route *route)
{
	for (size_t i = 0; i < route->host_count; i++) {
		if (route->hosts[i].kind == HOP_LMTP)
			return true;
	}
	return false;
}

/* May it stand beside the recipients that there are?  An LMTP hop answers for each recipient after
 * the data, which can't be told to an SMTP client: so it gets one a message. */
static bool goes_with_others(const struct smtp_session *ss, const struct recipient *r)
{
	const struct transaction *tx = &ss->tx;
	const struct recipient *first = tx->recipients;

	if (tx->recipient_count == 0 || !r->route || ss->s.listener->route)
		return true;
	if (first->route != r->route || is_lmtp(r->route))
		return false;
	if (!first->domain || !r->domain)
		return first->domain == r->domain;
	return first->domain->group == r->domain->group;
}

static void add(struct transaction *tx, const struct recipient *r)
{
	if (tx->recipient_count == tx->recipient_capacity) {
		const size_t capacity = tx->recipient_capacity ? 4 * tx->recipient_capacity : 2;
		struct recipient *v = arena_alloc(&tx->arena, capacity * sizeof(*v));

		if (tx->recipient_count)
			memcpy(v, tx->recipients, tx->recipient_count * sizeof(*v));
		tx->recipients = v;
		tx->recipient_capacity = capacity;
	}
	tx->recipients[tx->recipient_count++] = *r;
}

/* Judged and refused: the log wants to know. */
static void refuse(struct smtp_session *ss, const struct recipient *r, const struct decision *d)
{
	/* Refusals keep a little memory each until the transaction ends: nobody needs more of them
	 * than there may be recipients. */
	if (++ss->tx.recipients_refused > (unsigned)ss->server->config->global.max_recipients)
		ss->errors++;
	if (ss->tx.recipient_count == 0)
		session_log_refused_recipient(ss, r, d);
	reply_decision(ss, d);
}

static void judge(struct smtp_session *ss, struct recipient *r)
{
	struct decision d;

	ss->asked++;
	ss->s.rcpt = r;
	d = engine_rcpt(&ss->s, r);
	ss->s.rcpt = NULL;
	if (d.refused) {
		refuse(ss, r, &d);
		return;
	}
	add(&ss->tx, r);
	/* What was refused before is no longer what became of the transaction. */
	ss->log = (struct message_log){.check = -1, .start_us = ss->log.start_us};
	ss->state = SMTP_RCPT;
	reply_ok(ss, 250, "2.1.5", "Ok");
}

void cmd_rcpt(struct smtp_session *ss, struct text args)
{
	struct recipient r = {0};

	/* Before anything is kept of it: a client that goes on and on costs no memory. */
	if (ss->tx.recipient_count >= (size_t)ss->server->config->global.max_recipients) {
		reply_again(ss, REPLY_TOO_MANY_RECIPIENTS);
		return;
	}
	if (!parse(ss, args, &r))
		return;
	resolve(ss, &r);
	if (!goes_with_others(ss, &r)) {
		reply_again(ss, REPLY_OTHER_ROUTE);
		return;
	}
	judge(ss, &r);
}
