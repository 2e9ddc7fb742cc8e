/* QUIT (RFC 5321 4.1.1.10). */
#include "worker/smtp/command.h"
#include "worker/smtp/reply.h"

void cmd_quit(struct smtp_session *ss, struct text args)
{
	if (args.n) {
		reply_error(ss, REPLY_BAD_SYNTAX);
		return;
	}
	reply_ok(ss, 221, "2.0.0", "%.*s closing the connection",
		 TEXT(ss->server->config->global.hostname));
	ss->quit = true;
	smtp_session_end(ss, "quit");
}
