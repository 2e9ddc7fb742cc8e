/* From sections to the configuration: the file's own options, the checks, and what names what. */
#include "policy/config/internal.h"
#include "policy/message/address.h"

#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

const struct group_row *config_group(const char *name)
{
	for (size_t i = 0; i < settings_group_count; i++) {
		if (strcmp(settings_groups[i].name, name) == 0)
			return &settings_groups[i];
	}
	abort(); /* not in the table */
}

struct raw_section *config_next_section(struct loading *l, const struct group_row *group,
					const struct raw_section *s)
{
	for (struct raw_section *next = s ? s->next : l->first; next; next = next->next) {
		if (next->group == group && !next->parent)
			return next;
	}
	return NULL;
}

size_t config_count_sections(struct loading *l, const struct group_row *group)
{
	size_t n = 0;

	for (const struct raw_section *s = NULL; (s = config_next_section(l, group, s));)
		n++;
	return n;
}

bool config_split_port(struct text t, uint16_t fallback, struct text *host, uint16_t *port)
{
	struct text number = {0};
	uint64_t n = fallback;
	size_t end;

	if (t.n > 0 && t.p[0] == '[') {
		end = text_find(t, ']');
		if (end == t.n)
			return false;
		*host = text_make(t.p + 1, end - 1);
		number = text_make(t.p + end + 1, t.n - end - 1);
		if (number.n > 0 && number.p[0] != ':')
			return false;
		if (number.n > 0)
			number = text_make(number.p + 1, number.n - 1);
	} else if (text_split(t, ':', host, &number) && text_find(number, ':') < number.n) {
		return false; /* IPv6 without brackets: which colon is the port's? */
	}
	if (number.p && number.n == 0 && t.n > 0 && t.p[t.n - 1] == ':')
		return false;
	if (number.n > 0 && !text_u64(number, &n))
		return false;
	*port = (uint16_t)n;
	return n > 0 && n <= UINT16_MAX && host->n > 0;
}

/* --- the file's own options, and the checks */

/* It goes to the client in replies, which are lines of printable ASCII. */
static bool is_url(struct text t)
{
	for (size_t i = 0; i < t.n; i++) {
		if (t.p[i] <= ' ' || t.p[i] > '~')
			return false;
	}
	return text_istarts(t, LIT("https://")) || text_istarts(t, LIT("http://"));
}

static void check_resolvers(struct loading *l)
{
	enum { RESOLVERS_MAX = 8 };
	const struct text_list *list = &l->config->global.resolvers;
	uint16_t port;
	struct ip ip;

	for (size_t i = 0; i < list->n; i++) {
		if (!ip_parse_port(list->v[i], 53, &ip, &port))
			config_mistake(l, raw_line(&l->global, "resolvers"),
				       "resolvers: \"%.*s\" is not an address, such as "
				       "\"127.0.0.1\" or \"[::1]:5353\"",
				       TEXT(list->v[i]));
	}
	if (list->n > RESOLVERS_MAX)
		config_mistake(l, raw_line(&l->global, "resolvers"), "resolvers: more than %d",
			       RESOLVERS_MAX);
}

/* The first is our own. */
static void resolve_authserv_ids(struct loading *l)
{
	struct global_settings *g = &l->config->global;
	const struct text_list *more = &g->authserv_ids_removed;
	struct text_list *ids = &l->config->authserv_ids;

	ids->v = arena_alloc(l->arena, (1 + more->n) * sizeof(*ids->v));
	if (text_empty(g->authserv_id))
		ids->v[ids->n++] = g->authserv_id = g->hostname;
	else if (!domain_to_ascii(g->authserv_id, l->arena, &ids->v[ids->n++]))
		config_mistake(l, raw_line(&l->global, "authserv_id"),
			       "authserv-id: \"%.*s\" is no domain name", TEXT(g->authserv_id));
	for (size_t i = 0; i < more->n; i++) {
		if (!domain_to_ascii(more->v[i], l->arena, &ids->v[ids->n++]))
			config_mistake(l, raw_line(&l->global, "authserv_ids_removed"),
				       "authserv-ids-removed: \"%.*s\" is no domain name",
				       TEXT(more->v[i]));
	}
}

