/* Addresses and networks.  IPv4 is held as v4-mapped IPv6 (::ffff:a.b.c.d), so that one type, one
 * key and one comparison serve both. */
#ifndef SHM_BASE_IP_H
#define SHM_BASE_IP_H

#include "shm/base/text.h"

#include <sys/socket.h>

struct ip {
	uint8_t b[16];
};

struct net {
	struct ip ip; /* host bits are zero */
	uint8_t bits; /* of the mapped form: an IPv4 /24 is 120 */
};

/* Longest text: "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255" and "/128" and NUL. */
#define IP_TEXT_MAX  46
#define NET_TEXT_MAX 50

bool ip_is4(const struct ip *ip);
bool ip_eq(const struct ip *a, const struct ip *b);

/* Dotted quad or RFC 4291 text, nothing around it.  `out` may be NULL: only asks whether it is one.
 */
bool ip_parse(struct text t, struct ip *out);
/* The canonical form (RFC 5952; mapped addresses as dotted quad); returns dst. */
char *ip_format(const struct ip *ip, char dst[IP_TEXT_MAX]);

/* An address, or one with a port: "192.0.2.1", "192.0.2.1:53", "::1", "[::1]", "[::1]:53".  Without
 * one the port is `fallback`; 0 is none. */
bool ip_parse_port(struct text t, uint16_t fallback, struct ip *ip, uint16_t *port);

/* An address literal of RFC 5321 4.1.3, brackets included: "[192.0.2.1]", "[IPv6:...]". */
bool ip_parse_literal(struct text t, struct ip *out);

/* From an AF_INET or AF_INET6 address; false for other families. */
bool ip_from_sockaddr(const struct sockaddr *sa, struct ip *out, uint16_t *port);
/* Into a sockaddr_in (for mapped) or sockaddr_in6; returns its length. */
socklen_t ip_to_sockaddr(const struct ip *ip, uint16_t port, struct sockaddr_storage *out);

/* With the bits past `bits` (of the mapped form) cleared. */
struct ip ip_mask(const struct ip *ip, unsigned bits);

/* "192.0.2.0/24", "2001:db8::/32", or an address alone (its full length).  False if it is none, if
 * the length is out of range, or if host bits are set. */
bool net_parse(struct text t, struct net *out);
char *net_format(const struct net *net, char dst[NET_TEXT_MAX]);
bool net_contains(const struct net *net, const struct ip *ip);
bool net_covers(const struct net *outer, const struct net *inner);
/* The prefix length as people write it: of IPv4 for mapped networks. */
unsigned net_bits_shown(const struct net *net);

#endif
