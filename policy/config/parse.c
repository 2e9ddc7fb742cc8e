/* The values of a configuration, by libconfuse: quotes, escapes, variables, lists.
 *
 * The scan has already found every option; here each value that libconfuse reads is put where the
 * scan saw it.  Both must agree on each option's name and number of values: where they don't, the
 * file isn't loaded, so that two readings of one text can never differ silently. */
#include "policy/config/internal.h"

#include <confuse.h>
#include <stdlib.h>

/* libconfuse's callbacks take no argument of ours.  One load runs at a time in a thread. */
static _Thread_local struct reading {
	struct loading *loading;
	const struct scan *order;
	size_t option, value; /* that come next */
	bool failed;
} * reading;

/* The option that the next value belongs to; empty lists bring none. */
static struct raw_option *expected_option(void)
{
	while (reading->option < reading->order->count) {
		struct raw_option *o = reading->order->options[reading->option];

		if (reading->value < o->count)
			return o;
		reading->option++;
		reading->value = 0;
	}
	return NULL;
}

/* What libconfuse can't read; the first only, the rest follows from it. */
static void misread(int line, const char *why)
{
	if (!reading->failed)
		config_mistake(reading->loading, line, "%s", why);
	reading->failed = true;
}

static int on_value(cfg_t *section, cfg_opt_t *opt, const char *value, void *result)
{
	struct raw_option *o = expected_option();

	if (!o || !settings_name_is(text_of(cfg_opt_name(opt)), o->row->name)) {
		misread(section->line, "an option was expected elsewhere");
		return -1;
	}
	o->values[reading->value++].text = arena_text(reading->loading->arena, text_of(value));
	*(const char **)result = value;
	return 0;
}

static void on_error(cfg_t *section, const char *fmt, va_list ap)
{
	misread(section->line, arena_vprintf(reading->loading->arena, fmt, ap).p);
}

static const char *written_name(struct arena *a, const char *name)
{
	char dashed[SETTING_NAME_MAX];

	return arena_text(a, text_of(settings_name(name, dashed))).p;
}

/* Values come as lists of strings: the types and their errors are in values.c. */
static cfg_opt_t value_option(struct arena *a, const char *name)
{
	return (cfg_opt_t)CFG_STR_LIST_CB(written_name(a, name), NULL, CFGF_NODEFAULT, on_value);
}

/* A section is forgotten as soon as it has been read: its values are with the scan's, and
 * libconfuse would compare each new title with those of all sections before it. */
static int on_section(cfg_t *parent, cfg_opt_t *opt)
{
	(void)parent;
	return cfg_opt_rmnsec(opt, 0) == CFG_SUCCESS ? 0 : -1;
}

static cfg_opt_t titled_section(const char *name, cfg_opt_t *options)
{
	cfg_opt_t opt = CFG_SEC(name, options, CFGF_MULTI | CFGF_TITLE);

	opt.validcb = on_section;
	return opt;
}

static bool has_option(const cfg_opt_t *opts, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++) {
		if (settings_name_is(text_of(opts[i].name), name))
			return true;
	}
	return false;
}

/* One section "check" stands for all: each option that any check has. */
static cfg_opt_t *check_options(struct arena *a)
{
	size_t room = 1, n = 0;
	cfg_opt_t *opts;

	for (size_t i = 0; i < settings_group_count; i++)
		room += settings_groups[i].count;
	opts = arena_alloc(a, room * sizeof(*opts));
	for (size_t i = 0; i < settings_group_count; i++) {
		const struct group_row *g = &settings_groups[i];

		for (size_t k = 0; g->kind == KIND_CHECK && k < g->count; k++) {
			if (!has_option(opts, n, g->rows[k].name))
				opts[n++] = value_option(a, g->rows[k].name);
		}
	}
	opts[n] = (cfg_opt_t)CFG_END();
	return opts;
}

