/* The structure of a configuration file: sections, options, the lines they stand on, and every
 * mistake that can be seen without understanding a value.
 *
 * libconfuse reads the values, but it stops at the first unknown option, keeps the last of two
 * silently, makes an unset ${VARIABLE} "" silently, drops an unknown backslash, counts a line too
 * many for each C comment and stays inside an unclosed string for the next file.  So the text is
 * walked here first, by the same rules; what is wrong is reported and blanked, as are comments, and
 * libconfuse gets a text that it reads well.  config_parse.c checks that both saw the same options.
 */
#include "policy/config_internal.h"

#include <stdlib.h>

enum { DEPTH_MAX = 8 };

enum token_kind {
	TOKEN_END,
	TOKEN_WORD,
	TOKEN_EQUALS,
	TOKEN_OPEN,
	TOKEN_CLOSE,
	TOKEN_COMMA,
	TOKEN_BROKEN
};

struct token {
	enum token_kind kind;
	size_t start, end; /* in the text, quotes included */
	struct text raw;   /* of a word: between the quotes */
	int line;
	bool plain; /* a word without escapes and variables: raw is its value */
};

struct scanner {
	struct loading *loading;
	struct scan *order;
	char *text;
	size_t n, at;
	int line;
	bool quiet;  /* inside of what is already reported */
	bool faulty; /* a mistake in the option that is read now */
};

#define FAULT(s, where, ...)                                                                       \
	do {                                                                                       \
		(s)->faulty = true;                                                                \
		if (!(s)->quiet)                                                                   \
			config_mistake((s)->loading, where, __VA_ARGS__);                          \
	} while (0)

static void blank(struct scanner *s, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		if (s->text[i] != '\n')
			s->text[i] = ' ';
	}
}

static char peek(const struct scanner *s, size_t ahead)
{
	return s->at + ahead < s->n ? s->text[s->at + ahead] : '\0';
}

/* False: a comment that isn't closed. */
static bool skip_comment(struct scanner *s)
{
	size_t start = s->at;
	int line = s->line;

	if (peek(s, 0) == '#' || peek(s, 1) == '/') {
		while (s->at < s->n && s->text[s->at] != '\n')
			s->at++;
		blank(s, start, s->at);
		return true;
	}
	for (s->at += 2; s->at < s->n; s->at++) {
		if (s->text[s->at] == '\n')
			s->line++;
		if (s->text[s->at] == '*' && peek(s, 1) == '/') {
			s->at += 2;
			blank(s, start, s->at);
			return true;
		}
	}
	FAULT(s, line, "the comment is not closed");
	return false;
}

static bool skip_space(struct scanner *s)
{
	while (s->at < s->n) {
		char c = s->text[s->at];

		if (c == '#' || (c == '/' && (peek(s, 1) == '/' || peek(s, 1) == '*'))) {
			if (!skip_comment(s))
				return false;
			continue;
		}
		if (c != ' ' && c != '\t' && c != '\r' && c != '\n')
			return true;
		if (c == '\n')
			s->line++;
		s->at++;
	}
	return true;
}

static bool is_variable_name(struct text name)
{
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];

		if (!(c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		      (c >= '0' && c <= '9')))
			return false;
	}
	return name.n > 0;
}

/* "${NAME}" or "${NAME:-default}" at s->at. */
static bool scan_variable(struct scanner *s)
{
	struct text rest = text_make(s->text + s->at + 2, s->n - s->at - 2);
	size_t length = text_find(rest, '}');
	struct text name = text_make(rest.p, length);
	size_t colon = text_find(name, ':');
	bool has_default = colon + 1 < name.n && name.p[colon + 1] == '-';

	if (length == rest.n || text_find(name, '\n') < name.n) {
		FAULT(s, s->line, "\"${\" is not closed");
		return false;
	}
	s->at += 2 + length + 1;
	if (has_default)
		name.n = colon;
	if (!is_variable_name(name)) {
		FAULT(s, s->line, "\"${%.*s}\" names no variable", TEXT(name));
		return true;
	}
	if (!s->quiet && source_variable(&s->loading->source, name)->error && !has_default)
		FAULT(s, s->line,
		      "the environment variable %.*s is not set; "
		      "write \"${%.*s:-}\" if it may be empty",
		      TEXT(name), TEXT(name));
	return true;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))
		return (c | 0x20) - 'a' + 10;
	return -1;
}

