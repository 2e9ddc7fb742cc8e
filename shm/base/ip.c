/* Addresses and networks: parsing, the canonical text, masks. */
#include "shm/base/ip.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

enum { MAPPED_BITS = 96 };

bool ip_is4(const struct ip *ip)
{
	return memcmp(ip->b, mapped_prefix, sizeof(mapped_prefix)) == 0;
}

bool ip_eq(const struct ip *a, const struct ip *b)
{
	return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

static struct ip ip_from4(const void *four)
{
	struct ip ip;

	memcpy(ip.b, mapped_prefix, sizeof(mapped_prefix));
	memcpy(ip.b + 12, four, 4);
	return ip;
}

bool ip_parse(struct text t, struct ip *out)
{
	char s[INET6_ADDRSTRLEN];
	struct ip ip;
	uint8_t four[4];

	if (t.n == 0 || t.n >= sizeof(s) || text_find(t, '\0') < t.n)
		return false;
	text_cstr(t, s, sizeof(s));
	if (inet_pton(AF_INET, s, four) == 1)
		ip = ip_from4(four);
	else if (inet_pton(AF_INET6, s, ip.b) != 1)
		return false;
	if (out)
		*out = ip;
	return true;
}

/* The longest run of two or more zero groups, the first of equals (RFC 5952 4.2): its length. */
static int longest_zero_run(const unsigned group[8], int *start)
{
	int best = 0;

	*start = -1;
	for (int i = 0; i < 8; i++) {
		int n = 0;

		while (i + n < 8 && group[i + n] == 0)
			n++;
		if (n >= 2 && n > best) {
			best = n;
			*start = i;
		}
		i += n;
	}
	return best;
}

/* inet_ntop(3) writes ::1:2 as "::0.1.0.2", which RFC 5952 doesn't. */
static void format6(const struct ip *ip, struct buf *b)
{
	unsigned group[8];
	int start, run;

	for (int i = 0; i < 8; i++)
		group[i] = (unsigned)ip->b[2 * i] << 8 | ip->b[2 * i + 1];
	run = longest_zero_run(group, &start);
	for (int i = 0; i < 8; i++) {
		if (i == start) {
			buf_put(b, "::", 2);
			i += run - 1;
			continue;
		}
		if (i > 0 && i != start + run)
			buf_char(b, ':');
		buf_printf(b, "%x", group[i]);
	}
}

static void format4(const struct ip *ip, struct buf *b)
{
	for (int i = 12; i < 16; i++) {
		if (i > 12)
			buf_char(b, '.');
		buf_u64(b, ip->b[i]);
	}
}

char *ip_format(const struct ip *ip, char dst[IP_TEXT_MAX])
{
	struct buf b = buf_over(dst, IP_TEXT_MAX);

	if (ip_is4(ip))
		format4(ip, &b);
	else
		format6(ip, &b);
	return dst;
}

static bool port_parse(struct text t, uint16_t *port)
{
	uint64_t n;

	if (!text_u64(t, &n) || n == 0 || n > 65535)
		return false;
	*port = (uint16_t)n;
	return true;
}

static bool parse_with_port(struct text t, struct ip *ip, uint16_t *port)
{
	struct text host, rest;

	if (ip_parse(t, ip))
		return true;
	if (t.n == 0 || t.p[0] != '[')
		return text_split(t, ':', &host, &rest) && ip_parse(host, ip) &&
		       port_parse(rest, port);
	if (!text_split(text_make(t.p + 1, t.n - 1), ']', &host, &rest) || !ip_parse(host, ip) ||
	    ip_is4(ip))
		return false;
	return rest.n == 0 ||
	       (rest.p[0] == ':' && port_parse(text_make(rest.p + 1, rest.n - 1), port));
}

bool ip_parse_port(struct text t, uint16_t fallback, struct ip *ip, uint16_t *port)
{
	struct ip parsed = {0};

	*port = fallback;
	if (!parse_with_port(t, &parsed, port))
		return false;
	*ip = parsed;
	return true;
}

bool ip_parse_literal(struct text t, struct ip *out)
{
	static const struct text tag = LIT("IPv6:");
	struct text inner;

	if (t.n < 2 || t.p[0] != '[' || t.p[t.n - 1] != ']')
		return false;
	inner = text_make(t.p + 1, t.n - 2);
	if (text_istarts(inner, tag)) {
		inner = text_make(inner.p + tag.n, inner.n - tag.n);
		return text_find(inner, ':') < inner.n && ip_parse(inner, out);
	}
	return text_find(inner, ':') == inner.n && ip_parse(inner, out);
}

bool ip_from_sockaddr(const struct sockaddr *sa, struct ip *out, uint16_t *port)
{
	if (sa->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)sa;

		*out = ip_from4(&in->sin_addr);
		if (port)
			*port = ntohs(in->sin_port);
		return true;
	}
	if (sa->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const void *)sa;

		memcpy(out->b, &in6->sin6_addr, sizeof(out->b));
		if (port)
			*port = ntohs(in6->sin6_port);
		return true;
	}
	return false;
}

