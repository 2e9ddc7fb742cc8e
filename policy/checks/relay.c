/* The recipient is not ours: only own clients may send there, and only where there is a route for
 * it. */
#include "policy/check.h"

struct verdict check_relay(const struct session *s, const struct settings *set)
{
	(void)set;
	if (s->rcpt->domain)
		return pass();
	if (!s->own)
		return refuse_by_policy(REPLY_RELAY_DENIED, LIT(""),
					fact(s,
					     "%.*s is no domain of ours, the client is no own one",
					     TEXT(s->rcpt->mailbox.domain)));
	if (!s->rcpt->route)
		return refuse_by_policy(REPLY_RELAY_DENIED, LIT(""),
					LIT("the client is an own one, but neither its listener "
					    "nor check relay has a route"));
	return pass();
}
