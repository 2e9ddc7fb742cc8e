/* Addresses of the envelope (RFC 5321 4.1.2, RFC 6531 3.3).
 *
 * One pass from left to right over the bytes; nothing is copied before the whole path has been
 * found good in its syntax. */
#include "policy/message/address.h"

#include "policy/message/domain.h"
#include "policy/message/utf8.h"
#include "shm/base/ip.h"

const char *address_error_text(enum address_error e)
{
	static const char *const texts[ADDRESS_ERROR_COUNT] = {
	    [ADDRESS_OK] = "no error",
	    [ADDRESS_NO_BRACKETS] = "the address must stand in angle brackets",
	    [ADDRESS_NULL] = "the null address is not allowed here",
	    [ADDRESS_ROUTE] = "malformed source route",
	    [ADDRESS_LOCAL] = "malformed local part",
	    [ADDRESS_QUOTING] = "malformed quoted local part",
	    [ADDRESS_NO_DOMAIN] = "the domain is missing",
	    [ADDRESS_DOMAIN] = "malformed domain name",
	    [ADDRESS_LITERAL] = "malformed address literal",
	    [ADDRESS_CONTROL] = "control character in the address",
	    [ADDRESS_NEEDS_SMTPUTF8] = "characters outside ASCII need SMTPUTF8",
	    [ADDRESS_BAD_UTF8] = "the address is not valid UTF-8",
	    [ADDRESS_LOCAL_TOO_LONG] = "the local part is longer than 64 octets",
	    [ADDRESS_DOMAIN_TOO_LONG] = "the domain name is too long",
	    [ADDRESS_PATH_TOO_LONG] = "the path is longer than 256 octets",
	};

	return e < ADDRESS_ERROR_COUNT ? texts[e] : "unknown error";
}

