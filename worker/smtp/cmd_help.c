/* HELP (RFC 5321 4.1.1.8). */
#include "worker/smtp/command.h"
#include "worker/smtp/reply.h"

void cmd_help(struct smtp_session *ss, struct text args)
{
	const struct text url = ss->server->config->global.help_url;

	(void)args;
	if (url.n)
		reply_ok(ss, 214, "2.0.0", "Each refusal has an id; what it means: %.*s",
			 TEXT(url));
	else
		reply_ok(ss, 214, "2.0.0", "Each refusal has an id; tell it to the postmaster");
}
