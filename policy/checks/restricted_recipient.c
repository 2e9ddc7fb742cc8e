/* The recipient's local part has restricted characters: source routes in disguise and their like.
 */
#include "policy/restricted.h"

struct verdict check_restricted_recipient(const struct session *s, const struct settings *set)
{
	const struct restricted_recipient_settings *mine = &set->restricted_recipient;
	struct text why =
	    restricted_reason(s, &s->rcpt->mailbox, mine->characters, mine->leading_dot, false);

	return text_empty(why) ? pass() : reject(REPLY_RESTRICTED_RECIPIENT, LIT(""), why);
}
