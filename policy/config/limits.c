/* Rate limits: who is counted, what, and on which listeners. */
#include "policy/config/internal.h"

const char *limit_unit_name(enum limit_unit u)
{
	static const char *const names[UNIT_COUNT] = {"connections", "messages", "recipients",
						      "bytes"};

	return names[u];
}

/* "ip4/32" or "ip6/64". */
static bool parse_width(struct text word, struct limit *to)
{
	struct text family, length;
	uint64_t bits;
	bool four;

	if (!text_split(word, '/', &family, &length) || !text_u64(length, &bits))
		return false;
	four = text_eq(family, LIT("ip4"));
	if ((!four && !text_eq(family, LIT("ip6"))) || bits < 1 || bits > (four ? 32 : 128))
		return false;
	if (four ? to->bits4 : to->bits6)
		return false; /* said twice */
	*(four ? &to->bits4 : &to->bits6) = (unsigned)bits;
	return true;
}

static bool parse_by(struct text by, struct limit *to)
{
	static const struct {
		const char *name;
		enum limit_by by;
	} words[] = {{"sender", LIMIT_BY_SENDER},
		     {"sender-domain", LIMIT_BY_SENDER_DOMAIN},
		     {"recipient-domain", LIMIT_BY_RECIPIENT_DOMAIN},
		     {"login", LIMIT_BY_LOGIN}};
	struct text word;

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (text_eq(by, text_of(words[i].name))) {
			to->by = words[i].by;
			return true;
		}
	}
	to->by = LIMIT_BY_CLIENT;
	while (!text_empty(by)) {
		text_split(by, ',', &word, &by);
		if (!parse_width(text_trim(word), to))
			return false;
	}
	return to->bits4 > 0 || to->bits6 > 0;
}

static void resolve_listeners(struct loading *l, const struct raw_section *s, struct limit *to)
{
	const struct config *c = l->config;

	if (to->set.on.n == 0)
		to->listeners = UINT64_MAX;
	for (size_t i = 0; i < to->set.on.n; i++) {
		struct suggestion near;
		size_t k = 0;

		suggest_begin(&near, to->set.on.v[i]);
		while (k < c->listener_count && !text_eq(c->listeners[k].set.name, to->set.on.v[i]))
			suggest_offer(&near, c->listeners[k++].set.name);
		if (k < c->listener_count) {
			to->listeners |= UINT64_C(1) << c->listeners[k].index;
			continue;
		}
		struct text found = config_nearest(l, &near);
		config_mistake(l, raw_line(s, "on"), "limit \"%.*s\": on: no listener \"%.*s\"%.*s",
			       TEXT(s->title), TEXT(to->set.on.v[i]), TEXT(found));
	}
}

static void resolve_limit(struct loading *l, const struct raw_section *s, struct limit *to)
{
	size_t windows = 0;

	to->windows[UNIT_CONNECTIONS] = &to->set.connections;
	to->windows[UNIT_MESSAGES] = &to->set.messages;
	to->windows[UNIT_RECIPIENTS] = &to->set.recipients;
	to->windows[UNIT_BYTES] = &to->set.bytes;
	for (int u = 0; u < UNIT_COUNT; u++)
		windows += to->windows[u]->n;
	if (!parse_by(to->set.by, to))
		config_mistake(l, raw_line(s, "by"),
			       "limit \"%.*s\": by: \"%.*s\" is none of \"ip4/N, ip6/N\", sender, "
			       "sender-domain, recipient-domain, login",
			       TEXT(s->title), TEXT(to->set.by));
	else if (to->by != LIMIT_BY_CLIENT && to->set.connections.n > 0)
		config_mistake(l, raw_line(s, "connections"),
			       "limit \"%.*s\": connections: a connection has no %.*s yet; count "
			       "them by ip4/N, ip6/N",
			       TEXT(s->title), TEXT(to->set.by));
	if (windows == 0)
		config_mistake(
		    l, s->line,
		    "limit \"%.*s\" limits nothing: set connections, messages, recipients or bytes",
		    TEXT(s->title));
	resolve_listeners(l, s, to);
}

/* A file without any limit gets this one (reference: strangers, by client). */
static void default_limit(struct loading *l)
{
	const struct group_row *g = config_group("limit");
	struct raw_section *s = raw_section_add(l, g, LIT("client"), 0, NULL);
	struct raw_option *o = raw_option_add(l, s, settings_find(g, LIT("messages")), 0);

	raw_value_add(l, o, LIT("600/1m"), 0);
	raw_value_add(l, o, LIT("10000/1h"), 0);
}

void config_resolve_limits(struct loading *l)
{
	const struct group_row *g = config_group("limit");
	struct config *c = l->config;

	if (config_count_sections(l, g) == 0)
		default_limit(l);
	c->limits = arena_alloc(l->arena, config_count_sections(l, g) * sizeof(*c->limits));
	for (struct raw_section *s = NULL; (s = config_next_section(l, g, s));) {
		struct limit *to = &c->limits[c->limit_count++];

		config_fill(l, g, s, &to->set, false);
		to->set.name = s->title;
		resolve_limit(l, s, to);
	}
}
