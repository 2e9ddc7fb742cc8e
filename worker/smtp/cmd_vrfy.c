/* VRFY (RFC 5321 3.5.3, 4.1.1.6): who exists is told to nobody but at RCPT. */
#include "worker/smtp/command.h"
#include "worker/smtp/reply.h"

void cmd_vrfy(struct smtp_session *ss, struct text args)
{
	if (args.n == 0)
		reply_error(ss, REPLY_BAD_SYNTAX);
	else
		reply_ok(ss, 252, "2.1.5", "Cannot verify the user, but will take mail for it");
}
