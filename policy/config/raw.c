/* A configuration before its values are understood: sections, their options, and the mistakes
 * found. */
#include "policy/config/internal.h"

enum { MISTAKES_KEPT = 1000 };

/* --- mistakes */

/* One line each, whatever stands in the value that is shown. */
static struct text shown(struct loading *l, struct text message)
{
	char *p = arena_alloc(l->arena, message.n + 1);

	for (size_t i = 0; i < message.n; i++) {
		unsigned char c = (unsigned char)message.p[i];

		p[i] = (char)(c < 0x20 || c == 0x7f ? '?' : c);
	}
	return text_make(p, message.n);
}

static void add_mistake(struct loading *l, int line, struct text message)
{
	struct config_mistake **at = &l->mistakes;
	struct config_mistake *m;

	/* a file that is something else entirely: nobody reads that many */
	if (l->mistake_count++ >= MISTAKES_KEPT)
		return;
	m = arena_new(l->arena, struct config_mistake);
	while (*at && (*at)->line <= line)
		at = &(*at)->next;
	*m = (struct config_mistake){line, shown(l, message), *at};
	*at = m;
}

void config_mistake(struct loading *l, int line, const char *fmt, ...)
{
	struct text message;
	va_list ap;

	va_start(ap, fmt);
	message = arena_vprintf(l->arena, fmt, ap);
	va_end(ap);
	if (line > 0)
		message =
		    arena_printf(l->arena, "%.*s:%d: %.*s", TEXT(l->path), line, TEXT(message));
	else
		message =
		    arena_printf(l->arena, "%.*s: %.*s",
				 TEXT(line < 0 ? LIT("command line") : l->path), TEXT(message));
	add_mistake(l, line, message);
}

void config_mistake_in(struct loading *l, struct text file, int line, const char *fmt, ...)
{
	struct text message;
	va_list ap;

	va_start(ap, fmt);
	message = arena_vprintf(l->arena, fmt, ap);
	va_end(ap);
	add_mistake(l, text_eq(file, l->path) ? line : INT32_MAX,
		    arena_printf(l->arena, "%.*s:%d: %.*s", TEXT(file), line, TEXT(message)));
}

struct text config_nearest(struct loading *l, const struct suggestion *s)
{
	return s->best[0] ? arena_printf(l->arena, "; nearest: %s", s->best) : LIT("");
}

struct text config_label(struct loading *l, const struct raw_section *s,
			 const struct setting_row *row)
{
	char group[SETTING_NAME_MAX] = "", name[SETTING_NAME_MAX] = "";
	struct text inner, outer = LIT("");

	if (row)
		settings_name(row->name, name);
	if (!s || s->group == settings_groups)
		return arena_text(l->arena, text_of(name));
	settings_name(s->group->name, group);
	if (s->parent)
		outer = config_label(l, s->parent, NULL);
	if (s->group->kind == KIND_CHECK)
		inner = arena_printf(l->arena, "check \"%s\"", group);
	else if (s->group->kind == KIND_MANY)
		inner = arena_printf(l->arena, "%s \"%.*s\"", group, TEXT(s->title));
	else
		inner = text_of(group);
	return arena_printf(l->arena, "%.*s%s%.*s%s%s", TEXT(outer), outer.n ? ": " : "",
			    TEXT(inner), row ? ": " : "", name);
}

/* --- raw sections */

static struct raw_section **bucket_of(struct loading *l, const struct group_row *group,
				      struct text title, const struct raw_section *parent)
{
	uint64_t h = UINT64_C(14695981039346656037) ^ (uintptr_t)group ^ ((uintptr_t)parent << 1);

	for (size_t i = 0; i < title.n; i++)
		h = (h ^ (unsigned char)title.p[i]) * UINT64_C(1099511628211);
	return &l->buckets[(h ^ h >> 32) % RAW_BUCKETS];
}

struct raw_section *raw_section_add(struct loading *l, const struct group_row *group,
				    struct text title, int line, struct raw_section *parent)
{
	struct raw_section *s = arena_new(l->arena, struct raw_section);

	*s = (struct raw_section){
	    .group = group, .title = arena_text(l->arena, title), .line = line, .parent = parent};
	s->options = arena_alloc(l->arena, group->count * sizeof(struct raw_option *));
	*l->last = s;
	l->last = &s->next;
	struct raw_section **bucket = bucket_of(l, group, title, parent);
	s->chain = *bucket;
	*bucket = s;
	return s;
}

struct raw_section *raw_section_find(struct loading *l, const struct group_row *group,
				     struct text title, const struct raw_section *parent)
{
	for (struct raw_section *s = *bucket_of(l, group, title, parent); s; s = s->chain) {
		if (s->group == group && s->parent == parent && text_eq(s->title, title))
			return s;
	}
	return NULL;
}

struct raw_option *raw_option_add(struct loading *l, struct raw_section *s,
				  const struct setting_row *row, int line)
{
	struct raw_option *o = arena_new(l->arena, struct raw_option);

	*o = (struct raw_option){.row = row, .section = s, .line = line};
	s->options[row - s->group->rows] = o;
	return o;
}

void raw_value_add(struct loading *l, struct raw_option *o, struct text text, int line)
{
	if (o->count == o->capacity) {
		size_t capacity = o->capacity ? o->capacity * 4 : 1;
		struct raw_value *v = arena_alloc(l->arena, capacity * sizeof(*v));

		if (o->count > 0)
			memcpy(v, o->values, o->count * sizeof(*v));
		o->values = v;
		o->capacity = capacity;
	}
	o->values[o->count++] = (struct raw_value){text, line};
}

int raw_line(const struct raw_section *s, const char *name)
{
	for (size_t i = 0; i < s->group->count; i++) {
		if (strcmp(s->group->rows[i].name, name) == 0 && s->options[i])
			return s->options[i]->line;
	}
	return s->line;
}
