/* The client's address has no PTR record; with `confirmed`, none whose name points back.  What the
 * DNS said stands in the session (policy/host.h). */
#include "policy/check.h"

static struct verdict mismatch(const struct session *s)
{
	return reject(
	    REPLY_REVERSE_DNS_MISMATCH, s->client_text,
	    fact(s, "the PTR record says %.*s, which is not the client's address", TEXT(s->ptr)));
}

struct verdict check_reverse_dns(const struct session *s, const struct settings *set)
{
	const bool confirmed = set->reverse_dns.confirmed;

	switch (s->host_state) {
	case HOST_NONE:
		return reject(REPLY_REVERSE_DNS, s->client_text,
			      fact(s, "%.*s has no PTR record", TEXT(s->client_text)));
	case HOST_NO_ANSWER:
		return no_answer(set->reverse_dns.unknown,
				 LIT("no answer to the question for PTR records"));
	case HOST_UNCONFIRMED:
		return confirmed ? mismatch(s) : pass();
	case HOST_UNSURE:
		return confirmed
			   ? no_answer(set->reverse_dns.unknown,
				       fact(s, "no answer to the question for %.*s", TEXT(s->ptr)))
			   : pass();
	default:
		return pass();
	}
}
