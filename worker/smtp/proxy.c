/* PROXY protocol headers, as a pure function over the bytes that have come so far. */
#include "worker/smtp/proxy.h"

static const char v2_signature[12] = "\r\n\r\n\0\r\nQUIT\n";
static const char v1_signature[6] = "PROXY ";

static bool starts_like(struct text t, const char *signature, size_t n)
{
	return memcmp(t.p, signature, t.n < n ? t.n : n) == 0;
}

static bool port_parse(struct text t, uint16_t *out)
{
	uint64_t v;

	if (t.n == 0 || t.n > 5 || (t.n > 1 && t.p[0] == '0') || !text_u64(t, &v) || v > 65535)
		return false;
	*out = (uint16_t)v;
	return true;
}

/* The next word; words are divided by exactly one space. */
static bool next_word(struct text *rest, struct text *word)
{
	return text_split(*rest, ' ', word, rest) && word->n > 0;
}

/* " TCP4 client server client-port server-port": `t` is what stands behind "PROXY ". */
static enum proxy_result v1_line(struct text t, struct proxy_header *out)
{
	struct text family, client, server, client_port;
	struct ip client_ip, server_ip;
	uint16_t server_port;

	text_split(t, ' ', &family, &t);
	if (text_eq(family, LIT("UNKNOWN"))) {
		out->local = true;
		return PROXY_DONE;
	}
	const bool four = text_eq(family, LIT("TCP4"));
	if (!four && !text_eq(family, LIT("TCP6")))
		return PROXY_BAD;
	if (!next_word(&t, &client) || !next_word(&t, &server) || !next_word(&t, &client_port))
		return PROXY_BAD;
	if (!ip_parse(client, &client_ip) || !ip_parse(server, &server_ip))
		return PROXY_BAD;
	/* A mapped address written as IPv6 is IPv4 to us; a dotted quad under TCP6 is not allowed.
	 */
	if (four != (text_find(client, ':') == client.n) ||
	    four != (text_find(server, ':') == server.n))
		return PROXY_BAD;
	if (!port_parse(client_port, &out->client_port) || !port_parse(t, &server_port))
		return PROXY_BAD;
	out->client = client_ip;
	return PROXY_DONE;
}

static enum proxy_result v1_parse(struct text t, struct proxy_header *out)
{
	const size_t lf = text_find(t, '\n'), cr = text_find(t, '\r');

	if (lf == t.n) {
		/* A CR can only be the last byte so far. */
		if (cr + 1 < t.n || t.n >= PROXY_V1_MAX)
			return PROXY_BAD;
		return PROXY_MORE;
	}
	if (lf + 1 > PROXY_V1_MAX || lf < sizeof(v1_signature) + 1 || cr + 1 != lf)
		return PROXY_BAD;
	out->length = lf + 1;
	return v1_line(text_make(t.p + sizeof(v1_signature), lf - 1 - sizeof(v1_signature)), out);
}

static void v2_address(const unsigned char *b, bool four, struct proxy_header *out)
{
	const unsigned char *port = b + (four ? 8 : 32);

	if (four) {
		out->client = (struct ip){{[10] = 0xff, [11] = 0xff}};
		memcpy(out->client.b + 12, b, 4);
	} else {
		memcpy(out->client.b, b, 16);
	}
	out->client_port = (uint16_t)(port[0] << 8 | port[1]);
}

/* The TLVs behind the addresses must fill the rest exactly; what they say isn't needed. */
static bool v2_tlvs_fit(const unsigned char *b, size_t n)
{
	while (n >= 3) {
		const size_t length = (size_t)b[1] << 8 | b[2];

		if (length > n - 3)
			return false;
		b += 3 + length;
		n -= 3 + length;
	}
	return n == 0;
}

static enum proxy_result v2_parse(struct text t, struct proxy_header *out)
{
	const unsigned char *b = (const unsigned char *)t.p;

	if (t.n >= 13 && b[12] != 0x20 && b[12] != 0x21)
		return PROXY_BAD;
	if (t.n < PROXY_V2_FIXED)
		return PROXY_MORE;
	const size_t rest = (size_t)b[14] << 8 | b[15];
	if (rest > PROXY_V2_MAX)
		return PROXY_BAD;
	if (t.n < PROXY_V2_FIXED + rest)
		return PROXY_MORE;
	out->length = PROXY_V2_FIXED + rest;
	b += PROXY_V2_FIXED;
	if (t.p[12] == 0x20) {
		out->local = true;
		return PROXY_DONE;
	}
	size_t used;
	switch (t.p[13]) {
	case 0x11: /* TCP over IPv4 */
		used = 12;
		break;
	case 0x21: /* TCP over IPv6 */
		used = 36;
		break;
	case 0x00: /* unspecified: the proxy knows no address */
		out->local = true;
		return PROXY_DONE;
	default: /* UDP and unix sockets carry no mail */
		return PROXY_BAD;
	}
	if (rest < used || !v2_tlvs_fit(b + used, rest - used))
		return PROXY_BAD;
	v2_address(b, used == 12, out);
	return PROXY_DONE;
}

enum proxy_result proxy_parse(struct text t, struct proxy_header *out)
{
	*out = (struct proxy_header){0};
	if (t.n == 0)
		return PROXY_MORE;
	if (starts_like(t, v2_signature, sizeof(v2_signature)))
		return v2_parse(t, out);
	if (starts_like(t, v1_signature, sizeof(v1_signature)))
		return v1_parse(t, out);
	return PROXY_BAD;
}