static inline bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static inline bool is_atext(char c)
{
	return is_alnum(c) || (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

static inline bool is_control(char c)
{
	return (unsigned char)c < 0x20 || c == 0x7f;
}

static struct text skip(struct text t, size_t n)
{
	return text_make(t.p + n, t.n - n);
}

/* What a scan finds before the arena is touched. */
struct found {
	struct text local; /* as given, with quotes */
	struct text domain;
	struct text whole;
	bool quoted, odd_dots;
};

/* A character outside ASCII at the start of t: its length, or 0 with the reason in *e. */
static size_t scan_utf8(struct text t, bool smtputf8, enum address_error *e)
{
	uint32_t c = 0;
	size_t n = utf8_first(t, &c);

	*e = ADDRESS_OK;
	if (!smtputf8)
		*e = ADDRESS_NEEDS_SMTPUTF8;
	else if (n == 0)
		*e = ADDRESS_BAD_UTF8;
	else if (c < 0xa0)
		*e = ADDRESS_CONTROL;
	return *e == ADDRESS_OK ? n : 0;
}

/* DQUOTE *QcontentSMTP DQUOTE at the start of t. */
static enum address_error scan_quoted(struct text t, bool smtputf8, struct found *f)
{
	size_t i = 1;

	while (i < t.n && t.p[i] != '"') {
		enum address_error e;
		size_t n = 1;

		if (t.p[i] == '\\') {
			i++;
			if (i == t.n || (unsigned char)t.p[i] >= 0x80)
				return ADDRESS_QUOTING;
		}
		if (is_control(t.p[i]))
			return ADDRESS_CONTROL;
		if ((unsigned char)t.p[i] >= 0x80) {
			n = scan_utf8(skip(t, i), smtputf8, &e);
			if (n == 0)
				return e;
		}
		i += n;
	}
	/* an empty one would have the key of a domain's catch-all */
	if (i == t.n || i == 1)
		return ADDRESS_QUOTING;
	f->local = text_make(t.p, i + 1);
	f->quoted = true;
	return ADDRESS_OK;
}

/* Atoms and dots at the start of t. */
static enum address_error scan_dot_string(struct text t, bool smtputf8, struct found *f)
{
	size_t i = 0;

	while (i < t.n) {
		enum address_error e;
		size_t n = 1;

		if ((unsigned char)t.p[i] >= 0x80) {
			n = scan_utf8(skip(t, i), smtputf8, &e);
			if (n == 0)
				return e;
		} else if (t.p[i] == '.') {
			f->odd_dots |=
			    i == 0 || i + 1 == t.n || t.p[i - 1] == '.' || t.p[i + 1] == '@';
		} else if (!is_atext(t.p[i])) {
			break;
		}
		i += n;
	}
	f->local = text_make(t.p, i);
	if (i < t.n && is_control(t.p[i]))
		return ADDRESS_CONTROL;
	if (i < t.n && t.p[i] != '@' && t.p[i] != '>')
		return ADDRESS_LOCAL;
	return i == 0 ? ADDRESS_LOCAL : ADDRESS_OK;
}

/* How much of t, which starts with a domain or literal, belongs to it; `stops` end a name. */
static size_t domain_extent(struct text t, const char *stops)
{
	size_t i = 0;

	if (t.n > 0 && t.p[0] == '[') {
		i = text_find(t, ']');
		return i < t.n ? i + 1 : t.n;
	}
	while (i < t.n && (t.p[i] == '\0' || !strchr(stops, t.p[i])))
		i++;
	return i;
}

/* Local part, '@', domain at the start of t.  Without '@' f->domain.p is NULL. */
static enum address_error scan_mailbox(struct text t, bool smtputf8, const char *stops,
				       struct found *f)
{
	bool quoted = t.n > 0 && t.p[0] == '"';
	enum address_error e;

	e = quoted ? scan_quoted(t, smtputf8, f) : scan_dot_string(t, smtputf8, f);
	if (e != ADDRESS_OK)
		return e;
	t = skip(t, f->local.n);
	f->whole = f->local;
	if (t.n == 0 || t.p[0] != '@')
		return ADDRESS_OK;
	f->domain = text_make(t.p + 1, domain_extent(skip(t, 1), stops));
	f->whole.n += 1 + f->domain.n;
	return ADDRESS_OK;
}

/* General-address-literal of RFC 5321 4.1.3: a tag, a colon, printable characters. */
static bool is_general_literal(struct text inner)
{
	struct text tag, content;

	if (!text_split(inner, ':', &tag, &content) || content.n == 0 || tag.n == 0)
		return false;
	for (size_t i = 0; i < tag.n; i++) {
		if (!is_alnum(tag.p[i]) && (tag.p[i] != '-' || i + 1 == tag.n))
			return false;
	}
	for (size_t i = 0; i < content.n; i++) {
		char c = content.p[i];

		if (c < 33 || c > 126 || (c >= '[' && c <= ']'))
			return false;
	}
	return !text_ieq(tag, LIT("IPv6"));
}

static enum address_error parse_literal(struct text t, struct arena *a, struct text *out)
{
	char address[IP_TEXT_MAX];
	struct ip ip;

	if (t.n > ADDRESS_DOMAIN_MAX)
		return ADDRESS_DOMAIN_TOO_LONG;
	if (t.n < 2 || t.p[t.n - 1] != ']')
		return ADDRESS_LITERAL;
	if (ip_parse_literal(t, &ip)) {
		*out = arena_printf(a, ip_is4(&ip) ? "[%s]" : "[ipv6:%s]", ip_format(&ip, address));
		return ADDRESS_OK;
	}
	if (!is_general_literal(text_make(t.p + 1, t.n - 2)))
		return ADDRESS_LITERAL;
	*out = arena_text(a, t);
	text_lower(*out, (char *)out->p);
	return ADDRESS_OK;
}

static enum address_error parse_domain(struct text t, bool smtputf8, struct arena *a,
				       struct text *out)
{
	if (t.n > 0 && t.p[0] == '[')
		return parse_literal(t, a, out);
	return domain_parse(t, smtputf8, a, out);
}

static struct text unquote(struct text local, struct arena *a)
{
	char *dst = arena_alloc(a, local.n);
	size_t n = 0;

	for (size_t i = 1; i + 1 < local.n; i++) {
		if (local.p[i] == '\\')
			i++;
		dst[n++] = local.p[i];
	}
	return text_make(dst, n);
}

static enum address_error make_mailbox(const struct found *f, bool smtputf8, struct arena *a,
				       struct mailbox *out)
{
	struct mailbox m = {.quoted = f->quoted, .odd_dots = f->odd_dots};
	enum address_error e;

	if (f->local.n > ADDRESS_LOCAL_MAX)
		return ADDRESS_LOCAL_TOO_LONG;
	if (f->domain.p) {
		e = parse_domain(f->domain, smtputf8, a, &m.domain);
		if (e != ADDRESS_OK)
			return e;
		m.literal = f->domain.p[0] == '[';
	}
	m.whole = arena_text(a, f->whole);
	m.local = f->quoted ? unquote(f->local, a) : text_make(m.whole.p, f->local.n);
	m.utf8 = !text_is_ascii(f->whole);
	*out = m;
	return ADDRESS_OK;
}

/* A-d-l ":" at the start of *t, which starts with '@': checked and taken off. */
static enum address_error skip_route(struct text *t, bool smtputf8, struct arena *a)
{
	struct text domain, ignored;

	for (;;) {
		if (t->n == 0 || t->p[0] != '@')
			return ADDRESS_ROUTE;
		*t = skip(*t, 1);
		domain = text_make(t->p, domain_extent(*t, ",:>"));
		if (domain.n > ADDRESS_DOMAIN_MAX ||
		    parse_domain(domain, smtputf8, a, &ignored) != ADDRESS_OK)
			return ADDRESS_ROUTE;
		*t = skip(*t, domain.n);
		if (t->n == 0 || (t->p[0] != ',' && t->p[0] != ':'))
			return ADDRESS_ROUTE;
		char c = t->p[0];
		*t = skip(*t, 1);
		if (c == ':')
			return ADDRESS_OK;
	}
}

/* What is between the brackets, at the start of *t; *t then stands where the '>' must be. */
static enum address_error parse_inside(struct text *t, enum path_kind kind, bool smtputf8,
				       struct arena *a, struct mailbox *m)
{
	bool route = t->n > 0 && t->p[0] == '@';
	struct found f = {.quoted = false};
	enum address_error e;

	if (t->n > 0 && t->p[0] == '>')
		return kind == PATH_REVERSE ? ADDRESS_OK : ADDRESS_NULL;
	e = route ? skip_route(t, smtputf8, a) : ADDRESS_OK;
	if (e == ADDRESS_OK)
		e = scan_mailbox(*t, smtputf8, ">", &f);
	if (e != ADDRESS_OK)
		return e;
	*t = skip(*t, f.whole.n);
	if (!f.domain.p && (kind != PATH_FORWARD || route || !text_ieq(f.local, LIT("postmaster"))))
		return ADDRESS_NO_DOMAIN;
	return make_mailbox(&f, smtputf8, a, m);
}

enum address_error path_parse(struct text t, enum path_kind kind, bool smtputf8, struct arena *a,
			      struct mailbox *out, struct text *rest)
{
	struct mailbox m = {.quoted = false};
	enum address_error e;
	const char *start;

	while (t.n > 0 && t.p[0] == ' ')
		t = skip(t, 1);
	if (t.n == 0 || t.p[0] != '<')
		return ADDRESS_NO_BRACKETS;
	start = t.p;
	t = skip(t, 1);
	e = parse_inside(&t, kind, smtputf8, a, &m);
	if (e != ADDRESS_OK)
		return e;
	if (t.n == 0 || t.p[0] != '>')
		return ADDRESS_NO_BRACKETS;
	t = skip(t, 1);
	if (t.n > 0 && t.p[0] != ' ')
		return ADDRESS_NO_BRACKETS;
	if (t.p - start > ADDRESS_PATH_MAX)
		return ADDRESS_PATH_TOO_LONG;
	*out = m;
	*rest = t;
	return ADDRESS_OK;
}

enum address_error address_parse(struct text t, bool smtputf8, struct arena *a, struct mailbox *out)
{
	struct found f = {.quoted = false};
	enum address_error e = scan_mailbox(t, smtputf8, "", &f);

	if (e != ADDRESS_OK)
		return e;
	if (f.whole.n < t.n)
		return f.domain.p ? ADDRESS_LITERAL : ADDRESS_LOCAL;
	if (!f.domain.p)
		return ADDRESS_NO_DOMAIN;
	return make_mailbox(&f, smtputf8, a, out);
}

static struct text key(struct text local, struct text domain, struct arena *a)
{
	char *p = arena_alloc(a, local.n + 1 + domain.n + 1);

	text_lower(local, p);
	p[local.n] = '@';
	text_lower(domain, p + local.n + 1);
	return text_make(p, local.n + 1 + domain.n);
}

struct text mailbox_key(const struct mailbox *m, struct arena *a)
{
	return key(m->local, m->domain, a);
}

struct text local_without_tag(struct text local)
{
	size_t at = text_find(local, '+');

	return at > 0 ? text_make(local.p, at) : local;
}

struct text mailbox_key_untagged(const struct mailbox *m, struct arena *a)
{
	return key(local_without_tag(m->local), m->domain, a);
}

bool mailbox_is_postmaster(const struct mailbox *m)
{
	return text_ieq(m->local, LIT("postmaster")) || text_ieq(m->local, LIT("abuse"));
}
