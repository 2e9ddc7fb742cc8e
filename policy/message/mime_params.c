/* Parameters of Content-Type and Content-Disposition: names of files, and boundaries.
 *
 * Programs differ in where a parameter begins (behind a ";", a blank, inside of another's quotes)
 * and where its value ends, so no grammar is followed: wherever "name", "filename" or "boundary"
 * stands as a word before a "=", it is one, and its value is read in each way that some program
 * does.  RFC 2231 splits and encodes them: the pieces are put together in each order. */
#include "policy/message/mime_parser.h"

enum key { KEY_NAME, KEY_FILENAME, KEY_BOUNDARY, KEYS };

struct piece {
	struct piece *next;
	uint64_t section;
	bool encoded;
	struct text value;
};

struct params {
	struct mime *m;
	struct mime_entity *e;
	struct text value;
	struct {
		struct piece *first, *last; /* in the order of the field */
		size_t count;
	} pieces[KEYS];
};

/* A parameter, and where its value stands. */
struct param {
	enum key key;
	bool split, encoded;
	uint64_t section;
	size_t at;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '_';
}

/* Past blanks and comments, but not far: a value of nothing but these would take the square of its
 * length. */
static size_t skip(struct text t, size_t i)
{
	enum { FAR = 256 };
	unsigned depth = 0;

	if (t.n - i > FAR)
		t.n = i + FAR;
	for (; i < t.n; i++) {
		if (t.p[i] == '(')
			depth++;
		else if (t.p[i] == ')' && depth > 0)
			depth--;
		else if (depth == 0 && !is_blank(t.p[i]))
			break;
		else if (depth > 0 && t.p[i] == '\\')
			i++;
	}
	return i < t.n ? i : t.n;
}

/* What is about to be copied or searched counts; false: it is too much. */
static bool charge(struct mime *m, size_t n)
{
	m->looked_into += n;
	if (m->looked_into > MIME_WORK_BYTES)
		mime_give_up(m, MIME_LIMIT_NAME_BYTES);
	return !m->over;
}

/* --- one value */

static void add_boundary(struct params *p, struct text t)
{
	t = text_trim(t);
	if (t.n > MIME_BOUNDARY_BYTES)
		t.n = MIME_BOUNDARY_BYTES;
	if (t.n == 0 || !charge(p->m, t.n))
		return;
	mime_list_add(&p->e->boundaries, arena_text(p->m->arena, t), p->m->arena);
	if (p->e->boundaries.count > MIME_BOUNDARIES)
		mime_give_up(p->m, MIME_LIMIT_READINGS);
}

static void add_value(struct params *p, enum key key, struct text t)
{
	if (p->m->over)
		return;
	if (key == KEY_BOUNDARY)
		add_boundary(p, t);
	else
		mime_name_add(p->m, &p->e->names, t);
}

static struct text without(struct mime *m, struct text t, char c)
{
	size_t n = 0;
	char *dst;

	if (!charge(m, t.n))
		return LIT("");
	dst = arena_alloc(m->arena, t.n + 1);
	for (size_t i = 0; i < t.n; i++) {
		if (t.p[i] != c)
			dst[n++] = t.p[i];
	}
	return text_make(dst, n);
}

/* The string that begins with the quote at t.p[0]; *end is behind it.  A "\" hides what follows. */
static struct text unquote(struct mime *m, struct text t, size_t *end)
{
	char *dst;
	size_t n = 0, i = 1;

	while (i < t.n && t.p[i] != '"')
		i += t.p[i] == '\\' ? 2 : 1;
	*end = i < t.n ? i + 1 : t.n;
	if (i > t.n)
		i = t.n;
	if (!charge(m, i))
		return LIT("");
	dst = arena_alloc(m->arena, i + 1);
	for (size_t k = 1; k < i; k++) {
		if (t.p[k] == '\\' && k + 1 < i)
			k++;
		dst[n++] = t.p[k];
	}
	return text_make(dst, n);
}

static size_t token_end(struct text t, bool blanks)
{
	size_t i = 0;

	while (i < t.n && t.p[i] != ';' && !(blanks && (is_blank(t.p[i]) || t.p[i] == '(')))
		i++;
	return i;
}

