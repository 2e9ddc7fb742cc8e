/* Loading a configuration, its mistakes, and the look-ups of every session. */
#include "policy/config_internal.h"
#include "policy/patterns.h"

#include <errno.h>
#include <stdlib.h>

/* --- mistakes */

static void add_mistake(struct loading *l, int line, struct text message)
{
	struct config_mistake **at = &l->mistakes;
	struct config_mistake *m = arena_new(l->arena, struct config_mistake);

	while (*at && (*at)->line <= line)
		at = &(*at)->next;
	*m = (struct config_mistake){line, message, *at};
	*at = m;
	l->mistake_count++;
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

/* --- loading */

/* False: what would follow from a text that wasn't read to its end would only confuse. */
static bool read_text(struct loading *l, const struct source_item *file)
{
	struct scan order = {0};
	size_t n = file->data.n;
	char *text;

	if (file->error) {
		config_mistake(l, 0, "cannot read: %s", strerror(file->error));
		return false;
	}
	if (text_find(file->data, '\0') < n) {
		int line = 1;

		for (const char *p = file->data.p; *p; p++)
			line += *p == '\n';
		config_mistake(l, line, "the file has a NUL byte: it is no text");
		return false;
	}
	/* the scan blanks in its copy; the bundle has to keep the file as it is */
	text = arena_alloc(l->arena, n + 2);
	memcpy(text, file->data.p, n);
	text[n] = '\n';
	return config_scan(l, text, n, &order) && config_parse(l, text, &order);
}

static void apply_overrides(struct loading *l)
{
	for (size_t i = 0; i < l->source.count; i++) {
		if (l->source.items[i].kind == SOURCE_OVERRIDE)
			config_override(l, l->source.items[i].name);
	}
}

static void report(const struct loading *l, FILE *err)
{
	enum { SHOWN_MAX = 50 };
	size_t shown = 0;

	for (const struct config_mistake *m = l->mistakes; m && shown < SHOWN_MAX;
	     m = m->next, shown++)
		fprintf(err, "%.*s\n", TEXT(m->message));
	if (l->mistake_count > shown)
		fprintf(err, "%.*s: and %zu more\n", TEXT(l->path), l->mistake_count - shown);
}

static struct config *load(struct loading *l, const struct source_item *file, FILE *err)
{
	struct config *c = l->config;

	l->last = &l->first;
	l->path = c->file = file->name;
	l->global = (struct raw_section){.group = settings_groups};
	l->buckets = arena_alloc(l->arena, RAW_BUCKETS * sizeof(struct raw_section *));
	l->global.options =
	    arena_alloc(l->arena, settings_groups->count * sizeof(struct raw_option *));
	if (read_text(l, file)) {
		apply_overrides(l);
		config_resolve(l);
	}
	if (l->mistake_count == 0)
		return c;
	report(l, err);
	config_free(c);
	return NULL;
}

static struct config *config_new(struct loading *l)
{
	struct config *c = calloc(1, sizeof(*c));

	if (!c)
		abort();
	arena_init(&c->arena, NULL, NULL);
	*l = (struct loading){.config = c, .arena = &c->arena, .source = {.arena = &c->arena}};
	return c;
}

struct config *config_load(const char *path, const char *const *overrides, FILE *err,
			   int *bundle_fd)
{
	struct loading l;
	struct config *c;

	config_new(&l);
	const struct source_item file = *source_file(&l.source, SOURCE_MAIN, text_of(path));

	for (size_t i = 0; overrides && overrides[i]; i++)
		source_add(&l.source, SOURCE_OVERRIDE, text_of(overrides[i]), LIT(""), 0);
	source_directory(&l.source);
	source_host_name(&l.source);
	c = load(&l, &file, err);
	if (!c || !bundle_fd)
		return c;
	*bundle_fd = bundle_write(&l.source);
	if (*bundle_fd >= 0)
		return c;
	fprintf(err, "%s: cannot keep the configuration in memory: %s\n", path, strerror(errno));
	config_free(c);
	return NULL;
}

/* libconfuse asks the environment for variables, and ours may not be the master's any more. */
static void restore_variables(const struct source *s)
{
	for (size_t i = 0; i < s->count; i++) {
		const struct source_item *v = &s->items[i];

		if (v->kind != SOURCE_VARIABLE)
			continue;
		if (v->error)
			unsetenv(v->name.p);
		else
			setenv(v->name.p, v->data.p, 1);
	}
}

struct config *config_load_bundle(int fd, FILE *err)
{
	struct loading l;
	struct config *c = config_new(&l);
	struct source_item file = {0};

	if (!bundle_read(&l.source, fd) || l.source.count == 0 ||
	    l.source.items[0].kind != SOURCE_MAIN) {
		fprintf(err, "cannot read the configuration from descriptor %d: %s\n", fd,
			strerror(errno ? errno : EBADMSG));
		config_free(c);
		return NULL;
	}
	restore_variables(&l.source);
	file = l.source.items[0];
	return load(&l, &file, err);
}

void config_free(struct config *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->pattern_count; i++)
		patterns_free(c->patterns[i]);
	free(c->patterns);
	arena_reset(&c->arena);
	free(c);
}

/* --- look-ups */

static int compare_names(struct text a, struct text b)
{
	int order = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);

	if (order != 0)
		return order;
	return a.n < b.n ? -1 : a.n > b.n;
}

/* Domains are sorted by name, an exact one before the wildcard of the same name. */
static const struct domain *find_domain(const struct config *c, struct text name, bool subdomains)
{
	size_t low = 0, high = c->domain_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct domain *d = &c->domains[middle];
		int order = compare_names(name, d->name);

		if (order == 0)
			order = (int)subdomains - (int)d->subdomains;
		if (order == 0)
			return d;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

const struct domain *config_domain(const struct config *c, struct text name)
{
	const struct domain *d = find_domain(c, name, false);

	while (!d) {
		size_t dot = text_find(name, '.');

		if (dot == name.n)
			return NULL;
		name = text_make(name.p + dot + 1, name.n - dot - 1);
		d = find_domain(c, name, true);
	}
	return d;
}

bool nets_contain(const struct net_list *nets, const struct ip *ip)
{
	for (size_t i = 0; i < nets->n; i++) {
		if (net_contains(&nets->v[i], ip))
			return true;
	}
	return false;
}

bool config_trusted(const struct config *c, const struct ip *ip)
{
	return nets_contain(&c->global.trusted_networks, ip);
}
