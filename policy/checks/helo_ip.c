/* HELO/EHLO must not be a bare IP address (RFC 5321 4.1.3).
 *
 * A literal in brackets is legal; it passes unless `helo-ip.literals` is off. */
#include "policy/check.h"

struct verdict check_helo_ip(const struct session *s, const struct settings *set)
{
	if (ip_parse_literal(s->helo, NULL)) {
		if (set->helo_ip.literals)
			return pass();
	} else if (!ip_parse(s->helo, NULL)) {
		return pass();
	}
	return reject(REPLY_HELO_IS_IP, LIT(""), fact(s, "HELO %.*s", TEXT(s->helo)));
}
