/* NOOP (RFC 5321 4.1.1.9); a parameter is allowed and means nothing. */
#include "worker/smtp/command.h"
#include "worker/smtp/reply.h"

void cmd_noop(struct smtp_session *ss, struct text args)
{
	(void)args;
	reply_ok(ss, 250, "2.0.0", "Ok");
}
