/* Loading a configuration, its mistakes, and the look-ups of every session. */
#include "policy/config/internal.h"
#include "policy/patterns.h"

#include <errno.h>
#include <stdlib.h>

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
	l.source.keys = bundle_fd != NULL;
	const struct source_item file = *source_file(&l.source, SOURCE_MAIN, text_of(path));

	for (size_t i = 0; overrides && overrides[i]; i++)
		source_add(&l.source, SOURCE_OVERRIDE, text_of(overrides[i]), LIT(""), 0);
	source_directory(&l.source);
	source_host_name(&l.source);
	c = load(&l, &file, err);
	if (!c || !bundle_fd)
		return c;
	*bundle_fd = bundle_write(&l.source, false);
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
	config_keys_wipe(c);
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
