/* Paths, bare addresses and parameters: whatever bytes come, what is taken has its limits, holds no
 * control characters, and means the same when it is passed on. */
#include "policy/message/address.h"
#include "policy/message/esmtp_params.h"
#include "policy/message/utf8.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void require(bool fact)
{
	if (!fact)
		abort();
}

static void check_mailbox(const struct mailbox *m, struct arena *a)
{
	struct mailbox again;

	for (size_t i = 0; i < m->whole.n; i++)
		require((unsigned char)m->whole.p[i] >= 0x20 && m->whole.p[i] != 0x7f);
	require(m->local.n <= ADDRESS_LOCAL_MAX && m->domain.n <= ADDRESS_DOMAIN_MAX);
	require(utf8_is_valid(m->whole) && text_is_ascii(m->domain));
	require(mailbox_key(m, a).n == m->local.n + 1 + m->domain.n);
	require(mailbox_key_untagged(m, a).n <= mailbox_key(m, a).n);
	if (m->domain.n == 0)
		return;
	require(address_parse(m->whole, true, a, &again) == ADDRESS_OK);
	require(text_eq(again.local, m->local) && text_eq(again.domain, m->domain));
}

static void check_params(struct text rest, struct arena *a)
{
	struct esmtp_param p;
	struct text decoded;
	enum esmtp_next next;

	while ((next = esmtp_param_next(&rest, &p)) == ESMTP_PARAM) {
		require(p.keyword.n > 0 && p.whole.n >= p.keyword.n);
		if (p.has_value && xtext_decode(p.value, a, &decoded))
			require(decoded.n <= p.value.n);
	}
	require(next == ESMTP_SYNTAX || rest.n == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct text t = text_make((const char *)data, n), rest, domain;
	struct mailbox m;
	struct arena a;

	arena_init(&a, NULL, NULL);
	for (int i = 0; i < 4; i++) {
		if (path_parse(t, i & 1 ? PATH_FORWARD : PATH_REVERSE, i & 2, &a, &m, &rest) ==
		    ADDRESS_OK) {
			require(i & 2 || !m.utf8);
			if (m.whole.n > 0)
				check_mailbox(&m, &a);
			check_params(rest, &a);
		}
	}
	if (address_parse(t, true, &a, &m) == ADDRESS_OK)
		check_mailbox(&m, &a);
	if (domain_to_ascii(t, &a, &domain))
		require(domain_is_valid(domain));
	check_params(t, &a);
	arena_reset(&a);
	return 0;
}