socklen_t ip_to_sockaddr(const struct ip *ip, uint16_t port, struct sockaddr_storage *out)
{
	memset(out, 0, sizeof(*out));
	if (ip_is4(ip)) {
		struct sockaddr_in *in = (void *)out;

		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		memcpy(&in->sin_addr, ip->b + 12, 4);
		return sizeof(*in);
	}
	struct sockaddr_in6 *in6 = (void *)out;

	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(port);
	memcpy(&in6->sin6_addr, ip->b, sizeof(ip->b));
	return sizeof(*in6);
}

struct ip ip_mask(const struct ip *ip, unsigned bits)
{
	struct ip m = *ip;

	for (unsigned i = 0; i < sizeof(m.b); i++) {
		if (bits >= 8 * (i + 1))
			continue;
		m.b[i] &= bits <= 8 * i ? 0 : (uint8_t)(0xff00 >> (bits - 8 * i));
	}
	return m;
}

bool net_parse(struct text t, struct net *out)
{
	struct text address, length;
	bool has_length = text_split(t, '/', &address, &length);
	unsigned base = text_find(address, ':') < address.n ? 0 : MAPPED_BITS;
	uint64_t bits = 128 - base;
	struct net net;

	if (!ip_parse(address, &net.ip))
		return false;
	if (has_length) {
		/* "/024" has no second meaning, but no first one either */
		if (length.n > 3 || (length.n > 1 && length.p[0] == '0'))
			return false;
		if (!text_u64(length, &bits) || bits > 128 - base)
			return false;
	}
	net.bits = (uint8_t)(base + bits);
	struct ip masked = ip_mask(&net.ip, net.bits);
	if (!ip_eq(&masked, &net.ip))
		return false;
	*out = net;
	return true;
}

static bool net_is4(const struct net *net)
{
	return net->bits >= MAPPED_BITS && ip_is4(&net->ip);
}

unsigned net_bits_shown(const struct net *net)
{
	return net_is4(net) ? net->bits - MAPPED_BITS : net->bits;
}

char *net_format(const struct net *net, char dst[NET_TEXT_MAX])
{
	char address[IP_TEXT_MAX];
	struct buf b = buf_over(dst, NET_TEXT_MAX);

	buf_printf(&b, "%s/%u", ip_format(&net->ip, address), net_bits_shown(net));
	return dst;
}

bool net_contains(const struct net *net, const struct ip *ip)
{
	/* ::/0 means all of IPv6, as everywhere else, though mapped IPv4 lies inside it as bits */
	if (net->bits < MAPPED_BITS && ip_is4(ip))
		return false;
	struct ip masked = ip_mask(ip, net->bits);
	return ip_eq(&masked, &net->ip);
}

bool net_covers(const struct net *outer, const struct net *inner)
{
	if (inner->bits < outer->bits || net_is4(outer) != net_is4(inner))
		return false;
	struct ip masked = ip_mask(&inner->ip, outer->bits);
	return ip_eq(&masked, &outer->ip);
}
