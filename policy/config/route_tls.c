/* TLS to the hosts of a route: the authorities that are trusted, and the certificate that we show.
 */
#include "policy/config/internal.h"
#include "shm/base/pair.h"

static void mistake(struct loading *l, const struct raw_section *s, const char *option,
		    const char *why)
{
	config_mistake(l, raw_line(s, option), "route \"%.*s\": %s", TEXT(s->title), why);
}

/* The file is public, so it goes to the workers with the rest of the configuration. */
static void read_authorities(struct loading *l, const struct raw_section *s, struct route *r)
{
	const struct text path = source_absolute(&l->source, r->set.tls_ca);
	const struct source_item *file = source_file(&l->source, SOURCE_FILE, path);

	r->authorities = file->data;
	if (file->error)
		config_mistake(l, raw_line(s, "tls_ca"),
			       "route \"%.*s\": tls-ca: cannot read %.*s: %s", TEXT(s->title),
			       TEXT(path), strerror(file->error));
	else if (!l->source.sealed && !pair_trust(file->data, NULL))
		config_mistake(
		    l, raw_line(s, "tls_ca"),
		    "route \"%.*s\": tls-ca: %.*s holds no certificate in PEM form, or a "
		    "broken one",
		    TEXT(s->title), TEXT(path));
}

static void check_hosts(struct loading *l, const struct raw_section *s, const struct route *r)
{
	for (size_t i = 0; i < r->host_count; i++) {
		const struct hop_address *h = &r->hosts[i];

		if (h->tls_first && r->set.tls == ROUTE_TLS_OFF)
			mistake(l, s, "tls", "tls: it is off, but a host is smtps or lmtps");
		if (r->set.tls == ROUTE_TLS_VERIFIED && !text_empty(h->path) &&
		    text_empty(r->set.tls_name))
			mistake(l, s, "tls",
				"tls: a unix socket has no name that a certificate could "
				"have: set tls-name");
	}
}

static void resolve_client_pair(struct loading *l, const struct raw_section *s, struct route *r)
{
	struct certificate_pair *p;

	if (text_empty(r->set.tls_chain)) {
		if (!text_empty(r->set.tls_key))
			mistake(l, s, "tls_key",
				"tls-key: there is no tls-chain that it could be of");
		return;
	}
	p = arena_new(l->arena, struct certificate_pair);
	p->owner = arena_printf(l->arena, "route \"%.*s\"", TEXT(s->title));
	p->line = raw_line(s, "tls_chain");
	config_resolve_pair(l, p, r->set.tls_chain, r->set.tls_key);
	r->client = p;
}

void config_resolve_route_tls(struct loading *l, const struct raw_section *s, struct route *r)
{
	r->authorities = LIT("");
	check_hosts(l, s, r);
	if (r->set.tls == ROUTE_TLS_VERIFIED)
		read_authorities(l, s, r);
	resolve_client_pair(l, s, r);
}
