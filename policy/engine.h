/* The engine: walks the checks of a phase in order, and alone knows of modes, exemptions, overrides by
 * domain, incidents, events and metrics.
 *
 * Verdicts of CONNECT, HELO and MAIL are kept in s->runs and spoken at RCPT: there, in table order, the
 * first that refuses and is `enforce` for the recipient decides.  Checks whose options the recipient's
 * domain overrides run again for it. */
#ifndef POLICY_ENGINE_H
#define POLICY_ENGINE_H

#include "policy/check.h"

/* What the SMTP layer is to say. */
struct decision {
	bool refused;
	bool close;              /* say it, then 421 and close */
	short code;
	struct text enhanced;    /* empty: none */
	struct text text;        /* with incident id and help-url, ready for the wire */
	enum reply_id reply;
	int check;               /* enum check_id, or -1 */
	uint64_t incident;       /* 0: none */
};

/* At accept, before the greeting: limits of connections, bans with --at-connect.  A decision that is
 * refused is the greeting (554 or 421). */
struct decision engine_connect(struct session *s);
/* After HELO/EHLO and MAIL (s->helo, s->tx->from stand). */
void engine_helo(struct session *s);
/* At MAIL only protocol can refuse (no HELO) and limits by login. */
struct decision engine_mail(struct session *s);
/* `r` is filled in (mailbox, domain, route, settings, is_role) and not yet in tx->recipients.  When it
 * passes, limits have been charged and the caller adds it. */
struct decision engine_rcpt(struct session *s, struct recipient *r);
/* Before 354. */
struct decision engine_data(struct session *s);
/* At the end of data (tx->header, tx->size stand), before delivery. */
struct decision engine_message(struct session *s);
/* After the 250: charges bytes, counts. */
void engine_accepted(struct session *s);

/* A reply of the catalog that needs no check: protocol, ours.  Incidents are made for final refusals. */
struct decision engine_reply(struct session *s, enum reply_id id);
/* What the next hop said after the data (or at the delivery), as our reply: its codes, its text by
 * option; a hop without an answer is 451. */
struct decision engine_hop_reply(struct session *s, const struct hop_reply *hop);

/* What a session that ends before RCPT would have got: for its log line; empty if nothing. */
struct text engine_would(const struct session *s);

/* Remembers that a recipient of this client does (not) exist: the count of dictionary attacks.  True if
 * the client is blocked from now on (say DICTIONARY_ATTACK, close). */
bool engine_note_recipient(struct session *s, const struct recipient *r, bool exists);

#endif
