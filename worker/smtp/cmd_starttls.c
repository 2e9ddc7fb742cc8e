/* STARTTLS (RFC 3207): what follows is encrypted, and nothing that came before counts. */
#include "worker/smtp/command.h"
#include "worker/smtp/deadlines.h"
#include "worker/smtp/reply.h"
#include "worker/smtp/secure.h"

/* Whether the client has sent more than the command.  It has to wait for our reply: what comes
 * before it may be somebody else's, put in on the way to be taken for the client's own after the
 * handshake.
 */
static bool has_more(struct smtp_session *ss)
{
	return conn_buffered(&ss->conn) > 0 || conn_await_input(&ss->conn, 0) == CONN_OK;
}

/* RFC 3207 4.2: whatever the client has said is forgotten.  Its name is kept aside, since there are
 * clients that don't give it again. */
static void forget(struct smtp_session *ss)
{
	struct session *s = &ss->s;

	smtp_transaction_end(ss);
	ss->helo_before = (struct helo_before){s->helo, s->esmtp};
	s->helo = LIT("");
	s->esmtp = false;
	if (s->login.n) {
		s->login = s->login_senders = LIT("");
		s->own = config_trusted(s->config, &s->client);
	}
	ss->state = SMTP_NEW;
}

void cmd_starttls(struct smtp_session *ss, struct text args)
{
	if (ss->s.tls) {
		reply_error(ss, REPLY_BAD_SEQUENCE);
		return;
	}
	if (!secure_is_offered(ss)) {
		reply_error(ss, REPLY_NOT_IMPLEMENTED);
		return;
	}
	if (args.n) {
		reply_error(ss, REPLY_BAD_SYNTAX);
		return;
	}
	if (has_more(ss)) {
		reply_error(ss, REPLY_BAD_SEQUENCE);
		smtp_session_end(ss, "plain text after STARTTLS");
		return;
	}
	reply_ok(ss, 220, "2.0.0", "Ready to start TLS");
	const enum conn_result r = conn_flush(&ss->conn, deadline_handshake(ss));

	if (r != CONN_OK) {
		smtp_session_lost(ss, r);
		return;
	}
	forget(ss);
	secure_begin(ss);
}
