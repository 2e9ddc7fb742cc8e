/* The sender's local part has restricted characters.  Honest senders have more kinds than
 * recipients do (X.400 gateways write '/', VERP '%'), hence an option list of its own, empty by
 * default. */
#include "policy/restricted.h"

struct verdict check_restricted_sender(const struct session *s, const struct settings *set)
{
	const struct restricted_sender_settings *mine = &set->restricted_sender;
	struct text why;

	if (s->tx->null_sender)
		return pass();
	why = restricted_reason(s, &s->tx->from, mine->characters, mine->leading_dot, true);
	return text_empty(why) ? pass() : reject(REPLY_RESTRICTED_SENDER, LIT(""), why);
}
