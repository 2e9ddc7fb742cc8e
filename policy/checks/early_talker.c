/* The client sent something before the greeting (RFC 5321 3.1 has it wait). */
#include "policy/check.h"

struct verdict check_early_talker(const struct session *s, const struct settings *set)
{
	(void)set;
	if (!s->early_talker)
		return pass();
	return reject(REPLY_EARLY_TALKER, LIT(""), LIT("bytes came before the greeting"));
}