/* A backslash in double quotes, at s->at. */
static void scan_escape(struct scanner *s)
{
	char c = peek(s, 1);

	if (c == '\n')
		s->line++;
	if (c == 'x' && hex_digit(peek(s, 2)) >= 0) {
		bool two = hex_digit(peek(s, 3)) >= 0;

		if (hex_digit(peek(s, 2)) == 0 && (!two || hex_digit(peek(s, 3)) == 0))
			FAULT(s, s->line, "a value can't have a NUL byte");
		s->at += two ? 4 : 3;
		return;
	}
	if (!c || !strchr("\\\"'$nrtbfave\n", c))
		FAULT(s, s->line,
		      "\"\\%c\" means nothing in double quotes; write \"\\\\%c\", or use single "
		      "quotes",
		      c, c);
	s->at += 2;
}

static struct token broken(struct scanner *s, size_t start, int line)
{
	return (struct token){.kind = TOKEN_BROKEN, .start = start, .end = s->at, .line = line};
}

static struct token scan_quoted(struct scanner *s)
{
	size_t start = s->at++;
	struct token t = {.kind = TOKEN_WORD, .start = start, .line = s->line, .plain = true};
	char quote = s->text[start];

	while (s->at < s->n && s->text[s->at] != quote && s->text[s->at] != '\n') {
		char c = s->text[s->at];

		if (c == '\\' && quote == '"') {
			t.plain = false;
			scan_escape(s);
		} else if (c == '\\' &&
			   (peek(s, 1) == '\'' || peek(s, 1) == '\\' || peek(s, 1) == '\n')) {
			t.plain = false;
			s->line += peek(s, 1) == '\n';
			s->at += 2;
		} else if (c == '$' && peek(s, 1) == '{' && quote == '"') {
			t.plain = false;
			if (!scan_variable(s))
				return broken(s, start, t.line);
		} else {
			s->at++;
		}
	}
	if (s->at >= s->n || s->text[s->at] != quote) {
		FAULT(s, t.line, "the quotes are not closed on this line");
		return broken(s, start, t.line);
	}
	t.raw = text_make(s->text + start + 1, s->at - start - 1);
	t.end = ++s->at;
	return t;
}

static struct token scan_bare(struct scanner *s)
{
	size_t start = s->at;
	struct token t = {.kind = TOKEN_WORD, .start = start, .line = s->line, .plain = true};

	if (peek(s, 0) == '$' && peek(s, 1) == '{') {
		t.plain = false;
		if (!scan_variable(s))
			return broken(s, start, t.line);
	} else {
		while (s->at < s->n && !strchr(" #\"'\t\n\r={}()+,*", s->text[s->at]))
			s->at++;
	}
	if (s->at == start || (s->at < s->n && strchr("*(+$", s->text[s->at])) ||
	    (s->text[s->at - 1] == '$' && peek(s, 0) == '{')) {
		FAULT(s, t.line, "unexpected character '%c'; values stand in quotes", peek(s, 0));
		return broken(s, start, t.line);
	}
	t.raw = text_make(s->text + start, s->at - start);
	t.end = s->at;
	return t;
}

static struct token next_token(struct scanner *s)
{
	static const struct {
		char c;
		enum token_kind kind;
	} signs[] = {
	    {'=', TOKEN_EQUALS}, {'{', TOKEN_OPEN}, {'}', TOKEN_CLOSE}, {',', TOKEN_COMMA}};

