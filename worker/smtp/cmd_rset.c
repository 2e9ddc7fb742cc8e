/* RSET (RFC 5321 4.1.1.5): forgets the transaction. */
#include "worker/smtp/command.h"
#include "worker/smtp/reply.h"

void cmd_rset(struct smtp_session *ss, struct text args)
{
	if (args.n) {
		reply_error(ss, REPLY_BAD_SYNTAX);
		return;
	}
	smtp_transaction_end(ss);
	reply_ok(ss, 250, "2.0.0", "Ok");
}
