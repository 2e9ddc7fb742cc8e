/* Bans that would cut off oneself. */
#include "master/admin/ban.h"

/* The shortest prefixes that are banned without --force. */
enum { SHORTEST_IPV4 = 16, SHORTEST_IPV6 = 32 };

static bool overlaps(const struct net *a, const struct net *b)
{
	return net_covers(a, b) || net_covers(b, a);
}

/* The first of the networks that the ban covers or lies in; NULL: none. */
static const struct net *covered(const struct net *ban, const struct net_list *nets)
{
	for (size_t i = 0; i < nets->n; i++) {
		if (overlaps(ban, &nets->v[i]))
			return &nets->v[i];
	}
	return NULL;
}

/* A ban of a proxy would cut off everybody behind it. */
static const struct net *proxy_covered(const struct config *config, const struct net *ban)
{
	for (size_t i = 0; i < config->listener_count; i++) {
		const struct net *net = covered(ban, &config->listeners[i].set.proxy_from);
		if (net)
			return net;
	}
	return NULL;
}

static size_t hops_covered(const struct config *config, const struct net *ban)
{
	size_t n = 0;

	for (size_t r = 0; r < config->route_count; r++) {
		for (size_t h = 0; h < config->routes[r].host_count; h++) {
			const struct hop_address *host = &config->routes[r].hosts[h];

			n += host->kind != HOP_MAILDIR && host->path.n == 0 &&
			     net_contains(ban, &host->ip);
		}
	}
	return n;
}

static bool is_wide(const struct net *net)
{
	return net_bits_shown(net) < (ip_is4(&net->ip) ? SHORTEST_IPV4 : SHORTEST_IPV6);
}

static int guard_network(const struct tool *t, const struct list_entry *e)
{
	static const char rules[] =
	    "not banned\n  shortest prefix without --force: /%d (IPv4), /%d (IPv6); "
	    "nothing lifts the guard for proxies and next hops";
	const bool force = t->options.force;
	const struct net *own = covered(&e->net, &t->config->global.trusted_networks);
	const struct net *proxy = proxy_covered(t->config, &e->net);
	const size_t hops = hops_covered(t->config, &e->net);
	char shown[NET_TEXT_MAX], what[256];
	struct buf b = buf_over(what, sizeof(what));

	if (own && (!force || proxy || hops))
		buf_printf(&b, " trusted-networks %s", net_format(own, shown));
	if (proxy)
		buf_printf(&b, "%s the proxies %s",
			   !b.n   ? ""
			   : hops ? ","
				  : " and",
			   net_format(proxy, shown));
	if (hops)
		buf_printf(&b, "%s %zu next hop%s", b.n ? " and" : "", hops, hops == 1 ? "" : "s");
	if (b.n)
		buf_printf(&b, ": ");
	else if (is_wide(&e->net) && !force)
		buf_printf(&b, " much of the world: ");
	else
		return EXIT_YES;
	buf_printf(&b, rules, SHORTEST_IPV4, SHORTEST_IPV6);
	return tool_fail(EXIT_WRONG, "%s covers%s", e->key, what);
}

/* Nobody means to ban a top-level domain by a slip of the keyboard, and a ban of an own domain
 * refuses colleagues who write from outside. */
static int guard_domain(const struct tool *t, const struct list_entry *e)
{
	const char *name = e->key + (e->key[0] == '.');

	if (t->options.force)
		return EXIT_YES;
	if (!strchr(name, '.'))
		return tool_fail(EXIT_WRONG,
				 "%s is a whole top-level domain: not banned; --force if that is "
				 "meant",
				 name);
	if (e->kind == LIST_DOMAIN && config_domain(t->config, text_of(name)))
		return tool_fail(EXIT_WRONG,
				 "%s is a domain of ours: not banned; --force if that is meant",
				 name);
	return EXIT_YES;
}

int ban_guard(const struct tool *t, const struct list_entry *e)
{
	if (e->kind == LIST_CLIENT)
		return guard_network(t, e);
	if (e->kind == LIST_DOMAIN || e->kind == LIST_HOST)
		return guard_domain(t, e);
	return EXIT_YES;
}
