/* Listeners: their addresses, and that no two of them want the same. */
#include "policy/config/internal.h"

/* The mask of listeners of a limit has that many bits. */
enum { LISTENERS_MAX = 64 };

static bool is_any(const struct ip *ip)
{
	struct ip four, six;

	ip_parse(LIT("0.0.0.0"), &four);
	ip_parse(LIT("::"), &six);
	return ip_eq(ip, &four) || ip_eq(ip, &six);
}

static bool overlap(const struct listen_address *a, const struct listen_address *b)
{
	if (a->port != b->port || ip_is4(&a->ip) != ip_is4(&b->ip))
		return false;
	return a->any || b->any || ip_eq(&a->ip, &b->ip);
}

/* Who else wants it, of the listeners up to and with `last`. */
static void check_overlap(struct loading *l, const struct raw_section *s, int line,
			  const struct listener *last, const struct listen_address *new)
{
	const struct config *c = l->config;

	for (const struct listener *other = c->listeners; other <= last; other++) {
		for (size_t i = 0; i < other->address_count; i++) {
			const struct listen_address *a = &other->addresses[i];

			if (a == new || !overlap(a, new))
				continue;
			struct text label = config_label(l, s, NULL);
			config_mistake(
			    l, line,
			    "%.*s: address \"%.*s\" is taken by \"%.*s\" of listener \"%.*s\"",
			    TEXT(label), TEXT(new->text), TEXT(a->text), TEXT(other->set.name));
			return;
		}
	}
}

static bool parse_address(struct text t, struct listen_address *out)
{
	struct text host;

	*out = (struct listen_address){.text = t};
	if (!config_split_port(t, 0, &host, &out->port))
		return false;
	if (text_eq(host, LIT("*")) || !ip_parse(host, &out->ip))
		return false;
	out->any = is_any(&out->ip);
	return true;
}

static void resolve_addresses(struct loading *l, const struct raw_section *s, struct listener *to)
{
	const struct text_list *list = &to->set.address;
	const struct raw_option *o = s->options[0]; /* `address` is a listener's first option */

	to->addresses = arena_alloc(l->arena, list->n * sizeof(*to->addresses));
	if (list->n == 0)
		config_mistake(l, raw_line(s, "address"), "listener \"%.*s\": no address",
			       TEXT(s->title));
	for (size_t i = 0; i < list->n; i++) {
		struct listen_address *a = &to->addresses[to->address_count];
		int line = o ? o->values[i].line : s->line;

		if (!parse_address(list->v[i], a)) {
			config_mistake(l, line,
				       "listener \"%.*s\": address: \"%.*s\" is not an address "
				       "with a port, such as \"0.0.0.0:25\" or \"[::]:25\"",
				       TEXT(s->title), TEXT(list->v[i]));
			continue;
		}
		to->address_count++;
		check_overlap(l, s, line, to, a);
	}
}

/* A listener that has to speak TLS, with nothing to show. */
static void check_tls(struct loading *l, const struct raw_section *s, const struct listener *to)
{
	const int tls = to->set.tls;
	const bool wanted = tls == LISTENER_TLS_REQUIRED || tls == LISTENER_TLS_IMPLICIT;

	if (wanted && l->config->certificate_count == 0)
		config_mistake(l, raw_line(s, "tls"),
			       "listener \"%.*s\": tls: there is no certificate \"NAME\" { chain = "
			       "\"FILE\" key = \"FILE\" }",
			       TEXT(s->title));
}

void config_resolve_listeners(struct loading *l)
{
	const struct group_row *g = config_group("listener");
	struct config *c = l->config;
	size_t n = config_count_sections(l, g);

	if (n == 0)
		config_mistake(
		    l, 0,
		    "no listener: listener \"mx\" { address = { \"0.0.0.0:25\", \"[::]:25\" } }");
	c->listeners = arena_alloc(l->arena, n * sizeof(*c->listeners));
	for (struct raw_section *s = NULL; (s = config_next_section(l, g, s));) {
		struct listener *to = &c->listeners[c->listener_count];

		if (c->listener_count == LISTENERS_MAX) {
			config_mistake(l, s->line,
				       "more than %d listeners; one can have many addresses",
				       LISTENERS_MAX);
			return;
		}
		config_fill(l, g, s, &to->set, false);
		to->set.name = s->title;
		to->index = (unsigned)c->listener_count++;
		resolve_addresses(l, s, to);
		check_tls(l, s, to);
	}
}
