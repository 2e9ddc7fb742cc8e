/* Writes what the manuals and README.md say of options, checks and replies, from the tables that
 * the code is made from, so that they can't differ.
 *
 * usage: gendoc FILE
 *
 * Copies FILE to stdout and fills in what stands between two markers, each on a line of its own:
 *
 *   in README.md                                 in a manual (mdoc)
 *   <!-- options: made by tools/gendoc -->       .\" options: made by tools/gendoc
 *   <!-- end -->                                 .\" end
 *
 * for `options`, `checks`, `replies` and `commands` (of the tool). */
#include "master/admin/options.h"
#include "policy/catalog.h"
#include "policy/config/settings_table.h"
#include "shm/base/clock.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* --- words */

static void put_bounds(const struct setting_row *row, char *dst, size_t size)
{
	uint64_t min, max;
	char a[24], b[24];

	setting_bounds(row, &min, &max);
	if (row->type == TYPE_SIZE)
		snprintf(dst, size, "a size, %s to %s", size_format(min, a), size_format(max, b));
	else if (row->type == TYPE_DURATION)
		snprintf(dst, size, "a time, %s to %s",
			 duration_format((int64_t)min * SECOND_US, a),
			 duration_format((int64_t)max * SECOND_US, b));
	else
		snprintf(dst, size, "a number, %" PRIu64 " to %" PRIu64, min, max);
}

static void put_words(const struct setting_row *row, char *dst, size_t size)
{
	struct buf out = buf_over(dst, size);
	size_t n = setting_word_count(row);
	char word[SETTING_NAME_MAX];

	for (size_t i = 0; i < n; i++)
		buf_printf(&out, "%s%s",
			   i == 0       ? ""
			   : i + 1 == n ? " or "
					: ", ",
			   setting_word(row, i, word));
}

/* What may be written: "a number, 0 to 64". */
static const char *value_words(const struct setting_row *row)
{
	static char text[256];

	switch (row->type) {
	case TYPE_BOOL:
		return "true or false";
	case TYPE_INT:
	case TYPE_SIZE:
	case TYPE_DURATION:
		put_bounds(row, text, sizeof(text));
		return text;
	case TYPE_CHOICE:
		put_words(row, text, sizeof(text));
		return text;
	case TYPE_RATE:
		return "a rate";
	case TYPE_RATES:
		return "a list of rates";
	case TYPE_STRING:
		return "a text";
	case TYPE_STRINGS:
		return "a list of texts";
	case TYPE_NETS:
		return "a list of networks";
	case TYPE_FILE:
		return "the path of a file";
	}
	return "";
}

static const char *who_words(const char *who)
{
	if (strcmp(who, "STRANGER") == 0)
		return "strangers";
	if (strcmp(who, "SENDER") == 0)
		return "all senders";
	if (strcmp(who, "ALL") == 0)
		return "everybody";
	return "everybody, always";
}

static const char *phase_words(const char *phase)
{
	static const struct {
		const char *phase, *words;
	} all[] = {{"CONNECT", "connect"},     {"HELO", "HELO"}, {"MAIL", "MAIL"},
		   {"ENVELOPE", "first RCPT"}, {"RCPT", "RCPT"}, {"DATA", "DATA"},
		   {"MESSAGE", "end of data"}};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (strcmp(phase, all[i].phase) == 0)
			return all[i].words;
	}
	return phase;
}

/* How a section of that group begins. */
static const char *section_words(const struct group_row *g)
{
	static char text[SETTING_NAME_MAX + 16];
	char name[SETTING_NAME_MAX];

	settings_name(g->name, name);
	if (g->kind == KIND_CHECK)
		snprintf(text, sizeof(text), "check \"%s\"", name);
	else if (g->kind == KIND_MANY)
		snprintf(text, sizeof(text), "%s \"name\"", name);
	else
		snprintf(text, sizeof(text), "%s", g == settings_groups ? "" : name);
	return text;
}

/* --- Markdown */

static void put_cell(const char *text, bool code)
{
	if (!*text) {
		fputs(" |", stdout);
		return;
	}
	fputs(code ? " `" : " ", stdout);
	for (; *text; text++) {
		if (*text == '|')
			putchar('\\');
		if (*text == '<' && !code)
			fputs("&lt;", stdout);
		else
			putchar(*text);
	}
	fputs(code ? "` |" : " |", stdout);
}

