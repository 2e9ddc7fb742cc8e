/* The table of options, made from settings.def and checks.def, and the look-ups in it. */
#include "policy/config/settings_table.h"

#include <stdio.h>
#include <stdlib.h>

/* What checks.def says of each check, for its group below. */
#define WORD_OFF     "off"
#define WORD_MONITOR "monitor"
#define WORD_ENFORCE "enforce"
#define CHECK(name, phase, mode, who, help)                                                        \
	static const char name##_default[] = WORD_##mode;                                          \
	static const char name##_phase[] = #phase;                                                 \
	static const char name##_who[] = #who;                                                     \
	static const char name##_help[] = help;
#include "policy/checks.def"
#undef CHECK

/* The rows of each group; a check's first one is `mode`. */
#define MODE_ROW_ONE(group)
#define MODE_ROW_MANY(group)
#define MODE_ROW_CHECK(group)                                                                      \
	{"mode",                                                                                   \
	 TYPE_CHOICE,                                                                              \
	 group##_default,                                                                          \
	 "(off, monitor, enforce)",                                                                \
	 "Do not run, only note what would have been, or refuse",                                  \
	 offsetof(struct group##_settings, mode)},

#define GROUP(group, kind, help)                                                                   \
	static const struct setting_row group##_rows[] = {MODE_ROW_##kind(group)
#define SETTING(group, name, type, def, range, help)                                               \
	{#name, TYPE_##type, def, #range, help, offsetof(struct group##_settings, name)},
#define END(group)                                                                                 \
	}                                                                                          \
	;
#include "policy/settings.def"
#undef GROUP
#undef SETTING
#undef END

/* Every group's struct starts alike: settings_group_line and _lines rely on it. */
#define GROUP(group, kind, help)                                                                   \
	_Static_assert(offsetof(struct group##_settings, line) == 0 &&                             \
			   offsetof(struct group##_settings, lines) == sizeof(int *),              \
		       "a group starts with line and lines");
#define SETTING(group, name, type, def, range, help)
#define END(group)
#include "policy/settings.def"
#undef GROUP

#define OF_ONE(group, help)  help, NULL, NULL, 0
#define OF_MANY(group, help) help, NULL, NULL, 0
#define OF_CHECK(group, help)                                                                      \
	group##_help, group##_phase, group##_who, offsetof(struct settings, group)
#define GROUP(group, kind, help)                                                                   \
	{#group,                                                                                   \
	 KIND_##kind,                                                                              \
	 group##_rows,                                                                             \
	 sizeof(group##_rows) / sizeof(group##_rows[0]),                                           \
	 sizeof(struct group##_settings),                                                          \
	 OF_##kind(group, help)},
const struct group_row settings_groups[] = {
#include "policy/settings.def"
};
#undef GROUP
#undef SETTING
#undef END

const size_t settings_group_count = sizeof(settings_groups) / sizeof(settings_groups[0]);

bool setting_is_list(enum setting_type type)
{
	return type == TYPE_RATES || type == TYPE_STRINGS || type == TYPE_NETS;
}

int *settings_group_line(void *group)
{
	return group;
}

const int **settings_group_lines(void *group)
{
	return (const int **)((char *)group + sizeof(int *));
}

/* It tells a section from the check of the same name, and is no part of what people write. */
static bool is_last_underscore(const char *p)
{
	return p[0] == '_' && !p[1];
}

bool settings_name_is(struct text written, const char *name)
{
	size_t i;

	for (i = 0; i < written.n && name[i] && !is_last_underscore(name + i); i++) {
		char want = name[i] == '_' ? '-' : name[i];

		if (written.p[i] != want)
			return false;
	}
	return i == written.n && (!name[i] || is_last_underscore(name + i));
}

char *settings_name(const char *name, char dst[SETTING_NAME_MAX])
{
	size_t i;

	for (i = 0; i < SETTING_NAME_MAX - 1 && name[i] && !is_last_underscore(name + i); i++)
		dst[i] = (char)(name[i] == '_' ? '-' : name[i]);
	dst[i] = '\0';
	return dst;
}

const struct group_row *settings_find_section(struct text written)
{
	for (size_t i = 1; i < settings_group_count; i++) {
		const struct group_row *g = &settings_groups[i];

		if (g->kind != KIND_CHECK && settings_name_is(written, g->name))
			return g;
	}
	return NULL;
}

const struct group_row *settings_find_check(struct text written)
{
	for (size_t i = 0; i < settings_group_count; i++) {
		const struct group_row *g = &settings_groups[i];

		if (g->kind == KIND_CHECK && settings_name_is(written, g->name))
			return g;
	}
	return NULL;
}

const struct setting_row *settings_find(const struct group_row *g, struct text written)
{
	for (size_t i = 0; i < g->count; i++) {
		if (settings_name_is(written, g->rows[i].name))
			return &g->rows[i];
	}
	return NULL;
}

/* The word of a range with that index, as in the table: "(a, b_c)". */
static struct text range_word(const char *range, size_t index)
{
	struct text rest = text_of(range + 1), word = {0};

	rest.n--; /* the closing parenthesis */
	for (size_t i = 0; i <= index; i++) {
		if (text_empty(rest))
			return (struct text){0};
		text_split(rest, ',', &word, &rest);
	}
	return text_trim(word);
}

size_t setting_word_count(const struct setting_row *row)
{
	size_t n = 0;

	while (range_word(row->range, n).n > 0)
		n++;
	return n;
}

char *setting_word(const struct setting_row *row, size_t index, char dst[SETTING_NAME_MAX])
{
	char raw[SETTING_NAME_MAX];

	text_cstr(range_word(row->range, index), raw, sizeof(raw));
	return settings_name(raw, dst);
}

void setting_bounds(const struct setting_row *row, uint64_t *min, uint64_t *max)
{
	if (!text_u64(range_word(row->range, 0), min) || !text_u64(range_word(row->range, 1), max))
		abort(); /* the table is wrong: test_settings.c walks all of it */
}