	if (!skip_space(s))
		return broken(s, s->at, s->line);
	if (s->at >= s->n)
		return (struct token){
		    .kind = TOKEN_END, .start = s->n, .end = s->n, .line = s->line};
	for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++) {
		if (s->text[s->at] == signs[i].c) {
			s->at++;
			return (struct token){.kind = signs[i].kind,
					      .start = s->at - 1,
					      .end = s->at,
					      .line = s->line};
		}
	}
	if (s->text[s->at] == '"' || s->text[s->at] == '\'')
		return scan_quoted(s);
	return scan_bare(s);
}

static bool unexpected(struct scanner *s, const struct token *t, const char *wanted)
{
	if (t->kind == TOKEN_END)
		FAULT(s, t->line, "the file ends where %s is wanted", wanted);
	else if (t->kind != TOKEN_BROKEN)
		FAULT(s, t->line, "unexpected \"%.*s\" where %s is wanted",
		      (int)(t->end - t->start), s->text + t->start, wanted);
	return false;
}

/* --- options */

static void order_add(struct scanner *s, struct raw_option *o)
{
	struct scan *order = s->order;

	if (order->count == order->capacity) {
		size_t capacity = order->capacity ? order->capacity * 2 : 64;
		struct raw_option **v =
		    arena_alloc(s->loading->arena, capacity * sizeof(struct raw_option *));

		if (order->count > 0)
			memcpy(v, order->options, order->count * sizeof(struct raw_option *));
		order->options = v;
		order->capacity = capacity;
	}
	order->options[order->count++] = o;
}

/* The names that an option may have in that section, and the sections, for the nearest of them. */
static struct text nearest_option(struct scanner *s, const struct group_row *g, struct text name,
				  bool sections)
{
	struct suggestion near;
	char known[SETTING_NAME_MAX];

	suggest_begin(&near, name);
	for (size_t i = 0; g && i < g->count; i++)
		suggest_offer(&near, text_of(settings_name(g->rows[i].name, known)));
	for (size_t i = 1; sections && i < settings_group_count; i++) {
		if (settings_groups[i].kind != KIND_CHECK)
			suggest_offer(&near,
				      text_of(settings_name(settings_groups[i].name, known)));
	}
	if (sections)
		suggest_offer(&near, LIT("check"));
	return config_nearest(s->loading, &near);
}

static void unknown_option(struct scanner *s, const struct raw_section *section,
			   const struct token *name)
{
	const struct group_row *g = section->group;
	bool top = g == settings_groups;

	if (top && (settings_find_section(name->raw) || text_eq(name->raw, LIT("check")))) {
		FAULT(s, name->line, "\"%.*s\" is a section: %.*s ... { ... }", TEXT(name->raw),
		      TEXT(name->raw));
		return;
	}
	struct text near = nearest_option(s, g, name->raw, top);
	struct text of = config_label(s->loading, section, NULL);
	for (size_t i = 0; text_empty(near) && i < settings_group_count; i++) {
		char known[SETTING_NAME_MAX];

		if (!settings_find(&settings_groups[i], name->raw) || &settings_groups[i] == g)
			continue;
		settings_name(settings_groups[i].name, known);
		near = i == 0
			   ? text_of("; it is an option of the file itself")
			   : arena_printf(s->loading->arena, "; it is an option of %s%s%s",
					  settings_groups[i].kind == KIND_CHECK ? "check \"" : "",
					  known, settings_groups[i].kind == KIND_CHECK ? "\"" : "");
	}
	FAULT(s, name->line, "unknown option \"%.*s\"%s%.*s%.*s", TEXT(name->raw),
	      of.n ? " in " : "", TEXT(of), TEXT(near));
}

/* NULL where it is a mistake. */
static struct raw_option *begin_option(struct scanner *s, struct raw_section *section,
				       const struct token *name)
{
	const struct setting_row *row;
	struct raw_option *o;

	if (!section)
		return NULL;
	row = settings_find(section->group, name->raw);
	if (!row) {
		unknown_option(s, section, name);
		return NULL;
	}
	o = section->options[row - section->group->rows];
	if (o) {
		struct text label = config_label(s->loading, section, row);

		FAULT(s, name->line, "%.*s is given twice, first in line %d", TEXT(label), o->line);
		return NULL;
	}
	return raw_option_add(s->loading, section, row, name->line);
}

