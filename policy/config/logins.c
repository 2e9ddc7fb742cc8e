/* Authentication: its backend, its mechanisms, and the listeners that offer it. */
#include "policy/config/internal.h"

const char *mechanism_name(enum mechanism m)
{
	static const char *const names[MECHANISMS] = {
	    [MECHANISM_PLAIN] = "PLAIN",
	    [MECHANISM_LOGIN] = "LOGIN",
	    [MECHANISM_SCRAM_SHA_256] = "SCRAM-SHA-256",
	};

	return names[m];
}

static void resolve_backend(struct loading *l, const struct raw_section *s)
{
	struct config *c = l->config;
	const struct text backend = c->auth.backend, prefix = LIT("dovecot:");

	if (text_eq(backend, LIT("local")))
		return;
	if (text_istarts(backend, prefix) && backend.n > prefix.n + 1 &&
	    backend.p[prefix.n] == '/') {
		c->auth_socket = text_make(backend.p + prefix.n, backend.n - prefix.n);
		return;
	}
	config_mistake(l, s ? raw_line(s, "backend") : 0,
		       "auth: backend: \"%.*s\" is neither \"local\" nor \"dovecot:/PATH\"",
		       TEXT(backend));
}

static void resolve_mechanisms(struct loading *l, const struct raw_section *s)
{
	struct config *c = l->config;

	for (size_t i = 0; i < c->auth.mechanisms.n; i++) {
		for (unsigned m = 0; m < MECHANISMS; m++) {
			if (text_ieq(c->auth.mechanisms.v[i], text_of(mechanism_name(m))))
				c->mechanisms |= 1U << m;
		}
	}
	if (c->mechanisms == 0)
		config_mistake(l, s ? raw_line(s, "mechanisms") : 0, "auth: mechanisms: none");
}

static bool has_lmtp(const struct route *r)
{
	for (size_t i = 0; i < r->host_count; i++) {
		if (r->hosts[i].kind == HOP_LMTP)
			return true;
	}
	return false;
}

/* A mail client is no server: it doesn't try one of its recipients again later.  So where one logs
 * in, all go one way. */
static void resolve_listener_route(struct loading *l, const struct raw_section *s,
				   struct listener *to)
{
	if (!text_empty(to->set.route)) {
		to->route = config_find_route(l, to->set.route);
		if (!to->route)
			config_mistake(l, raw_line(s, "route"),
				       "listener \"%.*s\": route: no route \"%.*s\"",
				       TEXT(s->title), TEXT(to->set.route));
	} else if (to->set.auth == LISTENER_AUTH_REQUIRED) {
		to->route = l->config->relay_route;
		if (!to->route)
			config_mistake(
			    l, raw_line(s, "auth"),
			    "listener \"%.*s\": auth: \"required\" wants a route for all "
			    "that is sent there: route = \"NAME\"",
			    TEXT(s->title));
	}
	if (to->route && has_lmtp(to->route))
		config_mistake(l, raw_line(s, "route"),
			       "listener \"%.*s\": route: \"%.*s\" is by LMTP, which takes one "
			       "recipient a message",
			       TEXT(s->title), TEXT(to->route->set.name));
}

/* Nobody could ever log in. */
static void check_listener_tls(struct loading *l, const struct raw_section *s,
			       const struct listener *to)
{
	if (to->set.auth == LISTENER_AUTH_OFF || to->set.auth_plaintext)
		return;
	if (to->set.tls == LISTENER_TLS_OFF || l->config->certificate_count == 0)
		config_mistake(l, raw_line(s, "auth"),
			       "listener \"%.*s\": auth: it is offered under TLS only, and there "
			       "is none (or auth-plaintext = true)",
			       TEXT(s->title));
}

void config_resolve_logins(struct loading *l)
{
	const struct group_row *g = config_group("auth"), *listener = config_group("listener");
	const struct raw_section *auth = config_next_section(l, g, NULL);
	struct config *c = l->config;
	struct raw_section *s = NULL;

	resolve_backend(l, auth);
	resolve_mechanisms(l, auth);
	for (size_t i = 0; i < c->listener_count; i++) {
		s = config_next_section(l, listener, s);
		resolve_listener_route(l, s, &c->listeners[i]);
		check_listener_tls(l, s, &c->listeners[i]);
	}
}

bool config_wants_users(const struct config *c)
{
	if (!text_empty(c->auth_socket))
		return false;
	for (size_t i = 0; i < c->listener_count; i++) {
		if (c->listeners[i].set.auth != LISTENER_AUTH_OFF)
			return true;
	}
	return false;
}