static void markdown_options(void)
{
	char name[SETTING_NAME_MAX];

	puts("| section | option | default | value | what it does |\n|---|---|---|---|---|");
	for (size_t i = 0; i < settings_group_count; i++) {
		const struct group_row *g = &settings_groups[i];

		/* `mode` of each check stands in the table of checks */
		for (size_t k = g->kind == KIND_CHECK; k < g->count; k++) {
			fputs("|", stdout);
			put_cell(section_words(g), true);
			put_cell(settings_name(g->rows[k].name, name), true);
			put_cell(g->rows[k].def, true);
			put_cell(value_words(&g->rows[k]), false);
			put_cell(g->rows[k].help, false);
			putchar('\n');
		}
	}
}

static void markdown_checks(void)
{
	char name[SETTING_NAME_MAX];

	puts("| check | its facts stand at | default mode | who is judged | what it looks at |\n"
	     "|---|---|---|---|---|");
	for (size_t i = 0; i < settings_group_count; i++) {
		const struct group_row *g = &settings_groups[i];

		if (g->kind != KIND_CHECK)
			continue;
		fputs("|", stdout);
		put_cell(settings_name(g->name, name), true);
		put_cell(phase_words(g->phase), false);
		put_cell(g->rows[0].def, false);
		put_cell(who_words(g->who), false);
		put_cell(g->help, false);
		putchar('\n');
	}
}

static void markdown_replies(void)
{
	puts("| code | text | what it means | what to do |\n|---|---|---|---|");
	for (int i = 0; i < REPLY_COUNT; i++) {
		const struct catalog_row *r = catalog_row((enum reply_id)i);
		char code[32];

		snprintf(code, sizeof(code), "%d%s%s", r->code, r->enhanced[0] ? " " : "",
			 r->enhanced);
		fputs("|", stdout);
		put_cell(code, false);
		put_cell(r->text, true);
		put_cell(r->meaning, false);
		put_cell(r->remedy, false);
		putchar('\n');
	}
}

/* --- mdoc */

/* Text that begins a line or follows other text. */
static void put_mdoc(const char *text, bool begins)
{
	if (begins && (*text == '.' || *text == '\''))
		fputs("\\&", stdout);
	for (; *text; text++) {
		if (*text == '\\')
			fputs("\\e", stdout);
		else
			putchar(*text);
	}
}

/* An argument of a macro. */
static void put_argument(const char *text)
{
	putchar('"');
	for (; *text; text++) {
		if (*text == '\\')
			fputs("\\e", stdout);
		else if (*text == '"')
			fputs("\"\"", stdout);
		else
			putchar(*text);
	}
	putchar('"');
}

static void mdoc_option(const struct setting_row *row)
{
	char name[SETTING_NAME_MAX];

	printf(".It Ic %s\n", settings_name(row->name, name));
	put_mdoc(row->help, true);
	printf(".\nTakes %s; default: ", value_words(row));
	if (row->def[0]) {
		fputs("\n.Ql ", stdout);
		put_argument(row->def);
		puts(" .");
	} else {
		puts(setting_is_list(row->type) ? "none." : "empty.");
	}
}

static void mdoc_options(void)
{
	for (size_t i = 0; i < settings_group_count; i++) {
		const struct group_row *g = &settings_groups[i];

		if (g->kind == KIND_CHECK && g->count == 1)
			continue; /* `mode` alone: in the list of checks */
		if (i == 0) {
			puts(".Ss Options of the file itself");
		} else {
			fputs(".Ss ", stdout);
			put_mdoc(section_words(g), false);
			putchar('\n');
			put_mdoc(g->help, true);
			puts(".");
		}
		puts(".Bl -tag -width Ds");
		for (size_t k = g->kind == KIND_CHECK; k < g->count; k++)
			mdoc_option(&g->rows[k]);
		puts(".El");
	}
}

static void mdoc_checks(void)
{
	char name[SETTING_NAME_MAX];

	puts(".Bl -tag -width Ds");
	for (size_t i = 0; i < settings_group_count; i++) {
		const struct group_row *g = &settings_groups[i];

		if (g->kind != KIND_CHECK)
			continue;
		printf(".It Ic %s\n", settings_name(g->name, name));
		put_mdoc(g->help, true);
		printf(".\nIts facts stand at %s; it judges %s; default mode:\n.Cm %s .\n",
		       phase_words(g->phase), who_words(g->who), g->rows[0].def);
	}
	puts(".El");
}

