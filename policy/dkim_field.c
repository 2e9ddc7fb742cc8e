/* The field DKIM-Signature (policy/dkim_field.h). */
#include "policy/dkim_field.h"

#include "policy/message/address.h"
#include "shm/base/dns.h"

static const struct text no_text = {"", 0};

static struct text value_of(const struct dkim_tags *tags, char name)
{
	const struct text *v = dkim_tag(tags, name);

	return v ? *v : no_text;
}

static enum dkim_algorithm algorithm_of(struct text t)
{
	for (int a = DKIM_ALGORITHM_UNKNOWN + 1; a < DKIM_ALGORITHMS; a++) {
		if (text_ieq(t, text_of(dkim_algorithm_name((enum dkim_algorithm)a))))
			return (enum dkim_algorithm)a;
	}
	return DKIM_ALGORITHM_UNKNOWN;
}

static struct text lower(struct text t, struct arena *a)
{
	const struct text copy = arena_text(a, t);

	text_lower(copy, (char *)copy.p);
	return copy;
}

/* ---- i= */

static int hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* dkim-quoted-printable (2.11). */
static bool decode(struct text t, struct buf *out)
{
	for (size_t i = 0; i < t.n; i++) {
		if (t.p[i] != '=') {
			buf_char(out, t.p[i]);
			continue;
		}
		if (i + 2 >= t.n || hex(t.p[i + 1]) < 0 || hex(t.p[i + 2]) < 0)
			return false;
		buf_char(out, (char)(hex(t.p[i + 1]) * 16 + hex(t.p[i + 2])));
		i += 2;
	}
	return true;
}

/* What may be shown and needs no quotes anywhere. */
static bool is_simple(struct text t)
{
	for (size_t i = 0; i < t.n; i++) {
		if (t.p[i] <= ' ' || t.p[i] > '~' || strchr("\"\\()<>[]:;,", t.p[i]) != NULL)
			return false;
	}
	return true;
}

static bool is_at_or_below(struct text name, struct text domain)
{
	return text_ieq(name, domain) || (name.n > domain.n && text_iends(name, domain) &&
					  name.p[name.n - domain.n - 1] == '.');
}

static struct text domain_part(struct text identity)
{
	size_t at = identity.n;

	while (at > 0 && identity.p[at - 1] != '@')
		at--;
	return at ? text_make(identity.p + at, identity.n - at) : no_text;
}

/* False: it isn't of the domain that signs.  One that can't be shown is left away. */
static bool read_identity(const struct dkim_tags *tags, struct arena *a, struct dkim_field *f)
{
	const struct text *written = dkim_tag(tags, 'i');
	struct text t, domain;

	if (!written)
		return true;
	t = dkim_tag_squeeze(*written, a);
	struct buf b = buf_over(arena_alloc(a, t.n + 1), t.n + 1);
	if (!decode(t, &b))
		return false;
	t = buf_view(&b);
	domain = domain_part(t);
	if (!domain_is_valid(domain) || !is_at_or_below(domain, f->domain))
		return false;
	f->below = domain.n > f->domain.n;
	if (t.n <= DKIM_IDENTITY_MAX && is_simple(t))
		f->identity = t;
	return true;
}

/* ---- c=, h=, l=, q=, t=, x= */

static bool read_canons(struct text t, bool *relaxed_body)
{
	static const struct text simple = LIT("simple"), relaxed = LIT("relaxed");
	struct text header, body;

	if (!text_split(t, '/', &header, &body))
		body = simple;
	*relaxed_body = text_ieq(body, relaxed);
	return (text_ieq(header, simple) || text_ieq(header, relaxed)) &&
	       (*relaxed_body || text_ieq(body, simple));
}

static bool read_signed_names(struct text t, bool *from)
{
	struct text one, rest = t;
	size_t n = 0;

	*from = false;
	if (t.n > DKIM_SIGNED_BYTES_MAX)
		return false;
	while (rest.n) {
		text_split(rest, ':', &one, &rest);
		one = text_trim(one);
		if (!header_name_valid(one) || ++n > DKIM_SIGNED_MAX)
			return false;
		*from = *from || text_ieq(one, LIT("from"));
	}
	return n > 0;
}

/* Digits; more than fit come to the largest number. */
static bool read_number(struct text t, uint64_t *out)
{
	for (size_t i = 0; i < t.n; i++) {
		if (t.p[i] < '0' || t.p[i] > '9')
			return false;
	}
	if (!text_u64(t, out))
		*out = UINT64_MAX;
	return t.n > 0 && t.n <= 76;
}

static bool read_optional_number(const struct dkim_tags *tags, char name, bool *has, uint64_t *out)
{
	const struct text *t = dkim_tag(tags, name);

	*has = t != NULL;
	return !t || read_number(*t, out);
}

/* The one method that there is. */
static bool asks_dns(const struct dkim_tags *tags)
{
	const struct text *q = dkim_tag(tags, 'q');

	return !q || dkim_tag_lists(*q, LIT("dns/txt"));
}

static enum dkim_reason judge_times(const struct dkim_tags *tags, uint64_t now_s)
{
	bool has_signed, has_expires;
	uint64_t signed_at = 0, expires = 0;

