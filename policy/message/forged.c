/* Finding Authentication-Results fields of our own name (policy/message/forged.h). */
#include "policy/message/forged.h"

#include "policy/message/address.h"
#include "policy/message/rfc2047.h"

/* A name can't be longer, in whatever form; and more names outside of ASCII than that are nobody's
 * honest work. */
enum { NAME_MAX_BYTES = 1024, CONVERSIONS_MAX = 64 };

struct search {
	const struct text *ids;
	size_t id_count;
	struct arena *arena;
	unsigned conversions;
	struct cut *cuts; /* what has been found */
	size_t count, room;
};

/* ---- Is it our name? */

static bool is_id(const struct search *s, struct text name)
{
	if (name.n && name.p[name.n - 1] == '.')
		name.n--;
	for (size_t i = 0; i < s->id_count; i++) {
		if (text_ieq(name, s->ids[i]))
			return true;
	}
	return false;
}

static bool is_ascii(struct text t)
{
	for (size_t i = 0; i < t.n; i++) {
		if ((unsigned char)t.p[i] >= 0x80)
			return false;
	}
	return true;
}

/* The same, in U-labels. */
static bool is_id_in_utf8(struct search *s, struct text name)
{
	struct text ascii;

	if (is_ascii(name))
		return false;
	if (s->conversions++ >= CONVERSIONS_MAX)
		return true;
	return domain_to_ascii(name, s->arena, &ascii) && is_id(s, ascii);
}

/* ---- Who does a field say that it is from? */

static bool is_blank(char c)
{
	return (unsigned char)c <= ' ' || c == 0x7f;
}

/* Behind the comment that starts at `i`; t.n + 1 if it doesn't end. */
static size_t skip_comment(struct text t, size_t i)
{
	unsigned depth = 0;

	for (; i < t.n; i++) {
		if (t.p[i] == '\\')
			i++;
		else if (t.p[i] == '(')
			depth++;
		else if (t.p[i] == ')' && --depth == 0)
			return i + 1;
	}
	return t.n + 1;
}

/* What has been read of the name, all blanks dropped. */
struct name {
	char bytes[NAME_MAX_BYTES];
	size_t n;
	bool too_long;
};

static void add(struct name *name, char c)
{
	if (is_blank(c))
		return;
	if (name->n == sizeof(name->bytes))
		name->too_long = true;
	else
		name->bytes[name->n++] = c;
}

/* Behind the quoted string that starts at `i`; t.n + 1 if it doesn't end. */
static size_t read_quoted(struct text t, size_t i, struct name *name)
{
	for (i++; i < t.n; i++) {
		if (t.p[i] == '"')
			return i + 1;
		if (t.p[i] == '\\' && i + 1 < t.n)
			i++;
		add(name, t.p[i]);
	}
	return t.n + 1;
}

static bool ends_word(struct text t, size_t i)
{
	return i >= t.n || is_blank(t.p[i]) || strchr("(;/=", t.p[i]) != NULL;
}

/* The words in front of the first semicolon, the first of them or several in a row.  *broken: a
 * comment or a quoted string doesn't end. */
static bool begins_with_id(struct search *s, struct text body, bool *broken)
{
	struct name name = {.n = 0};
	unsigned words = 0;
	size_t i = 0;

	while (i < body.n && body.p[i] != ';' && !name.too_long) {
		struct text so_far;

		if (body.p[i] == '(')
			i = skip_comment(body, i);
		else if (body.p[i] == '"')
			i = read_quoted(body, i, &name);
		else
			add(&name, body.p[i++]);
		so_far = text_make(name.bytes, name.n);
		if (name.n == 0 || !ends_word(body, i))
			continue;
		words++;
		if (is_id(s, so_far) || (words == 1 && is_id_in_utf8(s, so_far)))
			return true;
	}
	*broken = i > body.n;
	return is_id_in_utf8(s, text_make(name.bytes, name.n));
}

/* Of what can be read in more than one way. */
static bool has_id_as_word(struct search *s, struct text body)
{
	size_t start = 0;

	for (size_t i = 0; i <= body.n; i++) {
		if (i < body.n && !is_blank(body.p[i]) && strchr("()\";/=\\", body.p[i]) == NULL)
			continue;
		if (is_id(s, text_make(body.p + start, i - start)))
			return true;
		start = i + 1;
	}
	return false;
}

static bool reads_as_ours(struct search *s, struct text body)
{
	bool broken = false;

	return begins_with_id(s, body, &broken) || (broken && has_id_as_word(s, body));
}

static bool has_encoded_word(struct text t)
{
	return memmem(t.p, t.n, "=?", 2) != NULL;
}

static bool is_ours(struct search *s, struct text body)
{
	return reads_as_ours(s, body) ||
	       (has_encoded_word(body) && reads_as_ours(s, rfc2047_decode(body, body.n, s->arena)));
}

/* ---- The fields */

/* Takes a field off *t: a line, and those that continue it. */
static struct text take_field(struct text *t)
{
	size_t n = 0;

	do {
		const char *end = memchr(t->p + n, '\n', t->n - n);

		n = end ? (size_t)(end - t->p) + 1 : t->n;
	} while (n < t->n && (t->p[n] == ' ' || t->p[n] == '\t'));

	struct text field = text_make(t->p, n);
	*t = text_make(t->p + n, t->n - n);
	return field;
}

static bool take_body(struct text field, struct text *body)
{
	static const struct text wanted = {"Authentication-Results", 22};
	size_t i = wanted.n;

	if (!text_istarts(field, wanted))
		return false;
	while (i < field.n && is_blank(field.p[i]))
		i++;
	if (i == field.n || field.p[i] != ':')
		return false;
	*body = text_make(field.p + i + 1, field.n - i - 1);
	return true;
}

static void add_cut(struct search *s, uint64_t start, uint64_t end)
{
	if (s->count && s->cuts[s->count - 1].end == start) {
		s->cuts[s->count - 1].end = end;
		return;
	}
	if (s->count == s->room) {
		size_t room = s->room ? 2 * s->room : 8;
		struct cut *wider = arena_alloc(s->arena, room * sizeof(*wider));

		if (s->count)
			memcpy(wider, s->cuts, s->count * sizeof(*wider));
		s->cuts = wider;
		s->room = room;
	}
	s->cuts[s->count++] = (struct cut){start, end};
}

struct cuts forged_results(struct text section, const struct text *ids, size_t id_count,
			   struct arena *a)
{
	struct search s = {.ids = ids, .id_count = id_count, .arena = a};
	struct text rest = section, body;

	while (rest.n) {
		struct text field = take_field(&rest);
		uint64_t start = (uint64_t)(field.p - section.p);

		if (take_body(field, &body) && is_ours(&s, body))
			add_cut(&s, start, start + field.n);
	}
	return (struct cuts){s.cuts, s.count};
}