static cfg_opt_t *group_options(struct arena *a, const struct group_row *g, cfg_opt_t *check)
{
	cfg_opt_t *opts = arena_alloc(a, (g->count + settings_group_count + 2) * sizeof(*opts));
	size_t n = 0;

	for (; n < g->count; n++)
		opts[n] = value_option(a, g->rows[n].name);
	if (g == settings_groups || settings_name_is(LIT("domain"), g->name))
		opts[n++] = titled_section("check", check);
	for (size_t i = 1; g == settings_groups && i < settings_group_count; i++) {
		const struct group_row *s = &settings_groups[i];

		if (s->kind == KIND_MANY)
			opts[n++] =
			    titled_section(written_name(a, s->name), group_options(a, s, check));
		else if (s->kind == KIND_ONE)
			opts[n++] =
			    (cfg_opt_t)CFG_SEC(s->name, group_options(a, s, check), CFGF_NONE);
	}
	opts[n] = (cfg_opt_t)CFG_END();
	return opts;
}

bool config_parse(struct loading *l, const char *text, const struct scan *order)
{
	struct reading r = {.loading = l, .order = order};
	const struct raw_option *missing;
	struct arena temporary;
	cfg_t *cfg;

	arena_init(&temporary, NULL, NULL);
	cfg = cfg_init(group_options(&temporary, settings_groups, check_options(&temporary)),
		       CFGF_NONE);
	if (!cfg)
		abort(); /* no memory */
	reading = &r;
	cfg_set_error_function(cfg, on_error);
	if (cfg_parse_buf(cfg, text) != CFG_SUCCESS && !r.failed)
		misread(cfg->line, "the file can't be read from here on");
	missing = expected_option();
	if (!r.failed && missing)
		misread(missing->line, "the option has no value");
	reading = NULL;
	cfg_free(cfg);
	arena_reset(&temporary);
	return !r.failed;
}

/* --- the command line */

static struct raw_section *override_section(struct loading *l, struct text path)
{
	struct text first, rest;
	const struct group_row *g;
	struct raw_section *s;

	if (text_empty(path))
		return &l->global;
	text_split(path, '.', &first, &rest);
	g = settings_find_check(path);
	if (!g && text_eq(first, LIT("check")))
		g = settings_find_check(rest);
	if (g)
		rest = (struct text){0};
	else
		g = settings_find_section(first);
	if (!g || (g->kind != KIND_MANY && !text_empty(rest)) ||
	    (g->kind == KIND_MANY && text_empty(rest)))
		return NULL;
	s = raw_section_find(l, g, rest, NULL);
	if (!s && g->kind != KIND_MANY)
		s = raw_section_add(l, g, rest, -1, NULL);
	return s;
}

static void override_values(struct loading *l, struct raw_option *o, struct text value)
{
	struct text head;

	o->count = 0;
	if (!setting_is_list(o->row->type)) {
		raw_value_add(l, o, value, -1);
		return;
	}
	while (!text_empty(value)) {
		text_split(value, ',', &head, &value);
		raw_value_add(l, o, text_trim(head), -1);
	}
}

void config_override(struct loading *l, struct text override)
{
	struct text name, value, option, path = {0};
	const struct setting_row *row;
	struct raw_section *s;
	struct raw_option *o;
	size_t dot;

	if (!text_split(override, '=', &name, &value)) {
		config_mistake(l, -1, "\"%.*s\" is not of the form name=value", TEXT(override));
		return;
	}
	name = text_trim(name);
	for (dot = name.n; dot > 0 && name.p[dot - 1] != '.'; dot--)
		;
	option = text_make(name.p + dot, name.n - dot);
	if (dot > 0)
		path = text_make(name.p, dot - 1);
	s = override_section(l, path);
	if (!s) {
		config_mistake(l, -1, "no section \"%.*s\" to set %.*s in", TEXT(path),
			       TEXT(option));
		return;
	}
	row = settings_find(s->group, option);
	if (!row) {
		struct suggestion near;
		char known[SETTING_NAME_MAX];

		suggest_begin(&near, option);
		for (size_t i = 0; i < s->group->count; i++)
			suggest_offer(&near, text_of(settings_name(s->group->rows[i].name, known)));
		struct text found = config_nearest(l, &near);
		config_mistake(l, -1, "unknown option \"%.*s\"%.*s", TEXT(name), TEXT(found));
		return;
	}
	o = s->options[row - s->group->rows];
	if (!o)
		o = raw_option_add(l, s, row, -1);
	o->line = -1;
	override_values(l, o, text_trim(value));
}
