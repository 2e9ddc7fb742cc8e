/* The engine: walks the checks of a phase in order, and alone knows of modes, exemptions, overrides
 * by domain, incidents, events and metrics.
 *
 * Verdicts of CONNECT, HELO and MAIL are kept in s->runs and spoken at RCPT: there, in table order,
 * the first that refuses and is `enforce` for the recipient decides.  Checks whose options the
 * recipient's domain overrides run again for it. */
#ifndef POLICY_ENGINE_H
#define POLICY_ENGINE_H

#include "policy/check.h"

/* What the SMTP layer is to say. */
struct decision {
	bool refused;
	bool close; /* say it, then `closing` (a 421) and close */
	enum reply_id closing;
	short code;
	struct text enhanced; /* empty: none */
	struct text text;     /* with incident id and help-url, ready for the wire */
	enum reply_id reply;
	int check; /* enum check_id, or -1 */
	enum cause cause;
	uint64_t incident; /* 0: none */
};

/* The engine counts the metrics of messages, recipients, bytes, undecided checks and noted
 * refusals; the caller counts connections and protocol errors.  A decision's texts live in the
 * transaction's arena if there is a transaction, else in the session's. */

/* Right before the greeting (s->early_talker stands): limits of connections, bans with
 * --at-connect, under stress blocks.  Sets s->runs.  A decision that is refused is the greeting
 * (554 or 421, without enhanced code). */
struct decision engine_connect(struct session *s);
/* After HELO/EHLO and MAIL (s->helo, s->tx->from stand). */
void engine_helo(struct session *s);
/* At MAIL, with s->tx made and filled in: only a missing HELO, an address that isn't the login's,
 * and limits by login refuse here (drop the transaction then).  s->helo may be empty. */
struct decision engine_mail(struct session *s);
/* At AUTH, before the client is asked for its credentials, and once more before it is told what
 * they are worth, since others of its sessions may have got it blocked meanwhile: blocked (535),
 * its attempts used up (503 with `close`), or logged in already (503).  A refusal counts as an
 * error of the client's. */
struct decision engine_auth(struct session *s);
/* In place of a command that leads to mail, where nobody sends without a login and the client has
 * none: always a refusal, 530 or, where it is blocked for guessing passwords, 550. */
struct decision engine_login_missing(struct session *s);
/* `r` is filled in (mailbox, domain, route, settings, is_role) and not yet in tx->recipients.  When
 * it passes, limits have been charged and the caller adds it.  That it goes another way than the
 * first recipient (OTHER_ROUTE), or is one too many, is for the caller to say before.  May yield
 * (the next hop is asked).  A dictionary attack is noticed here: 550 with `close`. */
struct decision engine_rcpt(struct session *s, struct recipient *r);
/* Before 354 (or the first BDAT): a bounce that had two recipients is refused here too. */
struct decision engine_data(struct session *s);
/* At the end of data (tx->header, tx->size stand), before delivery. */
struct decision engine_message(struct session *s);
/* The transaction is over (s->tx is NULL, its arena not yet reset): forgets what was judged of it.
 */
void engine_end_transaction(struct session *s);
/* After the 250: charges bytes, counts. */
void engine_accepted(struct session *s);

/* A reply of the catalog that needs no check: protocol, ours.  Incidents are made for what is final
 * about a message or recipient (TOO_BIG, TOO_MANY_HOPS ...), not for errors of the protocol. */
struct decision engine_reply(struct session *s, enum reply_id id);
/* What the next hop said after the data (or at the delivery), as our reply: its codes, its text by
 * option; a hop without an answer is 451. */
struct decision engine_hop_reply(struct session *s, const struct hop_reply *hop);

/* What would have been refused, by the verdicts that stand now and weren't spoken: "banned-client:
 * 550 5.7.1 The sender ... is banned; helo-ip: ...".  For the log line of a message in monitor
 * mode, and of a session that ends before RCPT; empty if nothing.  Call it before the transaction's
 * arena is reset. */
struct text engine_would(const struct session *s);

/* What of the message no check could look into: "attachment: not inspected: encrypted"; empty:
 * nothing.  As engine_would(). */
struct text engine_not_inspected(const struct session *s);

#endif
