/* What DNS lists are asked, and what their answers mean. */
#include "policy/dnsbl.h"

#include "policy/check.h"

/* --- names */

struct text dnsbl_test_name(const struct dnsbl *d, bool must, char dst[DNS_NAME_SIZE])
{
	const struct ip point = {
	    {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, must ? 2 : 1}};

	if (d->domains)
		return dns_domain_list_name(must ? LIT("TEST") : LIT("INVALID"), d->zone, dst);
	return dns_list_name(&point, d->zone, dst);
}

/* Domains of which a list may know something: not literals, nor words without a dot. */
static bool can_be_listed(struct text domain)
{
	return text_find(domain, '.') < domain.n && domain_is_valid(domain) &&
	       !ip_parse(domain, NULL);
}

struct text dnsbl_name(const struct session *s, const struct dnsbl *d, enum dnsbl_about about,
		       char dst[DNS_NAME_SIZE])
{
	struct text domain = LIT("");

	if (d->domains != (about != ABOUT_CLIENT))
		return domain;
	if (about == ABOUT_CLIENT)
		return dns_list_name(&s->client, d->zone, dst);
	if (about == ABOUT_HELO)
		domain = s->helo;
	else if (s->tx && !s->tx->null_sender)
		domain = s->tx->from.domain;
	return can_be_listed(domain) ? dns_domain_list_name(domain, d->zone, dst) : LIT("");
}

bool dnsbl_is_asked(const struct session *s, const struct dnsbl *d)
{
	enum dnsbl_state state;

	if (d->set.mode == MODE_OFF)
		return false;
	state = dnsbl_state(&s->world, d);
	return state == DNSBL_GOOD || state == DNSBL_CROWDED;
}

/* --- answers */

static bool is_loopback(const struct ip *ip)
{
	return ip_is4(ip) && ip->b[12] == 127;
}

/* Spamhaus and others say so that the question was refused; it never means "listed". */
static bool is_error_code(const struct ip *ip)
{
	return ip->b[13] == 255 && ip->b[14] == 255;
}

static bool octet_counts(const struct dnsbl_octet *o, uint8_t byte)
{
	return o->bits ? (byte & o->bits) != 0 : byte >= o->from && byte <= o->to;
}

static bool code_counts(const struct dnsbl_code *code, const struct ip *ip)
{
	for (int i = 0; i < 4; i++) {
		if (!octet_counts(&code->octets[i], ip->b[12 + i]))
			return false;
	}
	return true;
}

const struct ip *dnsbl_listing(const struct dnsbl *d, const struct dns_answer *a)
{
	for (size_t i = 0; a->status == DNS_OK && i < a->count; i++) {
		const struct ip *ip = &a->records[i].ip;

		if (!is_loopback(ip) || is_error_code(ip))
			continue;
		for (size_t k = 0; k < d->code_count; k++) {
			if (code_counts(&d->codes[k], ip))
				return ip;
		}
	}
	return NULL;
}

/* What is wrong with an answer whatever was asked; GOOD: nothing. */
static enum dnsbl_state fault_of(const struct dns_answer *a)
{
	if (a->status == DNS_REFUSED)
		return DNSBL_REFUSES;
	if (!dns_known(a->status))
		return DNSBL_SILENT;
	for (size_t i = 0; a->status == DNS_OK && i < a->count; i++) {
		if (!is_loopback(&a->records[i].ip))
			return DNSBL_LIES;
		if (is_error_code(&a->records[i].ip))
			return DNSBL_REFUSES;
	}
	return DNSBL_GOOD;
}

enum dnsbl_state dnsbl_judge(const struct dns_answer *must, const struct dns_answer *must_not)
{
	enum dnsbl_state one = fault_of(must), other = fault_of(must_not);

	if (one != DNSBL_GOOD && one != DNSBL_SILENT)
		return one;
	if (other != DNSBL_GOOD)
		return other;
	if (must_not->status == DNS_OK)
		return DNSBL_WILD;
	if (one == DNSBL_SILENT)
		return one;
	return must->status == DNS_OK ? DNSBL_GOOD : DNSBL_EMPTY;
}