/* What the strictest program takes. */
static struct text plain_reading(struct mime *m, struct text t)
{
	size_t end;

	if (t.n > 0 && t.p[0] == '"')
		return unquote(m, t, &end);
	return text_make(t.p, token_end(t, true));
}

static void read_quoted(struct params *p, enum key key, struct text t)
{
	struct mime *m = p->m;
	struct text raw = text_make(t.p + 1, t.n - 1), to_semicolon;
	size_t end;

	add_value(p, key, unquote(m, t, &end));
	/* A "\" that hides nothing, not even the quote. */
	raw.n = text_find(raw, '"');
	add_value(p, key, raw);
	/* Quotes that mean nothing: "evil".exe, or a string that never ends. */
	to_semicolon = text_make(t.p, token_end(t, false));
	if (to_semicolon.n != end)
		add_value(p, key, without(m, to_semicolon, '"'));
}

static void read_token(struct params *p, enum key key, struct text t)
{
	const struct text whole = text_make(t.p, token_end(t, false));

	if (!charge(p->m, whole.n))
		return;
	add_value(p, key, text_find(whole, '"') < whole.n ? without(p->m, whole, '"') : whole);
	add_value(p, key, text_make(t.p, token_end(t, true)));
}

/* charset'language'text; without quotes it is all text. */
static struct text cut_charset(struct text t, struct text *charset)
{
	struct text rest, language;

	if (!text_split(t, '\'', charset, &rest) || text_find(rest, '\'') == rest.n) {
		*charset = LIT("");
		return t;
	}
	text_split(rest, '\'', &language, &rest);
	return rest;
}

static void add_extended(struct params *p, enum key key, struct text charset, struct text bytes)
{
	if (p->m->over)
		return;
	if (key == KEY_BOUNDARY)
		add_boundary(p, bytes);
	else
		mime_name_add_charset(p->m, &p->e->names, charset, bytes);
}

static void read_extended(struct params *p, enum key key, struct text t)
{
	struct text charset, text = cut_charset(plain_reading(p->m, t), &charset);
	char *bytes;

	if (!charge(p->m, text.n))
		return;
	bytes = arena_alloc(p->m->arena, text.n + 1);
	add_extended(p, key, charset, text_make(bytes, mime_percent_decode(text, bytes)));
	/* And with the "*" not understood: as it stands. */
	if (t.n > 0 && t.p[0] == '"')
		read_quoted(p, key, t);
	else
		read_token(p, key, t);
}

/* --- pieces */

static void add_piece(struct params *p, const struct param *param)
{
	struct mime *m = p->m;
	const struct text rest = text_make(p->value.p + param->at, p->value.n - param->at);
	struct piece *piece;

	if (++p->pieces[param->key].count > m->bounds.names) {
		mime_give_up(m, MIME_LIMIT_NAMES);
		return;
	}
	piece = arena_new(m->arena, struct piece);
	*piece = (struct piece){
	    .section = param->section, .encoded = param->encoded, .value = plain_reading(m, rest)};
	if (p->pieces[param->key].last)
		p->pieces[param->key].last->next = piece;
	else
		p->pieces[param->key].first = piece;
	p->pieces[param->key].last = piece;
}

/* In one order, each as it was written or all of them decoded. */
static void join(struct params *p, enum key key, const struct piece *const v[], size_t n,
		 bool decode_all)
{
	struct mime *m = p->m;
	struct text charset = LIT(""), value;
	size_t total = 0, at = 0;
	char *dst;

	for (size_t i = 0; i < n; i++)
		total += v[i]->value.n;
	if (!charge(m, total))
		return;
	dst = arena_alloc(m->arena, total + 1);
	for (size_t i = 0; i < n; i++) {
		const bool decode = v[i]->encoded || decode_all;

		value = v[i]->value;
		if (i == 0 && decode)
			value = cut_charset(value, &charset);
		if (decode) {
			at += mime_percent_decode(value, dst + at);
		} else if (value.n > 0) {
			memcpy(dst + at, value.p, value.n);
			at += value.n;
		}
	}
	value = text_make(dst, at);
	add_extended(p, key, charset, value);
	if (key != KEY_BOUNDARY && !m->over)
		mime_name_add(m, &p->e->names, value);
}

