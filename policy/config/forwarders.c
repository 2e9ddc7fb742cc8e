/* Trusted forwarders of check "dmarc": domain names in the form in which they are compared. */
#include "policy/config/internal.h"
#include "policy/message/address.h"

void config_normalize_forwarders(struct loading *l, struct settings *set,
				 const struct raw_section *section)
{
	struct text_list *written = &set->dmarc.trusted_forwarders;
	struct text *names = arena_alloc(l->arena, written->n * sizeof(*names));

	for (size_t i = 0; i < written->n; i++) {
		const struct text entry = written->v[i];
		const bool below = text_istarts(entry, LIT("."));
		struct text name;

		if (domain_to_ascii(text_make(entry.p + below, entry.n - below), l->arena, &name))
			names[i] = arena_printf(l->arena, "%s%.*s", below ? "." : "", TEXT(name));
		else
			config_mistake(l, section ? raw_line(section, "trusted_forwarders") : 0,
				       "check \"dmarc\": trusted-forwarders: \"%.*s\" is no domain "
				       "name, such as \"lists.example.org\" or \".example.org\"",
				       TEXT(entry));
	}
	written->v = names;
}
