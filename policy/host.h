/* The client's name: what its PTR records say, and which of them point back to it (FCrDNS). */
#ifndef POLICY_HOST_H
#define POLICY_HOST_H

#include "policy/check.h"

/* Is the name asked for under these settings?  Not for own clients, nor where reverse-dns is off
 * and nobody is trusted by name. */
bool host_is_asked(const struct session *s, const struct settings *set);

/* Awaits the PTR records only, and starts what host_learn() will ask.  Yields. */
void host_prepare(const struct session *s, const struct settings *set);

/* Awaits the answers, once a session, and sets s->host_state, s->host and s->ptr.  When a name is
 * found, the checks that look at it have their say again.  Yields. */
void host_learn(struct session *s, const struct settings *set);

#endif
