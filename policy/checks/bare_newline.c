/* The message has a bare CR or LF, and `bare-newline = reject` (else they were made CR LF already).
 */
#include "policy/check.h"

struct verdict check_bare_newline(const struct session *s, const struct settings *set)
{
	if (!s->tx->bare_newlines || set->global->bare_newline != BARE_NEWLINE_REJECT)
		return pass();
	return reject(REPLY_BARE_NEWLINE, LIT(""), LIT("a CR or LF that stands alone"));
}
