/* The client said neither HELO nor EHLO (RFC 5321 4.1.4). */
#include "policy/check.h"

struct verdict check_no_helo(const struct session *s, const struct settings *set)
{
	(void)set;
	return text_empty(s->helo)
		   ? reject(REPLY_NO_HELO, LIT(""), LIT("MAIL without HELO or EHLO"))
		   : pass();
}