static void mdoc_replies(void)
{
	puts(".Bl -tag -width Ds");
	for (int i = 0; i < REPLY_COUNT; i++) {
		const struct catalog_row *r = catalog_row((enum reply_id)i);

		printf(".It Li %d%s%s %s", r->code, r->enhanced[0] ? " " : "", r->enhanced, "");
		put_argument(r->text);
		putchar('\n');
		put_mdoc(r->meaning, true);
		putchar('\n');
		put_mdoc(r->remedy, true);
		putchar('\n');
	}
	puts(".El");
}

/* --- the tool's commands */

static void markdown_commands(void)
{
	puts("| command | what it does |\n|---|---|");
	for (const struct command *const *t = command_tables; *t; t++) {
		for (const struct command *c = *t; c->group; c++) {
			char usage[256];

			snprintf(usage, sizeof(usage), "gatepost %s%s%s%s%s", c->group,
				 *c->name ? " " : "", c->name, *c->arguments ? " " : "",
				 c->arguments);
			fputs("|", stdout);
			put_cell(usage, true);
			put_cell(c->help, false);
			putchar('\n');
		}
	}
}

/* "Lift a ban." */
static void put_sentence(const char *text)
{
	printf("%c", toupper((unsigned char)*text));
	put_mdoc(text + 1, false);
	puts(".");
}

static void mdoc_flag(const char *name, const char *argument, const char *help, void *arg)
{
	(void)arg;
	printf(".It Fl Fl %s", name);
	if (argument)
		printf(" Ar %s", argument);
	putchar('\n');
	put_sentence(help);
}

static void mdoc_command(const struct command *c)
{
	printf(".It Ic %s%s%s%s", c->group, *c->name ? " " : "", c->name,
	       *c->arguments ? " Ar " : "");
	put_mdoc(c->arguments, false);
	putchar('\n');
	put_sentence(c->help);
	if (c->options == 0)
		return;
	puts(".Bl -tag -width Ds -compact");
	options_each(c, mdoc_flag, NULL);
	puts(".El");
}

static void mdoc_commands(void)
{
	puts(".Bl -tag -width Ds");
	for (const struct command *const *t = command_tables; *t; t++) {
		for (const struct command *c = *t; c->group; c++)
			mdoc_command(c);
	}
	puts(".El\n.Pp\nEvery command takes:\n.Bl -tag -width Ds");
	options_each(NULL, mdoc_flag, NULL);
	puts(".El");
}

/* --- markers */

static const struct {
	const char *name;
	void (*markdown)(void);
	void (*mdoc)(void);
} parts[] = {
    {"options", markdown_options, mdoc_options},
    {"checks", markdown_checks, mdoc_checks},
    {"replies", markdown_replies, mdoc_replies},
    {"commands", markdown_commands, mdoc_commands},
};

/* Writes the part that the line names; false: it names none. */
static bool put_part(const char *line)
{
	char marker[128];

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		snprintf(marker, sizeof(marker), "<!-- %s: made by tools/gendoc -->\n",
			 parts[i].name);
		if (strcmp(line, marker) == 0) {
			parts[i].markdown();
			return true;
		}
		snprintf(marker, sizeof(marker), ".\\\" %s: made by tools/gendoc\n", parts[i].name);
		if (strcmp(line, marker) == 0) {
			parts[i].mdoc();
			return true;
		}
	}
	return false;
}

static bool is_end(const char *line)
{
	return strcmp(line, "<!-- end -->\n") == 0 || strcmp(line, ".\\\" end\n") == 0;
}

int main(int argc, char **argv)
{
	FILE *in = argc == 2 ? fopen(argv[1], "r") : NULL;
	bool inside = false;
	char *line = NULL;
	size_t room = 0;

	if (!in) {
		fprintf(stderr, "gendoc: %s\n", argc == 2 ? strerror(errno) : "usage: gendoc FILE");
		return 2;
	}
	while (getline(&line, &room, in) > 0) {
		if (is_end(line))
			inside = false;
		if (inside)
			continue;
		fputs(line, stdout);
		inside = put_part(line);
	}
	free(line);
	fclose(in);
	if (inside) {
		fprintf(stderr, "gendoc: %s: a part has no end\n", argv[1]);
		return 1;
	}
	return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}