	if (!read_optional_number(tags, 't', &has_signed, &signed_at) ||
	    !read_optional_number(tags, 'x', &has_expires, &expires) ||
	    (has_signed && has_expires && expires <= signed_at))
		return DKIM_REASON_SYNTAX;
	if (has_expires && expires <= UINT64_MAX - DKIM_SKEW_S && now_s >= expires + DKIM_SKEW_S)
		return DKIM_REASON_EXPIRED;
	if (has_signed && signed_at > now_s + DKIM_SKEW_S)
		return DKIM_REASON_FUTURE;
	return DKIM_REASON_NONE;
}

/* ---- The whole of it */

/* Who it is from: also of a field that is flawed otherwise. */
static bool read_names(const struct dkim_tags *tags, struct arena *a, struct dkim_field *f)
{
	const struct text domain = value_of(tags, 'd'), selector = value_of(tags, 's');

	if (!domain_is_valid(domain) || domain.n > DKIM_NAME_MAX)
		return false;
	f->domain = lower(domain, a);
	if (!domain_is_valid(selector) || selector.n > DKIM_NAME_MAX)
		return false;
	f->selector = lower(selector, a);
	return read_identity(tags, a, f);
}

static enum dkim_reason judge(const struct dkim_tags *tags, int64_t now_s, struct arena *a,
			      struct dkim_field *f)
{
	const struct text *c = dkim_tag(tags, 'c');
	const bool named = read_names(tags, a, f);
	enum dkim_reason times;
	bool from;

	f->b = dkim_tag_squeeze(value_of(tags, 'b'), a);
	f->algorithm = algorithm_of(value_of(tags, 'a'));
	if (!named || !text_eq(value_of(tags, 'v'), LIT("1")) || text_empty(f->b) ||
	    text_empty(value_of(tags, 'a')) || !dkim_tag_named(tags, LIT("bh")) ||
	    !read_signed_names(value_of(tags, 'h'), &from) ||
	    !read_optional_number(tags, 'l', &f->has_length, &f->length) || !asks_dns(tags))
		return DKIM_REASON_SYNTAX;
	times = judge_times(tags, (uint64_t)now_s);
	if (times == DKIM_REASON_SYNTAX)
		return DKIM_REASON_SYNTAX;
	if (f->algorithm == DKIM_ALGORITHM_UNKNOWN || (c && !read_canons(*c, &f->relaxed_body)))
		return DKIM_REASON_ALGORITHM;
	return from ? times : DKIM_REASON_FROM;
}

static void read_field(const struct header_field *field, int64_t now_s, struct arena *a,
		       struct dkim_field *out)
{
	struct dkim_tags tags;

	*out = (struct dkim_field){.field = field, .flaw = DKIM_REASON_SYNTAX};
	if (field->whole.n <= DKIM_FIELD_MAX && dkim_tags_parse(field->body, &tags))
		out->flaw = judge(&tags, now_s, a, out);
}

/* So many letters of b= as tell it from the others, or the most. */
static void shorten(struct dkim_fields *all)
{
	for (size_t i = 0; i < all->count; i++) {
		struct text *b = &all->v[i].b;
		size_t n = 8;

		for (size_t k = 0; k < all->count; k++) {
			const struct text other = all->v[k].b;

			if (k != i && b->n > 8 && other.n >= 8 && memcmp(b->p, other.p, 8) == 0)
				n = DKIM_B_MAX;
		}
		if (b->n > n)
			b->n = n;
	}
}

/* A message that nobody reads in one way has no signature that holds. */
static bool is_verifiable(const struct header *h)
{
	if (header_count(h, LIT("From")) != 1 || (h->flaws & HEADER_TOO_MANY_FIELDS))
		return false;
	for (size_t i = 0; i < h->count; i++) {
		if (memchr(h->fields[i].whole.p, '\0', h->fields[i].whole.n))
			return false;
	}
	return true;
}

static void bound_lengths(struct dkim_fields *all)
{
	size_t n = 0;

	for (size_t i = 0; i < all->count; i++) {
		struct dkim_field *f = &all->v[i];

		if (f->flaw == DKIM_REASON_NONE && f->has_length && ++n > DKIM_LENGTHS_MAX)
			f->flaw = DKIM_REASON_SYNTAX;
	}
}

void dkim_fields_of(const struct header *h, int64_t now_s, struct arena *a, struct dkim_fields *out)
{
	static const struct text name = LIT("DKIM-Signature");
	const struct header_field *field = NULL;

	out->count = out->more = 0;
	while ((field = header_find(h, name, field)) != NULL) {
		if (out->count < DKIM_SIGNATURES_MAX)
			read_field(field, now_s, a, &out->v[out->count++]);
		else
			out->more++;
	}
	if (out->count > 0 && !is_verifiable(h)) {
		for (size_t i = 0; i < out->count; i++) {
			if (out->v[i].flaw == DKIM_REASON_NONE)
				out->v[i].flaw = DKIM_REASON_MESSAGE;
		}
	}
	bound_lengths(out);
	shorten(out);
}

struct text dkim_key_name(const struct dkim_field *f, struct arena *a)
{
	const struct text name =
	    arena_printf(a, "%.*s._domainkey.%.*s", TEXT(f->selector), TEXT(f->domain));

	return name.n <= DNS_NAME_MAX ? name : no_text;
}
