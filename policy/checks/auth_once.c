/* The client has tried to log in as often as it may for one message, to slow down guessing.
 *
 * An attempt counts when its credentials were judged, right or wrong; one that the client broke
 * off, or that was malformed, doesn't.  (After a success the engine itself refuses: RFC 4954 4.) */
#include "policy/check.h"

struct verdict check_auth_once(const struct session *s, const struct settings *set)
{
	int64_t allowed = s->config->auth.attempts;

	(void)set;
	if (s->auth_attempts < allowed)
		return pass();
	return reject(REPLY_AUTH_ONCE, LIT(""),
		      fact(s, "%u attempts since the last message", s->auth_attempts));
}
