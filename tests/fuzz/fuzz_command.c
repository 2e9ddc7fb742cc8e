/* Command lines: division into verb and arguments, parameters of MAIL and RCPT.  What is passed on
 * to the next hop stays on one line. */
#include "worker/smtp/command.h"
#include "worker/smtp/esmtp.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void require(bool fact)
{
	if (!fact)
		abort();
}

static void is_one_line(struct text t)
{
	for (size_t i = 0; i < t.n; i++)
		require((unsigned char)t.p[i] >= ' ' && t.p[i] != 0x7f);
}

static void parameters(struct text params)
{
	const struct global_settings g = {
	    .max_message_size = 1000000, .smtputf8 = true, .dsn = true};
	struct transaction tx = {0};
	struct recipient r = {0};

	arena_init(&tx.arena, NULL, NULL);
	if (esmtp_mail(params, &g, true, &tx) == ESMTP_OK) {
		require(tx.declared_size <= g.max_message_size);
		is_one_line(tx.esmtp);
	}
	if (esmtp_rcpt(params, &g, &tx, &r) == ESMTP_OK)
		is_one_line(r.esmtp);
	arena_reset(&tx.arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const struct text line = text_make((const char *)data, n);
	struct text args;
	const struct command *c = command_find(line, &args);

	command_is_foreign(line);
	if (!c)
		return 0;
	require(args.n == 0 || (args.p >= line.p && args.p + args.n <= line.p + line.n));
	parameters(args);
	return 0;
}
