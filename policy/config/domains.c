/* Domains: their names as the DNS has them, their routes, their own settings of checks, and the
 * groups whose recipients may share a message. */
#include "policy/config/internal.h"
#include "policy/message/address.h"

#include <stdlib.h>

/* NULL: said. */
static const struct route *route_named(struct loading *l, const struct raw_section *s,
				       const char *option, struct text name)
{
	const struct config *c = l->config;
	const struct route *r = config_find_route(l, name);
	struct suggestion near;

	if (r)
		return r;
	suggest_begin(&near, name);
	for (size_t i = 0; i < c->route_count; i++)
		suggest_offer(&near, c->routes[i].set.name);
	struct text found = config_nearest(l, &near);
	config_mistake(l, raw_line(s, option), "domain \"%.*s\": %s: no route \"%.*s\"%.*s",
		       TEXT(s->title), option, TEXT(name), TEXT(found));
	return NULL;
}

static const struct route *domain_route(struct loading *l, const struct raw_section *s,
					const struct domain *d)
{
	if (!text_empty(d->set.route))
		return route_named(l, s, "route", d->set.route);
	config_mistake(l, s->line, "domain \"%.*s\" has no route: route = \"name\"",
		       TEXT(s->title));
	return NULL;
}

/* Who is asked where `recipients = "verify"`; a Maildir knows at once, without being asked so. */
static const struct route *verify_route(struct loading *l, const struct raw_section *s,
					const struct domain *d)
{
	const struct route *r = d->route;

	if (d->set.recipients != RECIPIENTS_VERIFY && text_empty(d->set.verify))
		return NULL;
	if (d->set.recipients != RECIPIENTS_VERIFY) {
		config_mistake(l, raw_line(s, "verify"),
			       "domain \"%.*s\": verify: it needs recipients = \"verify\"",
			       TEXT(s->title));
		return NULL;
	}
	if (!text_empty(d->set.verify))
		r = route_named(l, s, "verify", d->set.verify);
	if (r && r->host_count > 0 && r->hosts[0].kind == HOP_MAILDIR) {
		config_mistake(l, raw_line(s, text_empty(d->set.verify) ? "recipients" : "verify"),
			       "domain \"%.*s\": recipients = \"verify\": the route \"%.*s\" is a "
			       "Maildir, which nobody can ask",
			       TEXT(s->title), TEXT(r->set.name));
		return NULL;
	}
	return r;
}

/* The base's settings, or a copy with what the domain's check sections say. */
static const struct settings *domain_settings(struct loading *l, const struct raw_section *s)
{
	struct settings *own = NULL;
	const struct raw_section *subject = NULL, *attachment = NULL, *dkim = NULL, *dmarc = NULL;

	for (const struct raw_section *check = s->next; check && check->parent == s;
	     check = check->next) {
		const struct group_row *g = check->group;

		if (!own) {
			own = arena_new(l->arena, struct settings);
			memcpy(own, &l->config->base, sizeof(*own)); /* padding too: for memcmp */
		}
		config_fill(l, g, check, (char *)own + g->offset, true);
		config_check_mode(l, g, check, own);
		config_check_lives(l, g, check, own);
		if (settings_name_is(LIT("subject"), g->name))
			subject = check;
		if (settings_name_is(LIT("attachment"), g->name))
			attachment = check;
		if (settings_name_is(LIT("dkim"), g->name))
			dkim = check;
		if (settings_name_is(LIT("dmarc"), g->name))
			dmarc = check;
		if (settings_name_is(LIT("relay"), g->name) &&
		    !text_eq(own->relay.route, l->config->base.relay.route))
			config_mistake(
			    l, raw_line(check, "route"),
			    "domain \"%.*s\": check \"relay\": route: it is for domains that "
			    "are not ours, and can't be set for one of ours",
			    TEXT(s->title));
	}
	if (subject)
		config_compile(l, own, subject);
	if (attachment)
		config_compile_extensions(l, own, attachment);
	if (dkim)
		config_resolve_dkim(l, own, dkim);
	if (dmarc)
		config_normalize_forwarders(l, own, dmarc);
	return own ? own : &l->config->base;
}

