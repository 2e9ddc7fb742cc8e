/* Routes: their hosts, as addresses (names by /etc/hosts only). */
#include "policy/config/internal.h"

enum { ADDRESSES_OF_NAME_MAX = 16, SMTP_PORT = 25, SMTPS_PORT = 465, LMTP_PORT = 24 };

/* How a kind of host is written. */
struct scheme {
	const char *prefix;
	int kind;
	uint16_t port;
	bool tls_first;
};

struct route_site {
	struct loading *loading;
	struct route *route;
	struct text host; /* as configured */
	int line;
};

static void bad_host(const struct route_site *at, const char *why)
{
	config_mistake(at->loading, at->line, "route \"%.*s\": hosts: \"%.*s\" %s",
		       TEXT(at->route->set.name), TEXT(at->host), why);
}

/* The array grows with the addresses of a name; routes are few. */
static struct hop_address *add_hop(const struct route_site *at)
{
	struct route *r = at->route;
	struct hop_address *v = arena_alloc(at->loading->arena, (r->host_count + 1) * sizeof(*v));

	if (r->host_count > 0)
		memcpy(v, r->hosts, r->host_count * sizeof(*v));
	r->hosts = v;
	r->hosts[r->host_count].name = at->host;
	return &r->hosts[r->host_count++];
}

static void add_path(const struct route_site *at, int kind, struct text path)
{
	struct hop_address *hop;

	if (text_empty(path)) {
		bad_host(at, "has no path");
		return;
	}
	for (size_t i = 0; kind == HOP_MAILDIR && i < path.n; i++) {
		if (path.p[i] != '%')
			continue;
		if (i + 1 == path.n || (path.p[i + 1] != 'd' && path.p[i + 1] != 'u')) {
			bad_host(at, "has a % that is neither %d (domain) nor %u (user)");
			return;
		}
		i++;
	}
	hop = add_hop(at);
	hop->kind = kind;
	hop->path = source_absolute(&at->loading->source, path);
}

static void add_addresses(const struct route_site *at, const struct scheme *how, struct text rest)
{
	struct ip found[ADDRESSES_OF_NAME_MAX];
	struct text host;
	uint16_t port;
	size_t n;

	if (rest.n > 0 && rest.p[rest.n - 1] == '/')
		rest.n--;
	if (!config_split_port(rest, how->port, &host, &port)) {
		bad_host(at, "is not host:port; an IPv6 address stands in brackets");
		return;
	}
	n = ip_parse(host, &found[0])
		? 1
		: hosts_find(&at->loading->source, host, found, ADDRESSES_OF_NAME_MAX);
	if (n == 0)
		bad_host(at, "is neither an address nor a name in /etc/hosts");
	for (size_t i = 0; i < n; i++) {
		struct hop_address *hop = add_hop(at);

		hop->kind = how->kind;
		hop->tls_first = how->tls_first;
		hop->host = host;
		hop->ip = found[i];
		hop->port = port;
	}
}

static bool after(struct text t, struct text prefix, struct text *rest)
{
	if (!text_istarts(t, prefix))
		return false;
	*rest = text_make(t.p + prefix.n, t.n - prefix.n);
	return true;
}

static void add_host(const struct route_site *at)
{
	static const struct scheme schemes[] = {
	    {"smtp://", HOP_SMTP, SMTP_PORT, false},
	    {"smtps://", HOP_SMTP, SMTPS_PORT, true},
	    {"lmtp://", HOP_LMTP, LMTP_PORT, false},
	    {"lmtps://", HOP_LMTP, LMTP_PORT, true},
	};
	struct text rest;

	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		if (after(at->host, text_of(schemes[i].prefix), &rest)) {
			add_addresses(at, &schemes[i], rest);
			return;
		}
	}
	if (after(at->host, LIT("lmtp:"), &rest))
		add_path(at, HOP_LMTP, rest);
	else if (after(at->host, LIT("maildir:"), &rest))
		add_path(at, HOP_MAILDIR, rest);
	else
		bad_host(at, "is none of smtp://host:port, lmtp://host:port, smtps://host:port, "
			     "lmtps://host:port, lmtp:/path, maildir:/path");
}

static bool has_kind(const struct route *r, bool maildir)
{
	for (size_t i = 0; i < r->host_count; i++) {
		if ((r->hosts[i].kind == HOP_MAILDIR) == maildir)
			return true;
	}
	return false;
}

static void resolve_route(struct loading *l, const struct raw_section *s, struct route *r)
{
	const struct text_list *hosts = &r->set.hosts;
	const struct raw_option *o = s->options[0]; /* `hosts` is a route's first option */

	for (size_t i = 0; i < hosts->n; i++)
		add_host(&(struct route_site){l, r, hosts->v[i], o ? o->values[i].line : s->line});
	if (hosts->n == 0)
		config_mistake(l, raw_line(s, "hosts"),
			       "route \"%.*s\" has no hosts: hosts = { \"smtp://192.0.2.1:25\" }",
			       TEXT(s->title));
	if (has_kind(r, true) && has_kind(r, false))
		config_mistake(
		    l, raw_line(s, "hosts"),
		    "route \"%.*s\": hosts: a Maildir and a server can't stand in for each other",
		    TEXT(s->title));
	/* the client that is told about has to be the connection's for as long as it lasts */
	if (r->set.client_info == CLIENT_INFO_XCLIENT || r->set.client_info == CLIENT_INFO_PROXY)
		r->set.connection = CONNECTION_HOLD;
	config_resolve_route_tls(l, s, r);
}

const struct route *config_find_route(struct loading *l, struct text name)
{
	const struct config *c = l->config;

	for (size_t i = 0; i < c->route_count; i++) {
		if (text_eq(c->routes[i].set.name, name))
			return &c->routes[i];
	}
	return NULL;
}

void config_resolve_routes(struct loading *l)
{
	const struct group_row *g = config_group("route");
	struct config *c = l->config;

	c->routes = arena_alloc(l->arena, config_count_sections(l, g) * sizeof(*c->routes));
	for (struct raw_section *s = NULL; (s = config_next_section(l, g, s));) {
		struct route *r = &c->routes[c->route_count];

		config_fill(l, g, s, &r->set, false);
		r->set.name = s->title;
		r->index = (unsigned)c->route_count++;
		resolve_route(l, s, r);
	}
}
