/* Is an address one where others find a mail server? */
#ifndef POLICY_REACHABLE_H
#define POLICY_REACHABLE_H

#include "shm/base/ip.h"

/* Not loopback, private, link-local, multicast and the like (RFC 6890), nor an IPv6 address that
 * only wraps an IPv4 one. */
bool ip_is_reachable(const struct ip *ip);

#endif
