/* Macros: one scanner, which either only checks or also expands. */
#include "worker/inspect/spf_macro.h"

#include "shm/base/dns.h"

#include <stdio.h>

enum {
	PARTS_MAX = 256,
	VALUE_MAX = 1024, /* of one macro: a mailbox, a name, an address */
	KEPT = 500,       /* bytes at the end of an expansion that are looked at */
};

/* "%{" letter digits "r" delimiters "}" */
struct macro {
	char letter; /* lower case */
	bool escape; /* it was upper case */
	bool reverse;
	unsigned keep; /* right-hand parts; 0: all */
	struct text delimiters;
};

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static bool letter_ok(char c, enum spf_macro_use use)
{
	if (c == '\0')
		return false;
	return strchr("slodipvh", c) || (use != SPF_MACRO_DOMAIN && strchr("crt", c));
}

/* Parses what stands after "%{", up to the brace; the length with it, 0: a syntax error. */
static size_t parse_macro(struct text t, enum spf_macro_use use, struct macro *m)
{
	size_t i = 1, digits = 0;

	*m = (struct macro){0};
	if (t.n < 2 || !letter_ok(m->letter = lower(t.p[0]), use))
		return 0;
	m->escape = m->letter != t.p[0];
	for (; i < t.n && t.p[i] >= '0' && t.p[i] <= '9'; i++, digits++) {
		if (m->keep < 1000)
			m->keep = m->keep * 10 + (unsigned)(t.p[i] - '0');
	}
	if (digits > 0 && m->keep == 0)
		return 0;
	if (i < t.n && lower(t.p[i]) == 'r') {
		m->reverse = true;
		i++;
	}
	const size_t start = i;
	while (i < t.n && t.p[i] != '\0' && strchr(".-+,/_=", t.p[i]))
		i++;
	m->delimiters = text_make(t.p + start, i - start);
	return i < t.n && t.p[i] == '}' ? i + 1 : 0;
}

/* One element of a macro-string. */
struct element {
	enum { LITERAL, MACRO } kind;
	struct text literal;
	struct macro macro;
	bool is_macro_expand; /* also "%%" and its like */
};

/* The element at the start of t; its length, 0: a syntax error. */
static size_t scan(struct text t, enum spf_macro_use use, struct element *e)
{
	size_t n;

	*e = (struct element){.literal = {t.p, 1}};
	if (t.p[0] != '%') {
		const bool visible = t.p[0] > 0x20 && t.p[0] < 0x7f;

		return visible || (t.p[0] == ' ' && use == SPF_MACRO_EXPLANATION) ? 1 : 0;
	}
	e->is_macro_expand = true;
	switch (t.n > 1 ? t.p[1] : '\0') {
	case '%':
		return 2;
	case '_':
		e->literal = LIT(" ");
		return 2;
	case '-':
		e->literal = LIT("%20");
		return 2;
	case '{':
		e->kind = MACRO;
		n = parse_macro(text_make(t.p + 2, t.n - 2), use, &e->macro);
		return n ? n + 2 : 0;
	default:
		return 0;
	}
}

/* Also says whether the last element is a macro-expand. */
static bool check(struct text t, enum spf_macro_use use, bool *ends_in_macro)
{
	struct element e = {0};

	*ends_in_macro = false;
	while (t.n > 0) {
		const size_t n = scan(t, use, &e);

		if (n == 0)
			return false;
		t = text_make(t.p + n, t.n - n);
		*ends_in_macro = e.is_macro_expand;
	}
	return true;
}

bool spf_macro_string_ok(struct text t, enum spf_macro_use use)
{
	bool unused;

	return check(t, use, &unused);
}

/* toplabel: letters, digits and inner dashes, not digits alone. */
static bool is_toplabel(struct text t)
{
	bool only_digits = true;

	if (t.n == 0 || t.p[0] == '-' || t.p[t.n - 1] == '-')
		return false;
	for (size_t i = 0; i < t.n; i++) {
		const char c = lower(t.p[i]);

		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'))
			return false;
		if (c < '0' || c > '9')
			only_digits = false;
	}
	return !only_digits;
}

bool spf_domain_spec_ok(struct text t)
{
	bool ends_in_macro;
	size_t dot;

	if (t.n == 0 || !check(t, SPF_MACRO_DOMAIN, &ends_in_macro))
		return false;
	if (ends_in_macro)
		return true;
	if (t.p[t.n - 1] == '.')
		t.n--;
	for (dot = t.n; dot > 0 && t.p[dot - 1] != '.'; dot--)
		;
	return dot > 0 && is_toplabel(text_make(t.p + dot, t.n - dot));
}

/* ---- Values */

/* %{i}: a dotted quad, or the nibbles of an IPv6 address with dots between them. */
static void put_dotted(struct buf *b, const struct ip *ip)
{
	char shown[IP_TEXT_MAX];

	if (ip_is4(ip)) {
		buf_text(b, text_of(ip_format(ip, shown)));
		return;
	}
	for (unsigned i = 0; i < 32; i++) {
		const unsigned nibble = i % 2 ? ip->b[i / 2] & 15U : ip->b[i / 2] >> 4;

		buf_printf(b, "%s%X", i ? "." : "", nibble);
	}
}

