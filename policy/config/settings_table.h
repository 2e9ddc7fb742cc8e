/* The table of all options as data: what settings.def and checks.def say, for those who walk it
 * (the parser of the configuration, gatepostd -T, the makers of manuals).  A check that wants its
 * options uses the structs of policy/settings.h. */
#ifndef POLICY_SETTINGS_TABLE_H
#define POLICY_SETTINGS_TABLE_H

#include "policy/settings.h"

enum setting_type {
	TYPE_BOOL,
	TYPE_INT,
	TYPE_SIZE,
	TYPE_DURATION,
	TYPE_RATE,
	TYPE_RATES,
	TYPE_STRING,
	TYPE_STRINGS,
	TYPE_CHOICE,
	TYPE_NETS,
	TYPE_FILE,
};

enum group_kind { KIND_ONE, KIND_MANY, KIND_CHECK };

struct setting_row {
	const char *name; /* as in settings.def, with underscores */
	enum setting_type type;
	const char *def;   /* as written in a file; lists: separated by commas */
	const char *range; /* "(0, 64)", "(word, word)", "()" */
	const char *help;
	size_t offset; /* of the field in the group's struct */
};

struct group_row {
	const char *name; /* with underscores; "global" is the file itself */
	enum group_kind kind;
	const struct setting_row *rows; /* a check's first one is `mode` */
	size_t count, size;             /* rows; bytes of the group's struct */
	const char *help;
	const char *phase, *who; /* of a check, as checks.def has them; else NULL */
	size_t offset;           /* of the group in struct settings */
};

extern const struct group_row settings_groups[];
extern const size_t settings_group_count;

/* True for the lists: "{ a, b }" in a file. */
bool setting_is_list(enum setting_type type);

/* Every group's struct starts alike: where it was written, and where each option was. */
int *settings_group_line(void *group);
const int **settings_group_lines(void *group);

/* Is `written` (with dashes) the name of the table (with underscores)?  A final underscore doesn't
 * count: it tells the section `dnsbl` (dnsbl_) from the check of that name. */
bool settings_name_is(struct text written, const char *name);
/* With dashes, as in a file; returns dst. */
#define SETTING_NAME_MAX 64
char *settings_name(const char *name, char dst[SETTING_NAME_MAX]);

/* By the name as written; NULL if there is none.  Sections are groups of kind ONE and MANY but the
 * file itself; checks are those of kind CHECK. */
const struct group_row *settings_find_section(struct text written);
const struct group_row *settings_find_check(struct text written);
const struct setting_row *settings_find(const struct group_row *g, struct text written);

/* A CHOICE's words and a number's bounds, from `range`. */
size_t setting_word_count(const struct setting_row *row);
/* The word with that index, with dashes; returns dst, empty beyond the last. */
char *setting_word(const struct setting_row *row, size_t index, char dst[SETTING_NAME_MAX]);
void setting_bounds(const struct setting_row *row, uint64_t *min, uint64_t *max);

#endif
