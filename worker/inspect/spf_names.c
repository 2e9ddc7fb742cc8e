/* Addresses and the client's names, for check_host() (RFC 7208 5.5). */
#include "worker/inspect/spf_eval.h"

uint16_t spf_address_type(const struct spf_eval *e)
{
	return ip_is4(&e->q->client) ? DNS_A : DNS_AAAA;
}

bool spf_same_network(const struct spf_eval *e, const struct ip *ip, const struct spf_directive *d)
{
	const unsigned bits = ip_is4(&e->q->client) ? 96 + d->bits4 : d->bits6;
	const struct ip a = ip_mask(ip, bits), b = ip_mask(&e->q->client, bits);

	return ip_is4(ip) == ip_is4(&e->q->client) && ip_eq(&a, &b);
}

bool spf_any_in_network(const struct spf_eval *e, const struct known_answer *a,
			const struct spf_directive *d)
{
	for (size_t i = 0; i < a->count; i++) {
		if (spf_same_network(e, &a->records[i].ip, d))
			return true;
	}
	return false;
}

static const struct spf_directive exactly = {.bits4 = 32, .bits6 = 128};

bool spf_is_below(struct text name, struct text domain)
{
	if (text_ieq(name, domain))
		return true;
	return name.n > domain.n + 1 && name.p[name.n - domain.n - 1] == '.' &&
	       text_iends(name, domain);
}

const struct known_answer *spf_client_names(const struct spf_eval *e)
{
	char room[DNS_NAME_SIZE];

	return inquiry_dns(e->i, dns_reverse_name(&e->q->client, room), DNS_PTR);
}

enum spf_match spf_leads_back(const struct spf_eval *e, struct text name)
{
	const struct known_answer *a = inquiry_dns(e->i, name, spf_address_type(e));

	if (!a)
		return MATCH_BLOCKED;
	return spf_any_in_network(e, a, &exactly) ? MATCH_YES : MATCH_NO;
}

/* How well a name suits %{p}: the domain itself, one below it, any other. */
static unsigned rank(struct text name, struct text domain)
{
	if (text_ieq(name, domain))
		return 3;
	return spf_is_below(name, domain) ? 2 : 1;
}

bool spf_validated(void *self, struct text domain, struct text *out)
{
	struct spf_eval *e = self;
	const struct known_answer *ptr = spf_client_names(e);
	bool blocked = false;
	unsigned best = 0;

	*out = LIT("unknown");
	if (!ptr)
		return false;
	for (size_t i = 0; i < ptr->count && i < SPF_PTR_MAX; i++) {
		const struct text name = ptr->records[i].text;
		const enum spf_match m = spf_leads_back(e, name);

		if (m == MATCH_BLOCKED)
			blocked = true;
		else if (m == MATCH_YES && rank(name, domain) > best) {
			best = rank(name, domain);
			*out = name;
		}
	}
	return !blocked;
}
