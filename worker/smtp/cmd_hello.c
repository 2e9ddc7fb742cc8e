/* HELO and EHLO (RFC 5321 4.1.1.1): who the client says it is.  Both also end a transaction. */
#include "worker/smtp/command.h"
#include "worker/smtp/log_in.h"
#include "worker/smtp/reply.h"
#include "worker/smtp/secure.h"

#define HELO_MAX 255
/* A client has one name; who gives more than this is in error each time. */
#define NAMES_MAX 5

/* A name that is no domain is taken as well, for policy to judge; what could not stand in a line of
 * Received or of a log is not. */
static bool name_is_usable(struct text name)
{
	if (name.n == 0 || name.n > HELO_MAX)
		return false;
	for (size_t i = 0; i < name.n; i++) {
		if (name.p[i] <= ' ' || name.p[i] > '~')
			return false;
	}
	return true;
}

/* A new name costs memory and is judged; the same name again, as often as the client likes, is not.
 */
static void take_name(struct smtp_session *ss, struct text name)
{
	if (++ss->names > NAMES_MAX)
		ss->errors++;
	ss->s.helo = arena_text(ss->s.arena, name);
	engine_helo(&ss->s);
}

static void answer_ehlo(struct smtp_session *ss)
{
	const struct smtp_texts *t = &ss->server->texts;

	conn_put(&ss->conn, t->ehlo_first.p, t->ehlo_first.n);
	if (secure_is_offered(ss))
		conn_put(&ss->conn, "250-STARTTLS\r\n", 14);
	log_in_put_offer(ss);
	conn_put(&ss->conn, t->ehlo_rest.p, t->ehlo_rest.n);
}

void smtp_hello_again(struct smtp_session *ss)
{
	const struct helo_before before = ss->helo_before;

	if (ss->s.helo.n || before.name.n == 0)
		return;
	ss->helo_before.name = LIT("");
	ss->s.esmtp = before.esmtp;
	take_name(ss, before.name);
}

static void hello(struct smtp_session *ss, struct text args, bool esmtp)
{
	struct text name, rest;

	/* Some clients add words of their own behind the name. */
	text_split(args, ' ', &name, &rest);
	if (!name_is_usable(name)) {
		const struct decision d = engine_reply(&ss->s, REPLY_BAD_SYNTAX);

		ss->errors++;
		metric_add(ss->server->slot, METRIC_protocol_errors, 1);
		reply_decision_plain(ss, &d);
		return;
	}
	smtp_transaction_end(ss);
	ss->s.esmtp = esmtp;
	ss->state = SMTP_READY;
	if (!text_eq(ss->s.helo, name))
		take_name(ss, name);
	ss->helo_before.name = LIT("");
	if (esmtp)
		answer_ehlo(ss);
	else
		conn_put(&ss->conn, ss->server->texts.helo.p, ss->server->texts.helo.n);
}

void cmd_helo(struct smtp_session *ss, struct text args)
{
	hello(ss, args, false);
}

void cmd_ehlo(struct smtp_session *ss, struct text args)
{
	hello(ss, args, true);
}