static bool scan_list(struct scanner *s, struct raw_option *o)
{
	struct token t = next_token(s);

	while (t.kind != TOKEN_CLOSE) {
		if (t.kind != TOKEN_WORD)
			return unexpected(s, &t, "a value or }");
		if (o)
			raw_value_add(s->loading, o, (struct text){0}, t.line);
		t = next_token(s);
		if (t.kind == TOKEN_COMMA)
			t = next_token(s);
		else if (t.kind != TOKEN_CLOSE)
			return unexpected(s, &t, "a comma or }");
	}
	return true;
}

/* After the equals sign.  False: the syntax is broken. */
static bool scan_option(struct scanner *s, struct raw_section *section, const struct token *name)
{
	bool quiet = s->quiet;
	struct raw_option *o;
	struct token t;

	s->faulty = false;
	o = begin_option(s, section, name);
	t = next_token(s);
	if (t.kind == TOKEN_WORD) {
		if (o)
			raw_value_add(s->loading, o, (struct text){0}, t.line);
	} else if (t.kind == TOKEN_OPEN) {
		if (o && !setting_is_list(o->row->type)) {
			struct text label = config_label(s->loading, section, o->row);

			FAULT(s, t.line, "%.*s takes one value, not a list", TEXT(label));
		}
		if (!scan_list(s, o))
			return false;
	} else {
		return unexpected(s, &t, "a value");
	}
	s->quiet = quiet;
	if (s->faulty || !o) {
		if (o)
			o->count = 0;
		blank(s, name->start, s->at);
	} else {
		order_add(s, o);
	}
	return true;
}

/* --- sections */

static const struct group_row *unknown_check(struct scanner *s, const struct token *title)
{
	struct suggestion near;
	char known[SETTING_NAME_MAX];

	suggest_begin(&near, title->raw);
	for (size_t i = 0; i < settings_group_count; i++) {
		if (settings_groups[i].kind == KIND_CHECK)
			suggest_offer(&near,
				      text_of(settings_name(settings_groups[i].name, known)));
	}
	struct text found = config_nearest(s->loading, &near);
	FAULT(s, title->line, "no check \"%.*s\"%.*s", TEXT(title->raw), TEXT(found));
	return NULL;
}

static const struct group_row *unknown_section(struct scanner *s, const struct raw_section *parent,
					       const struct token *name)
{
	struct text near = {0};

	if (settings_find(parent->group, name->raw)) {
		FAULT(s, name->line, "\"%.*s\" is an option: %.*s = ...", TEXT(name->raw),
		      TEXT(name->raw));
		return NULL;
	}
	if (parent->group == settings_groups)
		near = nearest_option(s, NULL, name->raw, true);
	struct text of = config_label(s->loading, parent, NULL);
	FAULT(s, name->line, "unknown section \"%.*s\"%s%.*s%.*s", TEXT(name->raw),
	      of.n ? " in " : "", TEXT(of), TEXT(near));
	return NULL;
}

static const struct group_row *section_group(struct scanner *s, const struct raw_section *parent,
					     const struct token *name, const struct token *title)
{
	bool top = parent->group == settings_groups;
	bool in_domain = settings_name_is(LIT("domain"), parent->group->name);
	const struct group_row *g;

	if (text_eq(name->raw, LIT("check")) && (top || in_domain)) {
		if (title->kind != TOKEN_WORD) {
			FAULT(s, name->line,
			      "a check section needs a name: check \"helo-ip\" { ... }");
			return NULL;
		}
		g = settings_find_check(title->raw);
		return g ? g : unknown_check(s, title);
	}
	g = top ? settings_find_section(name->raw) : NULL;
	if (!g)
		return unknown_section(s, parent, name);
	if (g->kind == KIND_MANY && (title->kind != TOKEN_WORD || text_empty(title->raw))) {
		FAULT(s, name->line, "a %.*s section needs a name: %.*s \"name\" { ... }",
		      TEXT(name->raw), TEXT(name->raw));
		return NULL;
	}
	if (g->kind == KIND_ONE && title->kind == TOKEN_WORD) {
		FAULT(s, name->line, "the section \"%.*s\" has no name: %.*s { ... }",
		      TEXT(name->raw), TEXT(name->raw));
		return NULL;
	}
	return g;
}