/* Started as root, the children become these; started as anybody else they need none. */
static void check_user(struct loading *l, const char *field, const char *option, struct text name)
{
	char user[64];

	text_cstr(name, user, sizeof(user));
	if (geteuid() == 0 && !getpwnam(user))
		config_mistake(l, raw_line(&l->global, field), "%s: there is no user \"%.*s\"",
			       option, TEXT(name));
}

static void resolve_global(struct loading *l)
{
	struct global_settings *g = &l->config->global;

	config_fill(l, settings_groups, &l->global, g, false);
	if (text_empty(g->hostname))
		g->hostname = hosts_own_name(&l->source);
	if (!domain_is_valid(g->hostname))
		config_mistake(l, raw_line(&l->global, "hostname"),
			       "hostname: \"%.*s\" is no host name", TEXT(g->hostname));
	if (!text_empty(g->help_url) && !is_url(g->help_url))
		config_mistake(l, raw_line(&l->global, "help_url"),
			       "help-url: \"%.*s\" is no URL that begins with https:// or http://",
			       TEXT(g->help_url));
	if (g->recipient_delimiter.n > 1)
		config_mistake(l, raw_line(&l->global, "recipient_delimiter"),
			       "recipient-delimiter: \"%.*s\" is not one character",
			       TEXT(g->recipient_delimiter));
	if (text_empty(g->state_dir))
		config_mistake(l, raw_line(&l->global, "state_dir"),
			       "state-dir: it can't be empty");
	check_user(l, "user", "user", g->user);
	check_user(l, "jail_user", "jail-user", g->jail_user);
	check_resolvers(l);
	resolve_authserv_ids(l);
	g->state_dir = source_absolute(&l->source, g->state_dir);
}

void config_check_mode(struct loading *l, const struct group_row *g, const struct raw_section *s,
		       const struct settings *set)
{
	/* all checks have `mode` at the same place */
	const struct relay_settings *any = (const void *)((const char *)set + g->offset);

	if (s && strcmp(g->who, "PROTOCOL") == 0 && any->mode != MODE_ENFORCE) {
		struct text label = config_label(l, s, &g->rows[0]);

		config_mistake(l, raw_line(s, "mode"), "%.*s: this check can't be off or monitored",
			       TEXT(label));
	}
}

static void resolve_checks(struct loading *l)
{
	struct settings *base = &l->config->base;

	base->global = &l->config->global;
	for (size_t i = 0; i < settings_group_count; i++) {
		const struct group_row *g = &settings_groups[i];
		const struct raw_section *s;

		if (g->kind != KIND_CHECK)
			continue;
		s = config_next_section(l, g, NULL);
		config_fill(l, g, s, (char *)base + g->offset, false);
		config_check_mode(l, g, s, base);
		config_check_lives(l, g, s, base);
	}
	config_compile(l, base, config_next_section(l, config_group("subject"), NULL));
	config_normalize_forwarders(l, base, config_next_section(l, config_group("dmarc"), NULL));
	config_compile_extensions(l, base,
				  config_next_section(l, config_group("attachment"), NULL));
	config_resolve_dkim(l, base, config_next_section(l, config_group("dkim"), NULL));
}

static void resolve_relay(struct loading *l)
{
	struct config *c = l->config;
	const struct raw_section *s = config_next_section(l, config_group("relay"), NULL);

	if (text_empty(c->base.relay.route))
		return;
	c->relay_route = config_find_route(l, c->base.relay.route);
	if (!c->relay_route && s)
		config_mistake(l, raw_line(s, "route"), "check \"relay\": route: no route \"%.*s\"",
			       TEXT(c->base.relay.route));
}

void config_resolve(struct loading *l)
{
	const struct group_row *log = config_group("log");

	resolve_global(l);
	config_fill(l, log, config_next_section(l, log, NULL), &l->config->log, false);
	config_fill(l, config_group("clamav"), config_next_section(l, config_group("clamav"), NULL),
		    &l->config->clamav, false);
	resolve_checks(l);
	config_resolve_certificates(l);
	config_resolve_listeners(l);
	config_resolve_routes(l);
	resolve_relay(l);
	config_resolve_domains(l);
	config_resolve_limits(l);
	config_resolve_dnsbls(l);
	config_resolve_header_rules(l);
	config_resolve_auth(l);
	config_resolve_logins(l);
	config_resolve_antivirus(l);
}
