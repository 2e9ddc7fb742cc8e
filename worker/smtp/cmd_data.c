/* DATA (RFC 5321 4.1.1.4): the message up to CR LF . CR LF. */
#include "worker/smtp/command.h"
#include "worker/smtp/reply.h"
#include "worker/smtp/session_log.h"

/* May the message begin? */
static bool judge(struct smtp_session *ss)
{
	const struct decision d = engine_data(&ss->s);

	if (d.refused) {
		session_log_decision(ss, &d);
		reply_decision(ss, &d);
		smtp_transaction_end(ss);
		return false;
	}
	if (smtp_intake_begin(ss, true))
		return true;
	reply_catalog(ss, REPLY_NO_SPACE);
	return false;
}

/* Until the end of data; false: the connection is gone. */
static bool receive(struct smtp_session *ss)
{
	struct intake *in = &ss->intake;

	while (!body_ended(&in->body)) {
		struct text block;
		const enum conn_result r = conn_read_some(
		    &ss->conn, &block, SIZE_MAX, conn_rate_deadline(&in->rate, in->received));

		if (r != CONN_OK) {
			smtp_session_lost(ss, r);
			return false;
		}
		const size_t used = body_feed(&in->body, block.p, block.n);
		in->received += used;
		conn_consume(&ss->conn, used);
	}
	return true;
}

void cmd_data(struct smtp_session *ss, struct text args)
{
	if (args.n) {
		reply_error(ss, REPLY_BAD_SYNTAX);
		return;
	}
	if (ss->tx.recipient_count == 0 && !ss->tx.poisoned) {
		reply_error(ss, REPLY_NO_RECIPIENTS);
		return;
	}
	if (!judge(ss))
		return;
	reply_ok(ss, 354, NULL, "End data with <CR><LF>.<CR><LF>");
	if (receive(ss))
		smtp_intake_finish(ss);
}
