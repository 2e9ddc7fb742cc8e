/* A bounce (null sender) goes to the one address that the message came from, so it has one
 * recipient. */
#include "policy/check.h"

struct verdict check_bounce_recipients(const struct session *s, const struct settings *set)
{
	(void)set;
	if (!s->tx->null_sender || s->tx->recipient_count == 0)
		return pass();
	return reject(REPLY_BOUNCE_RECIPIENTS, LIT(""),
		      fact(s, "<> to %.*s and %.*s", TEXT(s->tx->recipients[0].mailbox.whole),
			   TEXT(s->rcpt->mailbox.whole)));
}
