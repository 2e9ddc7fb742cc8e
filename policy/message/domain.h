/* Domain names as the address parser needs them, with the reason why one is refused.  Others use
 * domain_is_valid and domain_to_ascii of address.h. */
#ifndef POLICY_MESSAGE_DOMAIN_H
#define POLICY_MESSAGE_DOMAIN_H

#include "policy/message/address.h"

/* *out: the form for look-ups, in the arena; not touched on an error. */
enum address_error domain_parse(struct text t, bool smtputf8, struct arena *a, struct text *out);

#endif