/* What no client could do. */
static void check_tls(struct loading *l, const struct raw_section *s, const struct domain *d)
{
	if (d->set.tls == DOMAIN_TLS_REQUIRED && l->config->certificate_count == 0)
		config_mistake(l, raw_line(s, "tls"),
			       "domain \"%.*s\": tls: there is no certificate \"NAME\" { chain = "
			       "\"FILE\" key = \"FILE\" }",
			       TEXT(s->title));
}

static int compare_domains(const void *a, const void *b)
{
	const struct domain *x = a, *y = b;
	int order = memcmp(x->name.p, y->name.p, x->name.n < y->name.n ? x->name.n : y->name.n);

	if (order == 0)
		order = (x->name.n > y->name.n) - (x->name.n < y->name.n);
	return order ? order : (int)x->subdomains - (int)y->subdomains;
}

/* --- groups */

static bool judge_content_alike(const struct settings *a, const struct settings *b)
{
	for (size_t i = 0; a != b && i < settings_group_count; i++) {
		const struct group_row *g = &settings_groups[i];

		if (g->kind != KIND_CHECK || strcmp(g->phase, "MESSAGE") != 0)
			continue;
		if (!config_values_equal(g, (const char *)a + g->offset,
					 (const char *)b + g->offset))
			return false;
	}
	return true;
}

/* A domain without checks of its own is in the group of its route; the others are compared with
 * those that had to get a new one. */
static void number_groups(struct config *c)
{
	unsigned next = (unsigned)c->route_count;
	const struct domain **first = calloc(c->domain_count + 1, sizeof(struct domain *));

	if (!first)
		abort();
	for (size_t i = 0; i < c->domain_count; i++) {
		struct domain *d = &c->domains[i];
		unsigned g = (unsigned)c->route_count;

		if (!d->route)
			continue;
		d->group = d->route->index;
		if (judge_content_alike(d->settings, &c->base))
			continue;
		while (g < next &&
		       !(first[g - c->route_count]->route == d->route &&
			 judge_content_alike(first[g - c->route_count]->settings, d->settings)))
			g++;
		if (g == next)
			first[next++ - c->route_count] = d;
		d->group = g;
	}
	free(first);
}

static bool same_domain(const struct domain *a, const struct domain *b)
{
	return text_eq(a->name, b->name) && a->subdomains == b->subdomains;
}

void config_resolve_domains(struct loading *l)
{
	const struct group_row *g = config_group("domain");
	struct config *c = l->config;

	c->domains = arena_alloc(l->arena, config_count_sections(l, g) * sizeof(*c->domains));
	for (struct raw_section *s = NULL; (s = config_next_section(l, g, s));) {
		struct domain *d = &c->domains[c->domain_count];
		struct text written = s->title;

		*d = (struct domain){.subdomains = text_istarts(written, LIT("*."))};
		if (d->subdomains)
			written = text_make(written.p + 2, written.n - 2);
		if (!domain_to_ascii(written, l->arena, &d->name)) {
			config_mistake(l, s->line, "domain \"%.*s\": that is no domain name",
				       TEXT(s->title));
			continue;
		}
		config_fill(l, g, s, &d->set, false);
		d->set.name = s->title;
		d->route = domain_route(l, s, d);
		d->verify_route = verify_route(l, s, d);
		d->settings = domain_settings(l, s);
		check_tls(l, s, d);
		c->domain_count++;
	}
	qsort(c->domains, c->domain_count, sizeof(*c->domains), compare_domains);
	for (size_t i = 1; i < c->domain_count; i++) {
		const struct domain *a = &c->domains[i - 1], *b = &c->domains[i];
		const struct domain *later = a->set.line > b->set.line ? a : b;

		if (same_domain(a, b))
			config_mistake(l, later->set.line,
				       "domain \"%.*s\" stands twice, first in line %d",
				       TEXT(later->set.name),
				       a->set.line > b->set.line ? b->set.line : a->set.line);
	}
	number_groups(c);
}
