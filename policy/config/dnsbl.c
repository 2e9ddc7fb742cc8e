/* DNS lists: what is asked, and which answers count.
 *
 * A list without `listed` is a mistake: lists answer much that doesn't mean "refuse" (white, mixed,
 * "your resolver asks too often"), and to take any answer for a listing has refused all mail at
 * many sites. */
#include "policy/config/internal.h"
#include "policy/message/address.h"

/* Both kinds of section have the same options, so one struct serves both. */
_Static_assert(sizeof(struct rhsbl_settings) == sizeof(struct dnsbl__settings) &&
		   offsetof(struct rhsbl_settings, mode) == offsetof(struct dnsbl__settings, mode),
	       "sections dnsbl and rhsbl are alike");

/* Room for "NN.NN..." of an IPv6 address before the zone. */
enum { ZONE_MAX = DNS_NAME_MAX - 64 };

static bool parse_byte(struct text t, uint8_t *out)
{
	uint64_t n;

	if (!text_u64(t, &n) || n > UINT8_MAX)
		return false;
	*out = (uint8_t)n;
	return true;
}

/* "2", "2-4", "*" or "&6". */
static bool parse_octet(struct text t, struct dnsbl_octet *out)
{
	struct text from, to;

	*out = (struct dnsbl_octet){.to = UINT8_MAX};
	if (text_eq(t, LIT("*")))
		return true;
	if (t.n > 1 && t.p[0] == '&')
		return parse_byte(text_make(t.p + 1, t.n - 1), &out->bits) && out->bits;
	if (!text_split(t, '-', &from, &to))
		to = from;
	return parse_byte(from, &out->from) && parse_byte(to, &out->to) && out->from <= out->to;
}

static bool parse_code(struct text t, struct dnsbl_code *out)
{
	struct text octet, rest = t;

	for (int i = 0; i < 4; i++) {
		bool more = text_split(rest, '.', &octet, &rest);

		if (more != (i < 3) || !parse_octet(octet, &out->octets[i]))
			return false;
	}
	return out->octets[0].from == 127 && out->octets[0].to == 127;
}

static void resolve_codes(struct loading *l, const struct raw_section *s, struct dnsbl *d)
{
	const struct text_list *listed = &d->set.listed;

	if (listed->n == 0)
		config_mistake(
		    l, s->line,
		    "%.*s: listed: which answers count must be said, for instance listed = "
		    "{ \"127.0.0.2\" }",
		    TEXT(d->label));
	d->codes = arena_alloc(l->arena, (listed->n + 1) * sizeof(*d->codes));
	for (size_t i = 0; i < listed->n; i++) {
		if (!parse_code(listed->v[i], &d->codes[d->code_count++]))
			config_mistake(l, raw_line(s, "listed"),
				       "%.*s: listed: \"%.*s\" is no set of answers, such as "
				       "\"127.0.0.2-4\", \"127.0.*.2\" or \"127.0.0.&6\"",
				       TEXT(d->label), TEXT(listed->v[i]));
	}
}

/* The zone without its label KEY, as the parts before and behind it; false: it has none. */
static bool split_at_key(struct text zone, struct text *before, struct text *behind)
{
	struct text label, rest = zone;
	bool more = true;

	while (more) {
		more = text_split(rest, '.', &label, &rest);
		if (!text_eq(label, LIT("KEY")))
			continue;
		*before = text_make(zone.p, (size_t)(label.p - zone.p));
		*behind = more ? rest : LIT("");
		return true;
	}
	return false;
}

/* Its messages never show what the file holds. */
static void resolve_zone(struct loading *l, const struct raw_section *s, struct dnsbl *d)
{
	const struct text zone = text_empty(d->set.zone) ? d->set.name : d->set.zone;
	const struct text key = text_trim(d->set.key_file.content);
	const bool keyed = !text_empty(d->set.key_file.path);
	struct text before, behind;

	if (!domain_is_valid(zone) || zone.n > ZONE_MAX) {
		config_mistake(l, raw_line(s, "zone"), "%.*s: zone: \"%.*s\" is no DNS zone",
			       TEXT(d->label), TEXT(zone));
		return;
	}
	d->zone = zone;
	if (keyed && (!domain_is_valid(key) || key.n + 1 + zone.n > ZONE_MAX))
		config_mistake(
		    l, raw_line(s, "key_file"),
		    "%.*s: key-file: \"%.*s\" holds no key: one word of letters and digits",
		    TEXT(d->label), TEXT(d->set.key_file.path));
	else if (split_at_key(zone, &before, &behind) && keyed)
		d->zone = arena_printf(l->arena, "%.*s%.*s%s%.*s", TEXT(before), TEXT(key),
				       behind.n ? "." : "", TEXT(behind));
	else if (keyed)
		d->zone = arena_printf(l->arena, "%.*s.%.*s", TEXT(key), TEXT(zone));
	else if (split_at_key(zone, &before, &behind))
		config_mistake(l, raw_line(s, "zone"),
			       "%.*s: zone: it has the label KEY, but there is no key-file",
			       TEXT(d->label));
}

static void resolve_lists(struct loading *l, const struct group_row *g, bool domains)
{
	struct config *c = l->config;

	for (struct raw_section *s = NULL; (s = config_next_section(l, g, s));) {
		struct dnsbl *d = &c->dnsbls[c->dnsbl_count++];

		config_fill(l, g, s, &d->set, false);
		d->set.name = s->title;
		d->domains = domains;
		d->label = config_label(l, s, NULL);
		resolve_codes(l, s, d);
		resolve_zone(l, s, d);
	}
}

void config_resolve_dnsbls(struct loading *l)
{
	const struct group_row *addresses = config_group("dnsbl_"),
			       *domains = config_group("rhsbl");
	size_t n = config_count_sections(l, addresses) + config_count_sections(l, domains);

	l->config->dnsbls = arena_alloc(l->arena, (n + 1) * sizeof(*l->config->dnsbls));
	resolve_lists(l, addresses, false);
	resolve_lists(l, domains, true);
}
