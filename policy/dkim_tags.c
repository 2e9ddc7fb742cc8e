/* Lists of tags: "v=1; a=rsa-sha256; ..." (RFC 6376 3.2). */
#include "policy/dkim_field.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_name(struct text t)
{
	for (size_t i = 0; i < t.n; i++) {
		const bool rest = t.p[i] == '_' || (t.p[i] >= '0' && t.p[i] <= '9');

		if (!is_letter(t.p[i]) && !(rest && i > 0))
			return false;
	}
	return t.n > 0;
}

/* Printable ASCII and folding white space. */
static bool is_value(struct text t)
{
	for (size_t i = 0; i < t.n; i++) {
		if (!is_blank(t.p[i]) && (t.p[i] <= ' ' || t.p[i] > '~'))
			return false;
	}
	return true;
}

bool dkim_tags_parse(struct text t, struct dkim_tags *out)
{
	struct text one, rest = t;

	out->n = 0;
	while (!text_empty(text_trim(rest))) {
		struct dkim_tag tag;

		text_split(rest, ';', &one, &rest);
		if (!text_split(one, '=', &tag.name, &tag.value) || out->n == DKIM_TAGS_MAX)
			return false;
		tag.name = text_trim(tag.name);
		tag.value = text_trim(tag.value);
		if (!is_name(tag.name) || !is_value(tag.value) || dkim_tag_named(out, tag.name))
			return false;
		out->v[out->n++] = tag;
	}
	return out->n > 0;
}

/* Names of tags are case-sensitive. */
const struct text *dkim_tag_named(const struct dkim_tags *tags, struct text name)
{
	for (size_t i = 0; i < tags->n; i++) {
		if (text_eq(tags->v[i].name, name))
			return &tags->v[i].value;
	}
	return NULL;
}

const struct text *dkim_tag(const struct dkim_tags *tags, char name)
{
	return dkim_tag_named(tags, text_make(&name, 1));
}

struct text dkim_tag_squeeze(struct text value, struct arena *a)
{
	char *p = arena_alloc(a, value.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < value.n; i++) {
		if (!is_blank(value.p[i]))
			p[n++] = value.p[i];
	}
	return text_make(p, n);
}

bool dkim_tag_lists(struct text value, struct text word)
{
	struct text one, rest = value;

	while (rest.n) {
		text_split(rest, ':', &one, &rest);
		if (text_ieq(text_trim(one), word))
			return true;
	}
	return false;
}
