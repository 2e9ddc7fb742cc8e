/* Who speaks in plain to a recipient whose domain asks for TLS, or from a network of which TLS is
 * asked.
 *
 * A public MX must not ask it of everybody (RFC 3207 4): that is a listener's option `tls`, for
 * those that are not. */
#include "policy/check.h"

struct verdict check_tls_required(const struct session *s, const struct settings *set)
{
	const struct domain *d = s->rcpt->domain;

	if (s->tls)
		return pass();
	if (d && d->set.tls == DOMAIN_TLS_REQUIRED)
		return refuse_by_policy(
		    REPLY_TLS_REQUIRED, LIT(""),
		    fact(s, "domain %.*s is set to tls = required", TEXT(d->set.name)));
	if (nets_contain(&set->tls_required.clients, &s->client))
		return refuse_by_policy(REPLY_TLS_REQUIRED, LIT(""),
					LIT("the client is in the networks of check tls-required"));
	return pass();
}