/* By number, those of one number in the order of the field. */
static void sort(const struct piece *v[], size_t n)
{
	for (size_t i = 1; i < n; i++) {
		const struct piece *one = v[i];
		size_t k = i;

		for (; k > 0 && v[k - 1]->section > one->section; k--)
			v[k] = v[k - 1];
		v[k] = one;
	}
}

/* Of those with one number the first, or the last. */
static size_t pick(const struct piece *const v[], size_t n, bool last, const struct piece **out)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		const bool same = last ? i + 1 < n && v[i + 1]->section == v[i]->section
				       : i > 0 && v[i - 1]->section == v[i]->section;

		if (!same)
			out[kept++] = v[i];
	}
	return kept;
}

static void join_all(struct params *p, enum key key)
{
	const size_t n = p->pieces[key].count;
	const struct piece **v, **some;
	size_t i = 0, kept;

	if (n == 0 || p->m->over)
		return;
	v = arena_alloc(p->m->arena, n * sizeof(struct piece *));
	some = arena_alloc(p->m->arena, n * sizeof(struct piece *));
	for (const struct piece *one = p->pieces[key].first; one; one = one->next)
		v[i++] = one;
	join(p, key, v, n, false); /* in the order of the field */
	sort(v, n);
	for (int last = 0; last < 2 && !p->m->over; last++) {
		kept = pick(v, n, last, some);
		join(p, key, some, kept, false);
		if (!p->m->over)
			join(p, key, some, kept, true);
		if (kept == n)
			break;
	}
}

/* --- finding them */

static bool key_at(struct text t, enum key *key, size_t *n)
{
	static const struct text words[KEYS] = {
	    [KEY_NAME] = LIT("name"),
	    [KEY_FILENAME] = LIT("filename"),
	    [KEY_BOUNDARY] = LIT("boundary"),
	};

	for (unsigned k = 0; k < KEYS; k++) {
		if (text_istarts(t, words[k])) {
			*key = (enum key)k;
			*n = words[k].n;
			return true;
		}
	}
	return false;
}

/* A parameter whose name begins at `at`: name, name*, name*0, name*0*. */
static bool param_at(struct text value, size_t at, struct param *out)
{
	enum { SECTION_DIGITS = 9 };
	size_t i, n;

	*out = (struct param){0};
	if (!key_at(text_make(value.p + at, value.n - at), &out->key, &n))
		return false;
	i = skip(value, at + n);
	if (i < value.n && value.p[i] == '*') {
		size_t digits = 0;

		i = skip(value, i + 1);
		for (; i < value.n && value.p[i] >= '0' && value.p[i] <= '9'; i++) {
			if (++digits <= SECTION_DIGITS)
				out->section = out->section * 10 + (uint64_t)(value.p[i] - '0');
		}
		out->split = digits > 0;
		out->encoded = digits == 0;
		i = skip(value, i);
		if (i < value.n && value.p[i] == '*') {
			out->encoded = true;
			i = skip(value, i + 1);
		}
	}
	if (i >= value.n || value.p[i] != '=')
		return false;
	out->at = skip(value, i + 1);
	return true;
}

static void read_param(struct params *p, const struct param *param)
{
	const struct text rest = text_make(p->value.p + param->at, p->value.n - param->at);

	if (rest.n == 0)
		return;
	if (param->split)
		add_piece(p, param);
	else if (param->encoded)
		read_extended(p, param->key, rest);
	else if (rest.p[0] == '"')
		read_quoted(p, param->key, rest);
	else
		read_token(p, param->key, rest);
}

void mime_params_find(struct mime *m, struct mime_entity *e, struct text value)
{
	struct params p = {.m = m, .e = e, .value = value};
	struct param param;

	if (!charge(m, value.n))
		return;
	for (size_t i = 0; i < value.n && !m->over; i++) {
		if (i > 0 && is_word(value.p[i - 1]))
			continue;
		if (param_at(value, i, &param))
			read_param(&p, &param);
	}
	for (unsigned key = 0; key < KEYS; key++)
		join_all(&p, (enum key)key);
}
