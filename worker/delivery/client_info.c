/* Telling the next hop who the client is (worker/delivery/client_info.h).
 *
 * XFORWARD: http://www.postfix.org/XFORWARD_README.html, XCLIENT: XCLIENT_README.html, PROXY: the
 * protocol's version 1, chapter 2.1 of HAProxy's proxy-protocol.txt.  Values are xtext (RFC 3461
 * 4), so nothing that a client has said can end a line. */
#include "worker/delivery/client_info.h"

#include <stdio.h>

enum attribute {
	INFO_NAME,
	INFO_ADDR,
	INFO_PORT,
	INFO_PROTO,
	INFO_HELO,
	INFO_IDENT,
	INFO_SOURCE,
	INFO_LOGIN,
	INFO_COUNT
};

static const char *const names[INFO_COUNT] = {"NAME", "ADDR",  "PORT",   "PROTO",
					      "HELO", "IDENT", "SOURCE", "LOGIN"};

/* What goes into one command (512 octets with its end: RFC 5321 4.5.3.1.4). */
static const unsigned xforward_groups[] = {
    1 << INFO_NAME | 1 << INFO_ADDR | 1 << INFO_PORT,
    1 << INFO_PROTO | 1 << INFO_HELO | 1 << INFO_IDENT | 1 << INFO_SOURCE,
};
#define XFORWARD_GROUPS (sizeof(xforward_groups) / sizeof(xforward_groups[0]))
#define XCLIENT_ATTRIBUTES                                                                         \
	(1 << INFO_NAME | 1 << INFO_ADDR | 1 << INFO_PORT | 1 << INFO_PROTO | 1 << INFO_HELO |     \
	 1 << INFO_LOGIN)
/* Octets of a value. */
#define VALUE_MAX 255

unsigned client_info_attributes(struct text parameter)
{
	unsigned bits = 0;

	while (!text_empty(parameter)) {
		struct text word;

		text_split(parameter, ' ', &word, &parameter);
		for (unsigned i = 0; i < INFO_COUNT; i++)
			if (text_ieq(word, text_of(names[i])))
				bits |= 1U << i;
	}
	return bits;
}

static void put_xtext(struct hop *h, struct text t)
{
	char out[VALUE_MAX];
	struct buf b = buf_over(out, sizeof(out));

	for (size_t i = 0; i < t.n && b.n + 4 < sizeof(out); i++) {
		unsigned char c = (unsigned char)t.p[i];

		if (c < 0x21 || c > 0x7e || c == '+' || c == '=')
			buf_printf(&b, "+%02X", c);
		else
			buf_char(&b, (char)c);
	}
	hop_put(h, buf_view(&b));
}

/* The client's address as both extensions write it. */
static struct text address_text(const struct session *s, char dst[IP_TEXT_MAX + 8])
{
	char ip[IP_TEXT_MAX];
	int n = snprintf(dst, IP_TEXT_MAX + 8, "%s%s",
			 ip_is4(&s->client) ? "" : "IPV6:", ip_format(&s->client, ip));

	return text_make(dst, (size_t)n);
}

static void put_value(struct hop *h, const struct session *s, enum attribute a)
{
	char scratch[IP_TEXT_MAX + 8];
	struct text value = {0};

	switch (a) {
	case INFO_NAME:
		value = s->host;
		break;
	case INFO_ADDR:
		value = address_text(s, scratch);
		break;
	case INFO_PORT:
		value = text_make(scratch, (size_t)snprintf(scratch, sizeof(scratch), "%u",
							    (unsigned)s->client_port));
		break;
	case INFO_PROTO:
		value = s->esmtp ? LIT("ESMTP") : LIT("SMTP");
		break;
	case INFO_HELO:
		value = s->helo;
		break;
	case INFO_IDENT:
		value = text_of(s->id);
		break;
	case INFO_SOURCE:
		value = s->own ? LIT("LOCAL") : LIT("REMOTE");
		break;
	default:
		value = s->login;
		break;
	}
	if (text_empty(value))
		hop_put(h, LIT("[UNAVAILABLE]"));
	else
		put_xtext(h, value);
}

static void put_command(struct hop *h, const struct session *s, struct text verb, unsigned bits)
{
	hop_put(h, verb);
	for (unsigned i = 0; i < INFO_COUNT; i++) {
		if (!(bits & 1U << i))
			continue;
		hop_put(h, LIT(" "));
		hop_put(h, text_of(names[i]));
		hop_put(h, LIT("="));
		put_value(h, s, (enum attribute)i);
	}
	hop_put(h, LIT("\r\n"));
}

bool client_info_put_xclient(struct hop *h, const struct session *s)
{
	unsigned bits = h->info & XCLIENT_ATTRIBUTES;

	if (!hop_offers(h, HOP_XCLIENT) || !bits)
		return false;
	put_command(h, s, LIT("XCLIENT"), bits);
	return true;
}

/* The bits of the i-th command that has any; 0: there is none. */
static unsigned xforward_bits(const struct hop *h, unsigned i)
{
	for (size_t g = 0; g < XFORWARD_GROUPS; g++) {
		unsigned bits = h->info & xforward_groups[g];

		if (bits && i-- == 0)
			return bits;
	}
	return 0;
}

unsigned client_info_xforward_count(const struct hop *h)
{
	unsigned n = 0;

	while (hop_offers(h, HOP_XFORWARD) && xforward_bits(h, n))
		n++;
	return n;
}

void client_info_put_xforward(struct hop *h, const struct session *s, unsigned i)
{
	put_command(h, s, LIT("XFORWARD"), xforward_bits(h, i));
}

void client_info_put_proxy(struct hop *h, const struct session *s)
{
	struct sockaddr_storage sa = {0};
	socklen_t n = sizeof(sa);
	bool is4 = ip_is4(&s->client);
	char client[IP_TEXT_MAX], to[IP_TEXT_MAX];
	struct ip ip;
	uint16_t port;

	/* Both addresses are of one family: ours of this connection, where it is of the client's.
	 */
	if (getsockname(conn_fd(&h->conn), (struct sockaddr *)&sa, &n) < 0 ||
	    !ip_from_sockaddr((struct sockaddr *)&sa, &ip, &port) || ip_is4(&ip) != is4) {
		ip_parse(is4 ? LIT("0.0.0.0") : LIT("::"), &ip);
		port = 25;
	}
	conn_printf(&h->conn, "PROXY TCP%c %s %s %u %u\r\n", is4 ? '4' : '6',
		    ip_format(&s->client, client), ip_format(&ip, to), (unsigned)s->client_port,
		    (unsigned)port);
}
