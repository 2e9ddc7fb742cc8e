/* Names that are asked for, and words for statuses. */
#include "shm/base/dns.h"

const char *dns_status_text(enum dns_status status)
{
	static const char *const texts[] = {
	    [DNS_OK] = "found",
	    [DNS_NXDOMAIN] = "no such name",
	    [DNS_NODATA] = "no such record",
	    [DNS_TIMEOUT] = "no answer",
	    [DNS_SERVFAIL] = "SERVFAIL",
	    [DNS_REFUSED] = "refused",
	    [DNS_MALFORMED] = "malformed answer",
	    [DNS_OURS] = "not asked",
	};

	return texts[status];
}

static struct text without_final_dot(struct text name)
{
	if (name.n > 0 && name.p[name.n - 1] == '.')
		name.n--;
	return name;
}

bool dns_name_ok(struct text name)
{
	struct text label, rest = without_final_dot(name);
	bool more = true;

	if (rest.n > DNS_NAME_MAX)
		return false;
	while (more) {
		more = text_split(rest, '.', &label, &rest);
		if (label.n == 0 || label.n > 63)
			return false;
	}
	return true;
}

/* The address from its last digit on, each followed by a dot: 72 bytes at most. */
static void put_reversed(struct buf *b, const struct ip *ip)
{
	static const char hex[] = "0123456789abcdef";

	if (ip_is4(ip)) {
		buf_printf(b, "%u.%u.%u.%u.", ip->b[15], ip->b[14], ip->b[13], ip->b[12]);
		return;
	}
	for (int i = 15; i >= 0; i--) {
		buf_char(b, hex[ip->b[i] & 15]);
		buf_char(b, '.');
		buf_char(b, hex[ip->b[i] >> 4]);
		buf_char(b, '.');
	}
}

static struct text finished(const struct buf *b)
{
	return b->cut || !dns_name_ok(buf_view(b)) ? (struct text){"", 0} : buf_view(b);
}

struct text dns_reverse_name(const struct ip *ip, char dst[DNS_NAME_SIZE])
{
	return dns_list_name(ip, ip_is4(ip) ? LIT("in-addr.arpa") : LIT("ip6.arpa"), dst);
}

struct text dns_list_name(const struct ip *ip, struct text zone, char dst[DNS_NAME_SIZE])
{
	struct buf b = buf_over(dst, DNS_NAME_SIZE);

	put_reversed(&b, ip);
	buf_text(&b, without_final_dot(zone));
	return finished(&b);
}

struct text dns_domain_list_name(struct text domain, struct text zone, char dst[DNS_NAME_SIZE])
{
	struct buf b = buf_over(dst, DNS_NAME_SIZE);

	buf_text(&b, without_final_dot(domain));
	buf_char(&b, '.');
	buf_text(&b, without_final_dot(zone));
	return finished(&b);
}
