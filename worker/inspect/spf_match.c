/* Mechanisms: does a directive match the client? (RFC 7208 5) */
#include "worker/inspect/spf_eval.h"

/* The answer to a term's query, counted if it is void.  NULL: *m is what the term comes to. */
static const struct known_answer *look_up(struct spf_eval *e, struct text name, uint16_t type,
					  enum spf_match *m)
{
	const struct known_answer *a = inquiry_dns(e->i, name, type);

	*m = MATCH_NO;
	if (!a) {
		*m = MATCH_BLOCKED;
		return NULL;
	}
	if (!dns_known(a->status)) {
		spf_because(e, "%s for %.*s", dns_status_text(a->status), TEXT(name));
		*m = MATCH_TEMPERROR;
		return NULL;
	}
	if (a->count == 0 && ++e->voids > SPF_VOID_MAX) {
		*m = spf_permerror(e, "more than two look-ups found nothing");
		return NULL;
	}
	return a;
}

static enum spf_match match_a(struct spf_frame *f, const struct spf_directive *d,
			      struct text target)
{
	enum spf_match m;
	const struct known_answer *a = look_up(f->e, target, spf_address_type(f->e), &m);

	if (!a)
		return m;
	return spf_any_in_network(f->e, a, d) ? MATCH_YES : MATCH_NO;
}

static enum spf_match match_mx_host(struct spf_frame *f, const struct spf_directive *d,
				    struct text host)
{
	const struct known_answer *a = inquiry_dns(f->e->i, host, spf_address_type(f->e));

	if (!a)
		return MATCH_BLOCKED;
	if (!dns_known(a->status)) {
		spf_because(f->e, "%s for %.*s", dns_status_text(a->status), TEXT(host));
		return MATCH_TEMPERROR;
	}
	return spf_any_in_network(f->e, a, d) ? MATCH_YES : MATCH_NO;
}

static enum spf_match match_mx(struct spf_frame *f, const struct spf_directive *d,
			       struct text target)
{
	enum spf_match m, all = MATCH_NO;
	const struct known_answer *mx = look_up(f->e, target, DNS_MX, &m);

	if (!mx)
		return m;
	if (mx->count > SPF_MX_MAX)
		return spf_permerror(f->e, "a domain has more than ten MX records");
	for (size_t i = 0; i < mx->count; i++) {
		m = match_mx_host(f, d, mx->records[i].text);
		if (m == MATCH_BLOCKED)
			all = m; /* the others are asked for along with it */
		else if (m != MATCH_NO && all == MATCH_NO)
			return m;
	}
	return all;
}

static enum spf_match match_ptr(struct spf_frame *f, struct text target)
{
	const struct known_answer *ptr = spf_client_names(f->e);
	enum spf_match all = MATCH_NO;

	if (!ptr)
		return MATCH_BLOCKED;
	if (dns_known(ptr->status) && ptr->count == 0 && ++f->e->voids > SPF_VOID_MAX)
		return spf_permerror(f->e, "more than two look-ups found nothing");
	for (size_t i = 0; i < ptr->count && i < SPF_PTR_MAX; i++) {
		if (!spf_is_below(ptr->records[i].text, target))
			continue;
		const enum spf_match m = spf_leads_back(f->e, ptr->records[i].text);

		if (m == MATCH_YES)
			return m;
		if (m == MATCH_BLOCKED)
			all = m;
	}
	return all;
}

static enum spf_match match_exists(struct spf_frame *f, struct text target)
{
	enum spf_match m;
	const struct known_answer *a = look_up(f->e, target, DNS_A, &m);

	if (!a)
		return m;
	return a->count > 0 ? MATCH_YES : MATCH_NO;
}

static enum spf_match match_include(struct spf_frame *f, struct text target)
{
	switch (spf_check_host(f->e, target, true)) {
	case SPF_PASS:
		return MATCH_YES;
	case SPF_TEMPERROR:
		return MATCH_TEMPERROR;
	case SPF_PERMERROR:
		return MATCH_PERMERROR;
	case SPF_NONE:
		spf_because(f->e, "no record at the included %.*s", TEXT(target));
		return MATCH_PERMERROR;
	case SPF_BLOCKED:
		return MATCH_BLOCKED;
	default:
		return MATCH_NO;
	}
}

bool spf_looks_up(const struct spf_directive *d)
{
	return d->mechanism != SPF_ALL && d->mechanism != SPF_IP4 && d->mechanism != SPF_IP6;
}

enum spf_match spf_match(struct spf_frame *f, const struct spf_directive *d)
{
	struct text target;

	if (d->mechanism == SPF_ALL)
		return MATCH_YES;
	if (!spf_looks_up(d))
		return (d->mechanism == SPF_IP4) == ip_is4(&f->e->q->client) &&
			       spf_same_network(f->e, &d->ip, d)
			   ? MATCH_YES
			   : MATCH_NO;
	if (spf_count_term(f->e) != MATCH_NO)
		return MATCH_PERMERROR;
	if (!spf_target(f, d->domain, &target))
		return MATCH_BLOCKED;
	switch (d->mechanism) {
	case SPF_INCLUDE:
		return match_include(f, target);
	case SPF_A:
		return match_a(f, d, target);
	case SPF_MX:
		return match_mx(f, d, target);
	case SPF_PTR:
		return match_ptr(f, target);
	default:
		return match_exists(f, target);
	}
}
