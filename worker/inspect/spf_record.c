/* Parsing SPF records, after the grammar of RFC 7208 12. */
#include "worker/inspect/spf_record.h"

#include "worker/inspect/spf_macro.h"

static const struct text version = LIT("v=spf1");

bool spf_is_record(struct text txt)
{
	return text_istarts(txt, version) && (txt.n == version.n || txt.p[version.n] == ' ');
}

static bool is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static struct text from(struct text t, size_t i)
{
	return text_make(t.p + i, t.n - i);
}

/* A prefix length without leading zeros, at most `most`. */
static bool parse_bits(struct text t, unsigned most, unsigned *out)
{
	uint64_t v;

	if (t.n == 0 || t.n > 3 || (t.n > 1 && t.p[0] == '0') || !text_u64(t, &v) || v > most)
		return false;
	*out = (unsigned)v;
	return true;
}

/* The digits at the end of t, where a '/' stands before them; t then ends before the slash. */
static bool cut_length(struct text *t, struct text *digits)
{
	size_t i = t->n;

	while (i > 0 && is_digit(t->p[i - 1]))
		i--;
	if (i == t->n || i == 0 || t->p[i - 1] != '/')
		return false;
	*digits = from(*t, i);
	t->n = i - 1;
	return true;
}

/* dual-cidr-length = [ "/" ip4-length ] [ "//" ip6-length ], taken off the end of t. */
static bool parse_dual_length(struct text *t, struct spf_directive *d)
{
	struct text digits;

	d->bits4 = 32;
	d->bits6 = 128;
	if (!cut_length(t, &digits))
		return true;
	if (t->n > 0 && t->p[t->n - 1] == '/') {
		t->n--;
		if (!parse_bits(digits, 128, &d->bits6))
			return false;
		if (!cut_length(t, &digits))
			return true;
	}
	return parse_bits(digits, 32, &d->bits4);
}

/* [ ":" domain-spec ], all of t. */
static bool parse_domain(struct text t, bool required, struct spf_directive *d)
{
	if (t.n == 0)
		return !required;
	d->domain = from(t, 1);
	return t.p[0] == ':' && spf_domain_spec_ok(d->domain);
}

static bool parse_ip(struct text t, bool want4, struct spf_directive *d)
{
	const unsigned most = want4 ? 32 : 128;
	struct text digits;

	d->bits4 = 32;
	d->bits6 = 128;
	if (t.n < 2 || t.p[0] != ':')
		return false;
	t = from(t, 1);
	if (cut_length(&t, &digits) && !parse_bits(digits, most, want4 ? &d->bits4 : &d->bits6))
		return false;
	/* Only an IPv6 address has colons. */
	return ip_parse(t, &d->ip) && (text_find(t, ':') == t.n) == want4;
}

/* What follows a mechanism's name. */
static bool parse_arguments(struct text t, struct spf_directive *d)
{
	switch (d->mechanism) {
	case SPF_ALL:
		return t.n == 0;
	case SPF_INCLUDE:
	case SPF_EXISTS:
		return parse_domain(t, true, d);
	case SPF_A:
	case SPF_MX:
		return parse_dual_length(&t, d) && parse_domain(t, false, d);
	case SPF_PTR:
		return parse_domain(t, false, d);
	case SPF_IP4:
		return parse_ip(t, true, d);
	case SPF_IP6:
		return parse_ip(t, false, d);
	}
	return false;
}

static bool find_mechanism(struct text name, enum spf_mechanism *out)
{
	static const struct text names[] = {
	    [SPF_ALL] = LIT("all"), [SPF_INCLUDE] = LIT("include"), [SPF_A] = LIT("a"),
	    [SPF_MX] = LIT("mx"),   [SPF_PTR] = LIT("ptr"),         [SPF_IP4] = LIT("ip4"),
	    [SPF_IP6] = LIT("ip6"), [SPF_EXISTS] = LIT("exists"),
	};

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (text_ieq(name, names[i])) {
			*out = (enum spf_mechanism)i;
			return true;
		}
	}
	return false;
}

static bool parse_directive(struct text term, struct spf_directive *d)
{
	size_t n = 0;

	*d = (struct spf_directive){.qualifier = '+', .source = term};
	if (term.p[0] != '\0' && strchr("+-~?", term.p[0])) {
		d->qualifier = term.p[0];
		term = from(term, 1);
	}
	while (n < term.n && (is_alpha(term.p[n]) || is_digit(term.p[n])))
		n++;
	return find_mechanism(text_make(term.p, n), &d->mechanism) &&
	       parse_arguments(from(term, n), d);
}

/* name = ALPHA *( ALPHA / DIGIT / "-" / "_" / "." ); the length of it where "=" follows, else 0. */
static size_t modifier_name(struct text term)
{
	size_t n = 0;

	while (n < term.n &&
	       (is_alpha(term.p[n]) || (n > 0 && (is_digit(term.p[n]) || term.p[n] == '-' ||
						  term.p[n] == '_' || term.p[n] == '.'))))
		n++;
	return n < term.n && term.p[n] == '=' ? n : 0;
}

static bool parse_modifier(struct text term, size_t name_n, struct spf_record *r)
{
	const struct text name = text_make(term.p, name_n), value = from(term, name_n + 1);
	struct text *place = NULL;

	if (text_ieq(name, LIT("redirect")))
		place = &r->redirect;
	else if (text_ieq(name, LIT("exp")))
		place = &r->explanation;
	if (!place)
		return spf_macro_string_ok(value, SPF_MACRO_ANY);
	/* Neither may appear twice (6). */
	if (place->n > 0 || !spf_domain_spec_ok(value))
		return false;
	*place = value;
	return true;
}

bool spf_record_parse(struct text txt, struct arena *a, struct spf_record *out, struct text *bad)
{
	struct text rest = from(txt, version.n), term;

	*out = (struct spf_record){0};
	/* A directive takes two bytes at least. */
	out->directives = arena_alloc(a, (txt.n / 2 + 1) * sizeof(*out->directives));
	while (rest.n > 0) {
		text_split(rest, ' ', &term, &rest);
		if (term.n == 0)
			continue;
		const size_t name_n = modifier_name(term);
		const bool ok = name_n ? parse_modifier(term, name_n, out)
				       : parse_directive(term, &out->directives[out->count++]);

		if (!ok) {
			*bad = term;
			return false;
		}
	}
	return true;
}
