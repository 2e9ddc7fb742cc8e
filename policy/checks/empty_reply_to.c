/* Reply-To is there and blank.  No Reply-To at all is normal mail; web forms without a visitor's
 * address make blank ones, hence monitored by default. */
#include "policy/check.h"

struct verdict check_empty_reply_to(const struct session *s, const struct settings *set)
{
	const struct header_field *f;

	(void)set;
	if (!s->tx->header)
		return pass();
	f = header_find(s->tx->header, LIT("Reply-To"), NULL);
	if (!f || !reply_to_is_blank(f->body))
		return pass();
	return reject(
	    REPLY_EMPTY_REPLY_TO, LIT(""),
	    fact(s, "Reply-To:%.*s", (int)(f->body.n < 100 ? f->body.n : 100), f->body.p));
}