/* Names go to the log and the tool as they are. */
static bool is_title(struct text t)
{
	for (size_t i = 0; i < t.n; i++) {
		if ((unsigned char)t.p[i] < 0x20 || t.p[i] == 0x7f || strchr("\"'\\$", t.p[i]))
			return false;
	}
	return true;
}

static struct raw_section *begin_section(struct scanner *s, struct raw_section *parent,
					 const struct token *name, const struct token *title)
{
	struct raw_section *up = parent == &s->loading->global ? NULL : parent;
	const struct raw_section *old;
	const struct group_row *g;

	if (!parent)
		return NULL;
	if (title->kind == TOKEN_WORD && (!title->plain || !is_title(title->raw))) {
		FAULT(s, title->line,
		      "a section's name can't have quotes, escapes, variables or controls");
		return NULL;
	}
	g = section_group(s, parent, name, title);
	if (!g)
		return NULL;
	struct text key = g->kind == KIND_MANY ? title->raw : (struct text){0};
	old = raw_section_find(s->loading, g, key, up);
	if (old) {
		struct text label = config_label(s->loading, old, NULL);

		FAULT(s, name->line, "%.*s stands twice, first in line %d", TEXT(label), old->line);
		return NULL;
	}
	return raw_section_add(s->loading, g, key, name->line, up);
}

static bool scan_items(struct scanner *s, struct raw_section *section, unsigned depth);

/* From its title or brace, which is `t`, on. */
static bool scan_section(struct scanner *s, struct raw_section *parent, const struct token *name,
			 struct token t, unsigned depth)
{
	struct token title = {.kind = TOKEN_END};
	struct raw_section *section;
	bool quiet = s->quiet;

	if (t.kind == TOKEN_WORD) {
		title = t;
		t = next_token(s);
	}
	if (t.kind != TOKEN_OPEN)
		return unexpected(s, &t, "= or {");
	if (depth == DEPTH_MAX)
		return unexpected(s, &t, "no further section inside of sections");
	section = begin_section(s, parent, name, &title);
	s->quiet = quiet || !section;
	if (!scan_items(s, section, depth + 1))
		return false;
	s->quiet = quiet;
	if (!section)
		blank(s, name->start, s->at);
	return true;
}

/* The options and sections up to the end of `section` (NULL: one that is already reported). */
static bool scan_items(struct scanner *s, struct raw_section *section, unsigned depth)
{
	int opened = s->line;

	for (;;) {
		struct token name = next_token(s), t;

		if (name.kind == TOKEN_END && depth > 0) {
			s->quiet = false;
			FAULT(s, opened, "the section is not closed");
			return false;
		}
		if (name.kind == TOKEN_END || (name.kind == TOKEN_CLOSE && depth > 0))
			return true;
		if (name.kind != TOKEN_WORD)
			return unexpected(s, &name, "an option or a section");
		t = next_token(s);
		if (t.kind == TOKEN_EQUALS) {
			if (!scan_option(s, section, &name))
				return false;
		} else if (t.kind == TOKEN_WORD || t.kind == TOKEN_OPEN) {
			if (!scan_section(s, section, &name, t, depth))
				return false;
		} else {
			return unexpected(s, &t, "= or {");
		}
	}
}

bool config_scan(struct loading *l, char *text, size_t n, struct scan *order)
{
	struct scanner s = {.loading = l, .order = order, .text = text, .n = n, .line = 1};

	return scan_items(&s, &l->global, 0);
}
