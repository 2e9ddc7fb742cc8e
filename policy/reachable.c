/* Networks where nobody's mail server is found by others (RFC 6890). */
#include "policy/reachable.h"

#define V4(a, b, bits)                                                                             \
	{                                                                                          \
		{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b}}, 96 + (bits)                    \
	}
static const struct net nowhere[] = {
    V4(0, 0, 8),
    V4(10, 0, 8),
    V4(127, 0, 8),
    V4(169, 254, 16),
    V4(172, 16, 12),
    V4(192, 168, 16),
    V4(192, 0, 24),
    V4(198, 18, 15),
    V4(100, 64, 10),
    V4(224, 0, 3),
    /* unspecified, loopback and IPv4-compatible; NAT64, 6to4; unique local, link-local, site-local,
       multicast */
    {{{0}}, 96},
    {{{0, 0x64, 0xff, 0x9b}}, 32},
    {{{0x20, 0x02}}, 16},
    {{{0xfc}}, 7},
    {{{0xfe, 0x80}}, 9},
    {{{0xff}}, 8},
};
#undef V4

bool ip_is_reachable(const struct ip *ip)
{
	for (size_t i = 0; i < sizeof(nowhere) / sizeof(nowhere[0]); i++) {
		if (net_contains(&nowhere[i], ip))
			return false;
	}
	return true;
}
