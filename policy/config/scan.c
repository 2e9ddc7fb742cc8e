/* The structure of a configuration file: sections, options, the lines they stand on, and every
 * mistake that can be seen without understanding a value.
 *
 * libconfuse reads the values, but it stops at the first unknown option, keeps the last of two
 * silently, makes an unset ${VARIABLE} "" silently, drops an unknown backslash, counts a line too
 * many for each C comment and stays inside an unclosed string for the next file.  So the text is
 * walked here first, by the same rules; what is wrong is reported and blanked, as are comments, and
 * libconfuse gets a text that it reads well.  parse.c checks that both saw the same options.
 */
#include "policy/config/lex.h"

enum { DEPTH_MAX = 8 };

struct scanner {
	struct lexer lex;
	struct loading *loading;
	struct scan *order;
};

static bool unexpected(struct scanner *s, const struct token *t, const char *wanted)
{
	if (t->kind == TOKEN_END)
		lexer_fault(&s->lex, t->line, "the file ends where %s is wanted", wanted);
	else if (t->kind != TOKEN_BROKEN)
		lexer_fault(&s->lex, t->line, "unexpected \"%.*s\" where %s is wanted",
			    (int)(t->end - t->start), s->lex.text + t->start, wanted);
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
		lexer_fault(&s->lex, name->line, "\"%.*s\" is a section: %.*s ... { ... }",
			    TEXT(name->raw), TEXT(name->raw));
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
	lexer_fault(&s->lex, name->line, "unknown option \"%.*s\"%s%.*s%.*s", TEXT(name->raw),
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

		lexer_fault(&s->lex, name->line, "%.*s is given twice, first in line %d",
			    TEXT(label), o->line);
		return NULL;
	}
	return raw_option_add(s->loading, section, row, name->line);
}

static bool scan_list(struct scanner *s, struct raw_option *o)
{
	struct token t = lexer_next(&s->lex);

	while (t.kind != TOKEN_CLOSE) {
		if (t.kind != TOKEN_WORD)
			return unexpected(s, &t, "a value or }");
		if (o)
			raw_value_add(s->loading, o, (struct text){0}, t.line);
		t = lexer_next(&s->lex);
		if (t.kind == TOKEN_COMMA)
			t = lexer_next(&s->lex);
		else if (t.kind != TOKEN_CLOSE)
			return unexpected(s, &t, "a comma or }");
	}
	return true;
}

/* After the equals sign.  False: the syntax is broken. */
static bool scan_option(struct scanner *s, struct raw_section *section, const struct token *name)
{
	bool quiet = s->lex.quiet;
	struct raw_option *o;
	struct token t;

	s->lex.faulty = false;
	o = begin_option(s, section, name);
	t = lexer_next(&s->lex);
	if (t.kind == TOKEN_WORD) {
		if (o)
			raw_value_add(s->loading, o, (struct text){0}, t.line);
	} else if (t.kind == TOKEN_OPEN) {
		if (o && !setting_is_list(o->row->type)) {
			struct text label = config_label(s->loading, section, o->row);

			lexer_fault(&s->lex, t.line, "%.*s takes one value, not a list",
				    TEXT(label));
		}
		if (!scan_list(s, o))
			return false;
	} else {
		return unexpected(s, &t, "a value");
	}
	s->lex.quiet = quiet;
	if (s->lex.faulty || !o) {
		if (o)
			o->count = 0;
		lexer_blank(&s->lex, name->start, s->lex.at);
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
	lexer_fault(&s->lex, title->line, "no check \"%.*s\"%.*s", TEXT(title->raw), TEXT(found));
	return NULL;
}

static const struct group_row *unknown_section(struct scanner *s, const struct raw_section *parent,
					       const struct token *name)
{
	struct text near = {0};

	if (settings_find(parent->group, name->raw)) {
		lexer_fault(&s->lex, name->line, "\"%.*s\" is an option: %.*s = ...",
			    TEXT(name->raw), TEXT(name->raw));
		return NULL;
	}
	if (parent->group == settings_groups)
		near = nearest_option(s, NULL, name->raw, true);
	struct text of = config_label(s->loading, parent, NULL);
	lexer_fault(&s->lex, name->line, "unknown section \"%.*s\"%s%.*s%.*s", TEXT(name->raw),
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
			lexer_fault(&s->lex, name->line,
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
		lexer_fault(&s->lex, name->line,
			    "a %.*s section needs a name: %.*s \"name\" { ... }", TEXT(name->raw),
			    TEXT(name->raw));
		return NULL;
	}
	if (g->kind == KIND_ONE && title->kind == TOKEN_WORD) {
		lexer_fault(&s->lex, name->line, "the section \"%.*s\" has no name: %.*s { ... }",
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
		lexer_fault(&s->lex, title->line,
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

		lexer_fault(&s->lex, name->line, "%.*s stands twice, first in line %d", TEXT(label),
			    old->line);
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
	bool quiet = s->lex.quiet;

	if (t.kind == TOKEN_WORD) {
		title = t;
		t = lexer_next(&s->lex);
	}
	if (t.kind != TOKEN_OPEN)
		return unexpected(s, &t, "= or {");
	if (depth == DEPTH_MAX)
		return unexpected(s, &t, "no further section inside of sections");
	section = begin_section(s, parent, name, &title);
	s->lex.quiet = quiet || !section;
	if (!scan_items(s, section, depth + 1))
		return false;
	s->lex.quiet = quiet;
	if (!section)
		lexer_blank(&s->lex, name->start, s->lex.at);
	return true;
}

/* The options and sections up to the end of `section` (NULL: one that is already reported). */
static bool scan_items(struct scanner *s, struct raw_section *section, unsigned depth)
{
	int opened = s->lex.line;

	for (;;) {
		struct token name = lexer_next(&s->lex), t;

		if (name.kind == TOKEN_END && depth > 0) {
			s->lex.quiet = false;
			lexer_fault(&s->lex, opened, "the section is not closed");
			return false;
		}
		if (name.kind == TOKEN_END || (name.kind == TOKEN_CLOSE && depth > 0))
			return true;
		if (name.kind != TOKEN_WORD)
			return unexpected(s, &name, "an option or a section");
		t = lexer_next(&s->lex);
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
	struct scanner s = {
	    .lex = {.loading = l, .text = text, .n = n, .line = 1}, .loading = l, .order = order};

	return scan_items(&s, &l->global, 0);
}
