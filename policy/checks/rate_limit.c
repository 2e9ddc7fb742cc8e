/* A limit of messages or recipients (or of bytes, by what SIZE= says) is reached.  Judged here,
 * charged by the engine once nothing else refuses the recipient.  Connections and the bytes that
 * came are judged at their own moments (policy/limits.h). */
#include "policy/limits.h"

struct verdict check_rate_limit(const struct session *s, const struct settings *set)
{
	(void)set;
	return limits_judge(s, MOMENT_RCPT);
}
