/* Questions to the DNS that are begun before anybody waits for them. */
#include "policy/early.h"

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

void early_helo(const struct session *s)
{
	if (is_stranger(s) && is_on(s, CHECK_dnsbl))
		start_lists(s, ABOUT_HELO);
}

void early_mail(const struct session *s)
{
	const struct transaction *tx = s->tx;

	if (!is_stranger(s) || tx->null_sender || tx->from.literal)
		return;
	if (is_on(s, CHECK_dnsbl))
		start_lists(s, ABOUT_SENDER);
	if (is_on(s, CHECK_sender_verify))
		s->world.ops->dns_start(s->world.self, s, tx->from.domain, DNS_MX);
}
