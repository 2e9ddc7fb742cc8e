/* Section auth, and networks with thresholds of their own. */
#include "policy/config/internal.h"

static void resolve_networks(struct loading *l)
{
	const struct group_row *g = config_group("auth_network");
	struct config *c = l->config;

	c->auth_networks =
	    arena_alloc(l->arena, (config_count_sections(l, g) + 1) * sizeof(*c->auth_networks));
	for (struct raw_section *s = NULL; (s = config_next_section(l, g, s));) {
		struct auth_network *to = &c->auth_networks[c->auth_network_count++];

		config_fill(l, g, s, &to->set, false);
		to->set.name = s->title;
		if (to->set.networks.n == 0)
			config_mistake(l, s->line,
				       "auth-network \"%.*s\" has no networks: networks = { "
				       "\"192.0.2.0/24\" }",
				       TEXT(s->title));
	}
}

void config_resolve_auth(struct loading *l)
{
	const struct group_row *g = config_group("auth");
	const struct raw_section *s = config_next_section(l, g, NULL);
	struct auth_settings *set = &l->config->auth;

	config_fill(l, g, s, set, false);
	if (s && set->block_max < set->block)
		config_mistake(l, raw_line(s, "block_max"), "auth: block-max is less than block");
	if (s && set->delay_max < set->delay)
		config_mistake(l, raw_line(s, "delay_max"), "auth: delay-max is less than delay");
	resolve_networks(l);
}
