/* The keys of limits, made from text as policy/limits.c makes them from a session. */
#include "master/admin/limit_keys.h"

#include "policy/limits.h"

/* The masked address and its length. */
static bool client_key(const struct limit *l, const struct net *net, struct buf *key,
		       char who[NET_TEXT_MAX])
{
	const bool v4 = ip_is4(&net->ip);
	const unsigned shown = v4 ? l->bits4 : l->bits6, bits = v4 ? shown + 96 : shown;
	struct net counted;

	if (shown == 0 || net->bits < bits)
		return false;
	counted = (struct net){ip_mask(&net->ip, bits), (uint8_t)bits};
	buf_put(key, counted.ip.b, sizeof(counted.ip.b));
	buf_char(key, (char)bits);
	net_format(&counted, who);
	return true;
}

static void sender_key(const struct tool *t, struct text address, struct buf *key)
{
	const struct text delimiter = t->config->global.recipient_delimiter;
	struct text local, domain;

	text_split(address, '@', &local, &domain);
	const size_t at = text_empty(delimiter) ? 0 : text_find(local, delimiter.p[0]);

	buf_put(key, local.p, at > 0 && at < local.n ? at : local.n);
	buf_char(key, '@');
	buf_text(key, domain);
}

/* What counts by whom: a word may be a login or a domain, an address a sender or a login. */
static bool text_key(const struct tool *t, const struct limit *l, const struct list_entry *e,
		     struct buf *key)
{
	const bool bare_domain = e->kind == LIST_RECIPIENT && e->key[0] == '@';

	switch (l->by) {
	case LIMIT_BY_SENDER:
		if (e->kind != LIST_ADDRESS)
			return false;
		sender_key(t, text_of(e->key), key);
		return true;
	case LIMIT_BY_SENDER_DOMAIN:
		if (e->kind != LIST_DOMAIN)
			return false;
		break;
	case LIMIT_BY_RECIPIENT_DOMAIN:
		if (e->kind != LIST_DOMAIN && !bare_domain)
			return false;
		break;
	case LIMIT_BY_LOGIN:
		if (e->kind != LIST_LOGIN && e->kind != LIST_ADDRESS && e->kind != LIST_DOMAIN)
			return false;
		break;
	default:
		return false;
	}
	buf_text(key, text_of(e->key + bare_domain));
	return true;
}

static void each_window(const struct tool *t, const struct limit *l, struct text key,
			const char *who, int (*fn)(const struct limit_window *w, void *arg),
			void *arg)
{
	char space[LIMIT_SPACE_MAX];

	for (int unit = 0; unit < UNIT_COUNT; unit++) {
		const struct rate_list *windows = l->windows[unit];

		for (size_t i = 0; windows && i < windows->n; i++) {
			struct limit_window w = {l, &windows->v[i], (enum limit_unit)unit, 0, who};
			const struct text name = limit_space(l, w.unit, w.rate, space);

			w.tag = table_tag(&t->segment.table, TABLE_GCRA, name, key.p, key.n);
			if (fn(&w, arg))
				return;
		}
	}
}

bool limit_windows(const struct tool *t, const struct limit *l, const struct list_entry *e,
		   int (*fn)(const struct limit_window *w, void *arg), void *arg)
{
	char bytes[LIMIT_KEY_MAX + LIST_KEY_MAX], who[LIST_KEY_MAX + NET_TEXT_MAX];
	struct buf key = buf_over(bytes, sizeof(bytes));

	if (l->by == LIMIT_BY_CLIENT) {
		if (e->kind != LIST_CLIENT || !client_key(l, &e->net, &key, who))
			return false;
	} else {
		if (!text_key(t, l, e, &key))
			return false;
		text_cstr(buf_view(&key), who, sizeof(who));
	}
	each_window(t, l, buf_view(&key), who, fn, arg);
	return true;
}
