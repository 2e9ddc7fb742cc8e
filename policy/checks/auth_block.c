/* The client is blocked for a while, because it guessed passwords (policy/auth.h counts them).
 *
 * Spoken at AUTH; at MAIL where nobody sends without it; under stress in the greeting there.  Its
 * mail to our own domains, on other listeners, is no matter of this check. */
#include "policy/auth.h"

struct verdict check_auth_block(const struct session *s, const struct settings *set)
{
	struct verdict v;
	struct tally why;

	(void)set;
	if (!block_stands(s, CHECK_auth_block, &why))
		return pass();
	v = reject(REPLY_AUTH_BLOCKED, LIT(""), auth_block_fact(s, why));
	v.remedy = block_remedy(s);
	return v;
}