/* False: not known yet. */
static bool put_value(struct buf *b, char letter, const struct spf_macro_values *v)
{
	char shown[IP_TEXT_MAX];
	struct text name;

	switch (letter) {
	case 's':
		buf_printf(b, "%.*s@%.*s", TEXT(v->local), TEXT(v->domain_of_sender));
		return true;
	case 'l':
		buf_text(b, v->local);
		return true;
	case 'o':
		buf_text(b, v->domain_of_sender);
		return true;
	case 'd':
		buf_text(b, v->domain);
		return true;
	case 'i':
		put_dotted(b, &v->client);
		return true;
	case 'p':
		if (!v->validated(v->self, v->domain, &name))
			return false;
		buf_text(b, name);
		return true;
	case 'v':
		buf_text(b, ip_is4(&v->client) ? LIT("in-addr") : LIT("ip6"));
		return true;
	case 'h':
		buf_text(b, v->helo);
		return true;
	case 'c':
		buf_text(b, text_of(ip_format(&v->client, shown)));
		return true;
	case 'r':
		buf_text(b, v->receiver);
		return true;
	default:
		buf_printf(b, "%lld", (long long)v->now_s);
		return true;
	}
}

/* ---- Transformers */

static void put_escaped(struct buf *b, struct text t)
{
	for (size_t i = 0; i < t.n; i++) {
		const char c = t.p[i];
		const char l = lower(c);

		if ((l >= 'a' && l <= 'z') || (c >= '0' && c <= '9') ||
		    (c != '\0' && strchr("-._~", c)))
			buf_char(b, c);
		else
			buf_printf(b, "%%%02X", (unsigned char)c);
	}
}

static unsigned split(struct text t, struct text delimiters, struct text parts[PARTS_MAX])
{
	unsigned n = 0;
	size_t start = 0;

	for (size_t i = 0; i < t.n && n < PARTS_MAX - 1; i++) {
		if (!memchr(delimiters.p, t.p[i], delimiters.n))
			continue;
		parts[n++] = text_make(t.p + start, i - start);
		start = i + 1;
	}
	parts[n++] = text_make(t.p + start, t.n - start);
	return n;
}

static bool put_macro(struct buf *b, const struct macro *m, const struct spf_macro_values *v)
{
	const struct text delimiters = m->delimiters.n ? m->delimiters : LIT(".");
	char value[VALUE_MAX], joined[VALUE_MAX];
	struct buf in = buf_over(value, sizeof(value)), out = buf_over(joined, sizeof(joined));
	struct text parts[PARTS_MAX];

	if (!put_value(&in, m->letter, v))
		return false;
	const unsigned n = split(buf_view(&in), delimiters, parts);
	const unsigned first = m->keep && m->keep < n ? n - m->keep : 0;
	for (unsigned i = first; i < n; i++) {
		if (i > first)
			buf_char(&out, '.');
		buf_text(&out, parts[m->reverse ? n - 1 - i : i]);
	}
	if (m->escape)
		put_escaped(b, buf_view(&out));
	else
		buf_text(b, buf_view(&out));
	return true;
}

/* ---- Expansion */

/* Of a name only its end can matter. */
static void forget_the_left(struct buf *b)
{
	if (b->n <= 2 * KEPT)
		return;
	memmove(b->p, b->p + b->n - KEPT, KEPT + 1);
	b->n = KEPT;
}

static bool expand(struct text t, enum spf_macro_use use, const struct spf_macro_values *v,
		   struct buf *b)
{
	struct element e;

	while (t.n > 0) {
		const size_t n = scan(t, use, &e);

		if (n == 0)
			break;
		if (use == SPF_MACRO_DOMAIN)
			forget_the_left(b);
		if (e.kind == LITERAL)
			buf_text(b, e.literal);
		else if (!put_macro(b, &e.macro, v))
			return false;
		t = text_make(t.p + n, t.n - n);
	}
	return true;
}

bool spf_expand_domain(struct text spec, const struct spf_macro_values *v,
		       char room[SPF_EXPANSION_SIZE], struct text *out)
{
	struct buf b = buf_over(room, SPF_EXPANSION_SIZE);
	struct text name;

	if (!expand(spec, SPF_MACRO_DOMAIN, v, &b))
		return false;
	name = buf_view(&b);
	if (name.n > 0 && name.p[name.n - 1] == '.')
		name.n--;
	while (name.n > DNS_NAME_MAX) {
		const size_t dot = text_find(name, '.');

		if (dot == name.n)
			break;
		name = text_make(name.p + dot + 1, name.n - dot - 1);
	}
	*out = name;
	return true;
}

bool spf_expand_explanation(struct text t, const struct spf_macro_values *v, struct buf *out)
{
	return expand(t, SPF_MACRO_EXPLANATION, v, out);
}
