/* Received: from <helo> (<host> [<address>]) by <us> with <protocol> id <id> for <recipient>; date
 */
#include "worker/smtp/received.h"

#include "shm/base/clock.h"

#include <stdio.h>

const char *received_protocol(const struct session *s, char dst[16])
{
	const char *base = s->esmtp ? "ESMTP" : "SMTP";
	const bool secured = s->tls || s->login.n;

	/* There is no "SMTPS": the suffixes belong to the extended protocol. */
	if (s->tx && s->tx->smtputf8)
		base = "UTF8SMTP";
	else if (secured)
		base = "ESMTP";
	snprintf(dst, 16, "%s%s%s", base, s->tls ? "S" : "", s->login.n ? "A" : "");
	return dst;
}

/* A name that the client gave: what could end the field, open a comment or hide something becomes
 * '?'. */
static void put_name(struct buf *out, struct text name)
{
	const size_t n = name.n < 255 ? name.n : 255;

	if (n == 0)
		buf_text(out, LIT("unknown"));
	for (size_t i = 0; i < n; i++) {
		const char c = name.p[i];
		const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
				   (c >= '0' && c <= '9') || (c && strchr(".-_:[]", c));

		buf_char(out, plain ? c : '?');
	}
}

/* A TCP-info literal: "[192.0.2.1]" or "[IPv6:2001:db8::1]". */
static void put_address(struct buf *out, const struct ip *ip)
{
	char text[IP_TEXT_MAX];

	buf_text(out, ip_is4(ip) ? LIT("[") : LIT("[IPv6:"));
	buf_text(out, text_of(ip_format(ip, text)));
	buf_char(out, ']');
}

void received_format(const struct session *s, unsigned number, int64_t wall_us, struct buf *out)
{
	char protocol[16], date[40];

	buf_text(out, LIT("Received: from "));
	put_name(out, s->helo);
	buf_text(out, LIT(" ("));
	if (s->host.n) {
		put_name(out, s->host);
		buf_char(out, ' ');
	}
	put_address(out, &s->client);
	buf_char(out, ')');
	if (s->tls)
		buf_printf(out, "\r\n\t(using %.*s)", TEXT(s->tls_text));
	buf_text(out, LIT("\r\n\tby "));
	buf_text(out, s->config->global.hostname);
	buf_text(out, LIT(" with "));
	buf_text(out, text_of(received_protocol(s, protocol)));
	buf_text(out, LIT(" id "));
	buf_text(out, text_of(s->id));
	buf_char(out, '.');
	buf_u64(out, number);
	/* Naming one of several would tell each of the others. */
	if (s->tx->recipient_count == 1) {
		buf_text(out, LIT("\r\n\tfor <"));
		buf_text(out, s->tx->recipients[0].mailbox.whole);
		buf_char(out, '>');
	}
	buf_text(out, LIT(";\r\n\t"));
	buf_text(out, text_of(wall_format_rfc5322(wall_us, date)));
	buf_text(out, LIT("\r\n"));
}
