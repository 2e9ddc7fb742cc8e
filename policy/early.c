/* Questions to the DNS that are begun before anybody waits for them. */
#include "policy/early.h"

#include "policy/dmarc.h"
#include "policy/dnsbl.h"
#include "policy/host.h"

static bool is_on(const struct session *s, enum check_id id)
{
	return check_mode(id, &s->config->base) != MODE_OFF;
}

static bool is_stranger(const struct session *s)
{
	return !s->own && !client_is_proxy(s);
}

static void start_lists(const struct session *s, enum dnsbl_about about)
{
	char name[DNS_NAME_SIZE];

	for (size_t i = 0; i < s->config->dnsbl_count; i++) {
		const struct dnsbl *d = &s->config->dnsbls[i];

		if (d->domains != (about != ABOUT_CLIENT) || !dnsbl_is_asked(s, d))
			continue;
		struct text asked = dnsbl_name(s, d, about, name);
		if (!text_empty(asked))
			s->world.ops->dns_start(s->world.self, s, asked, DNS_A);
	}
}

void early_connect(const struct session *s)
{
	char name[DNS_NAME_SIZE];

	if (host_is_asked(s, &s->config->base))
		s->world.ops->dns_start(s->world.self, s, dns_reverse_name(&s->client, name),
					DNS_PTR);
	if (is_stranger(s) && is_on(s, CHECK_dnsbl))
		start_lists(s, ABOUT_CLIENT);
}

/* DMARC rests upon it. */
static bool wants_spf(const struct session *s)
{
	return is_on(s, CHECK_spf) || is_on(s, CHECK_dmarc);
}

static void start_spf(const struct session *s, struct text domain)
{
	if (domain_is_valid(domain))
		s->world.ops->dns_start(s->world.self, s, domain, DNS_TXT);
}

void early_helo(const struct session *s)
{
	/* Also the null sender's (RFC 7208 2.4); once for the whole session. */
	if (is_stranger(s) && wants_spf(s))
		start_spf(s, s->helo);
	if (is_stranger(s) && is_on(s, CHECK_dnsbl))
		start_lists(s, ABOUT_HELO);
}

static bool asks_of_sender(const struct session *s)
{
	return is_stranger(s) && !s->tx->null_sender && !s->tx->from.literal;
}

void early_mail(const struct session *s)
{
	if (!asks_of_sender(s))
		return;
	if (is_on(s, CHECK_dnsbl))
		start_lists(s, ABOUT_SENDER);
	if (is_on(s, CHECK_sender_verify) || is_on(s, CHECK_sender_callout))
		s->world.ops->dns_start(s->world.self, s, s->tx->from.domain, DNS_MX);
	if (wants_spf(s))
		start_spf(s, s->tx->from.domain);
}

/* The host whose address check_sender_verify() will want first. */
static void start_target(const struct session *s)
{
	const struct world *w = &s->world;
	const struct dns_answer *mx = w->ops->dns_await(w->self, s, s->tx->from.domain, DNS_MX);

	if (mx->status == DNS_OK && mx->count > 0 && dns_name_ok(mx->records[0].text))
		w->ops->dns_start(w->self, s, mx->records[0].text, DNS_A);
	else if (mx->status == DNS_NODATA)
		w->ops->dns_start(w->self, s, s->tx->from.domain, DNS_A);
}

void early_rcpt(const struct session *s, const struct settings *set)
{
	host_prepare(s, set);
	if (asks_of_sender(s) && check_mode(CHECK_sender_verify, set) != MODE_OFF &&
	    run_outcome(&s->runs[CHECK_sender_verify]) == OUTCOME_NOT_RUN)
		start_target(s);
}

void early_message(const struct session *s, const struct settings *set)
{
	if (check_mode(CHECK_dmarc, set) != MODE_OFF)
		dmarc_start(s);
}
