/* MAIL (RFC 5321 4.1.1.2): opens a transaction. */
#include "worker/smtp/command.h"
#include "worker/smtp/esmtp.h"
#include "worker/smtp/log_in.h"
#include "worker/smtp/reply.h"
#include "worker/smtp/session_log.h"

/* "FROM:" and what follows; some clients put a blank before the path, which is taken. */
static bool after_keyword(struct text *args)
{
	if (!text_istarts(*args, LIT("FROM:")))
		return false;
	*args = text_make(args->p + 5, args->n - 5);
	return true;
}

static bool parse(struct smtp_session *ss, struct text args)
{
	static const enum reply_id replies[] = {
	    [ESMTP_BAD] = REPLY_BAD_SYNTAX,
	    [ESMTP_UNKNOWN] = REPLY_BAD_PARAMETER,
	    [ESMTP_TOO_BIG] = REPLY_TOO_BIG,
	};
	struct transaction *tx = &ss->tx;
	struct text params;

	if (!after_keyword(&args)) {
		reply_error(ss, REPLY_BAD_SYNTAX);
		return false;
	}
	if (path_parse(args, PATH_REVERSE, true, &tx->arena, &tx->from, &params) != ADDRESS_OK) {
		reply_error(ss, REPLY_BAD_SENDER);
		return false;
	}
	tx->null_sender = tx->from.whole.n == 0;
	const enum esmtp_result r =
	    esmtp_mail(params, &ss->server->config->global, log_in_is_offered(ss), tx);
	if (r == ESMTP_TOO_BIG) {
		/* No mistake of the protocol: it may try a smaller one. */
		reply_catalog(ss, REPLY_TOO_BIG);
		return false;
	}
	if (r != ESMTP_OK) {
		reply_error(ss, replies[r]);
		return false;
	}
	if (tx->from.utf8 && !tx->smtputf8) {
		reply_error(ss, REPLY_NEEDS_SMTPUTF8);
		return false;
	}
	return true;
}

static bool judge(struct smtp_session *ss)
{
	const struct decision d = engine_mail(&ss->s);

	if (!d.refused)
		return true;
	if (d.reply == REPLY_NO_HELO)
		ss->errors++;
	session_log_decision(ss, &d);
	reply_decision(ss, &d);
	return false;
}

void cmd_mail(struct smtp_session *ss, struct text args)
{
	if (ss->transactions >= (unsigned)ss->server->config->global.max_messages) {
		reply_catalog(ss, REPLY_TOO_MANY_MESSAGES);
		return;
	}
	smtp_hello_again(ss);
	smtp_transaction_begin(ss);
	if (!parse(ss, args)) {
		smtp_transaction_forget(ss);
		return;
	}
	if (!judge(ss)) {
		smtp_transaction_end(ss);
		return;
	}
	ss->transactions++;
	ss->state = SMTP_MAIL;
	reply_ok(ss, 250, "2.1.0", "Ok");
}
