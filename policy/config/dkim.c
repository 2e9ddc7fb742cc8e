/* The domains that must sign: in the form that From: is compared in. */
#include "policy/config/internal.h"
#include "policy/message/address.h"

void config_resolve_dkim(struct loading *l, struct settings *set, const struct raw_section *section)
{
	const struct text_list written = set->dkim.require;
	struct text *v = arena_alloc(l->arena, (written.n + 1) * sizeof(*v));

	for (size_t i = 0; i < written.n; i++) {
		if (!domain_to_ascii(written.v[i], l->arena, &v[i]))
			config_mistake(l, section ? raw_line(section, "require") : 0,
				       "check \"dkim\": require: \"%.*s\" is no domain name",
				       TEXT(written.v[i]));
	}
	set->dkim.require.v = v;
}
