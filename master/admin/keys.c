/* What people type, and how it is shown to them: keys of the lists, names of checks. */
#include "master/admin/tool.h"
#include "policy/check.h"
#include "policy/suggest.h"

/* ---- keys ---- */

/* Digits and dots alone are an address, if a mistyped one: no top-level domain is a number. */
static bool is_numeric(struct text t)
{
	for (size_t i = 0; i < t.n; i++) {
		if ((t.p[i] < '0' || t.p[i] > '9') && t.p[i] != '.')
			return false;
	}
	return t.n > 0;
}

static enum list_key guess_kind(struct text t)
{
	if (ip_parse(t, NULL) || is_numeric(t) || text_find(t, '/') < t.n ||
	    text_find(t, ':') < t.n)
		return LIST_CLIENT;
	if (t.p[0] == '@')
		return LIST_DOMAIN;
	return text_find(t, '@') < t.n ? LIST_ADDRESS : LIST_DOMAIN;
}

/* "hots:.example.org": a word before the colon that is no kind. */
static bool is_wrong_kind(struct text kind)
{
	bool letters = false;

	for (size_t i = 0; i < kind.n; i++) {
		char c = kind.p[i];

		if ((c < 'a' || c > 'z') && (c < 'A' || c > 'Z'))
			return false;
		letters |= (c | 0x20) > 'f';
	}
	return letters;
}

static bool say_wrong_kind(struct text kind)
{
	struct suggestion near;

	suggest_begin(&near, kind);
	for (int i = 0; i < LIST_KEYS; i++)
		suggest_offer(&near, text_of(list_key_name((enum list_key)i)));
	suggest_offer(&near, LIT("sender"));
	tool_fail(EXIT_WRONG, "no kind of key \"%.*s:\"%s%s%s", TEXT(kind),
		  near.best[0] ? "; nearest: " : "", near.best, near.best[0] ? ":" : "");
	return false;
}

static bool split_kind(struct text t, enum list_key *kind, struct text *key)
{
	struct text name;

	*key = t;
	if (!text_split(t, ':', &name, &t)) {
		*kind = guess_kind(*key);
		return true;
	}
	if (text_eq(name, LIT("sender"))) {
		*kind = text_find(t, '@') < t.n && t.p[0] != '@' ? LIST_ADDRESS : LIST_DOMAIN;
		*key = t;
		return true;
	}
	if (list_key_find(name, kind)) {
		*key = t;
		return true;
	}
	*kind = guess_kind(*key);
	return is_wrong_kind(name) ? say_wrong_kind(name) : true;
}

bool tool_parse_key(const char *typed, struct list_entry *e)
{
	char message[512];
	struct buf err = buf_over(message, sizeof(message));
	struct text key;

	if (!*typed) {
		tool_fail(EXIT_WRONG, "an empty word names nobody");
		return false;
	}
	if (!split_kind(text_of(typed), &e->kind, &key))
		return false;
	if (e->kind == LIST_SIGNATURE) {
		tool_fail(EXIT_WRONG, "\"%s\": a signature is no sender: see gatepost signature",
			  typed);
		return false;
	}
	if (!list_key_normalize(e->kind, key, e->key, &err)) {
		tool_fail(EXIT_WRONG, "%s", message);
		return false;
	}
	return e->kind != LIST_CLIENT || net_parse(text_of(e->key), &e->net);
}

char *tool_key_shown(const struct list_entry *e, char dst[LIST_KEY_MAX + 16])
{
	if (e->kind != LIST_CLIENT)
		snprintf(dst, LIST_KEY_MAX + 16, "%s%s%s",
			 e->kind == LIST_DOMAIN || e->kind == LIST_ADDRESS ? ""
									   : list_key_name(e->kind),
			 e->kind == LIST_DOMAIN || e->kind == LIST_ADDRESS ? "" : ":", e->key);
	else if (e->net.bits == 128)
		ip_format(&e->net.ip, dst);
	else
		net_format(&e->net, dst);
	return dst;
}

void tool_client_shown(struct text key, char *dst, size_t size)
{
	struct net net;

	if (net_parse(key, &net) && net.bits == 128 && size >= IP_TEXT_MAX)
		ip_format(&net.ip, dst);
	else
		text_cstr(key, dst, size);
}

/* ---- checks ---- */

static void without_dashes(const char *s, char *dst, size_t size)
{
	size_t n = 0;

	for (; *s && n + 1 < size; s++) {
		if (*s != '-' && *s != '_')
			dst[n++] = *s;
	}
	dst[n] = '\0';
}

/* The check whose name begins so, dashes aside: "emptyreply". */
static const char *begun_check(const char *typed)
{
	char wanted[64], name[64];

	without_dashes(typed, wanted, sizeof(wanted));
	for (int i = 0; i < CHECK_COUNT; i++) {
		without_dashes(check_row((enum check_id)i)->name, name, sizeof(name));
		if (strlen(wanted) > 2 && strncmp(name, wanted, strlen(wanted)) == 0)
			return check_row((enum check_id)i)->name;
	}
	return NULL;
}

const char *tool_find_check(const char *typed, bool star)
{
	struct suggestion near;
	const struct check_row *row = check_find(text_of(typed));

	if (row)
		return row->name;
	if (star && strcmp(typed, "*") == 0)
		return "*";
	suggest_begin(&near, text_of(typed));
	for (int i = 0; i < CHECK_COUNT; i++)
		suggest_offer(&near, text_of(check_row((enum check_id)i)->name));
	const char *best = near.best[0] ? near.best : begun_check(typed);

	tool_fail(EXIT_WRONG, "no check \"%s\"%s%s.  All: gatepost checks", typed,
		  best ? "; nearest: " : "", best ? best : "");
	return NULL;
}
