/* Reading options, with the nearest name for one that isn't known. */
#include "master/admin/options.h"

#include "policy/suggest.h"

#include <getopt.h>
#include <stddef.h>

/* What getopt_long returns for row 0; beyond all letters. */
#define FIRST 256

static const struct option_row {
	const char *name;
	const char *argument; /* NULL: none, and the field is a bool */
	unsigned flag;        /* enum option_flag; 0: every command takes it */
	size_t field;         /* in struct options */
	const char *help;
} rows[] = {
    {"expires", "TIME", TAKES_EXPIRES, offsetof(struct options, expires),
     "ends after 90s, 10m, 12h, 7d, 2w; default: never"},
    {"reason", "TEXT", TAKES_REASON, offsetof(struct options, reason),
     "kept with the entry, for colleagues"},
    {"force", NULL, TAKES_FORCE, offsetof(struct options, force),
     "do it although a guard advises against it"},
    {"at-connect", NULL, TAKES_AT_CONNECT, offsetof(struct options, at_connect),
     "refuse in the greeting already (554)"},
    {"check", "NAME", TAKES_CHECK, offsetof(struct options, check), "only of this check"},
    {"near", "PERCENT", TAKES_NEAR, offsetof(struct options, near),
     "only those that use so much of their limit"},
    {"spare", "TIME", TAKES_SPARE, offsetof(struct options, spare),
     "exempt from the check for so long"},
    {"sender", "ADDRESS,...", TAKES_SENDER, offsetof(struct options, sender),
     "what the user may send from besides the login itself; @DOMAIN: all of a domain"},
    {"config", "FILE", 0, offsetof(struct options, config),
     "-c FILE; default: " GATEPOST_SYSCONF "/gatepost/gatepost.conf"},
    {"by", "NAME", 0, offsetof(struct options, by),
     "who is at the keyboard; default: SUDO_USER or LOGNAME"},
    {"json", NULL, 0, offsetof(struct options, json), "the same facts as JSON on stdout"},
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

static const char letters[] = ":c:o:hV";

static void make_long(struct option all[ROWS + 4])
{
	size_t n = 0;

	for (; n < ROWS; n++)
		all[n] = (struct option){rows[n].name,
					 rows[n].argument ? required_argument : no_argument, NULL,
					 FIRST + (int)n};
	all[n++] = (struct option){"option", required_argument, NULL, 'o'};
	all[n++] = (struct option){"help", no_argument, NULL, 'h'};
	all[n++] = (struct option){"version", no_argument, NULL, 'V'};
	all[n] = (struct option){0};
}

static void set(struct command_line *line, const struct option_row *row)
{
	char *field = (char *)&line->options + row->field;

	line->given |= row->flag;
	if (row->argument)
		*(const char **)(void *)field = optarg;
	else
		*(bool *)(void *)field = true;
}

static bool unknown(const char *typed)
{
	struct suggestion near;
	struct option all[ROWS + 4];
	struct text name = text_of(typed + strspn(typed, "-")), head, tail;

	text_split(name, '=', &head, &tail);
	suggest_begin(&near, head);
	make_long(all);
	for (const struct option *o = all; o->name; o++)
		suggest_offer(&near, text_of(o->name));
	tool_fail(EXIT_WRONG, "no option \"%s\"%s%s.  All: gatepost --help", typed,
		  near.best[0] ? "; nearest: --" : "", near.best);
	return false;
}

static bool override(struct command_line *line)
{
	size_t n = 0;

	while (line->overrides[n])
		n++;
	if (n == OVERRIDES_MAX) {
		tool_fail(EXIT_WRONG, "more than %d options by -o", OVERRIDES_MAX);
		return false;
	}
	line->overrides[n] = optarg;
	return true;
}

bool options_read(int argc, char **argv, struct command_line *line)
{
	struct option all[ROWS + 4];
	int option;

	make_long(all);
	opterr = 0;
	while ((option = getopt_long(argc, argv, letters, all, NULL)) != -1) {
		if (option >= FIRST)
			set(line, &rows[option - FIRST]);
		else if (option == 'c')
			line->options.config = optarg;
		else if (option == 'o' && !override(line))
			return false;
		else if (option == 'h')
			line->help = true;
		else if (option == 'V')
			line->version = true;
		else if (option == '?')
			return unknown(argv[optind - 1]);
		else if (option == ':') {
			tool_fail(EXIT_WRONG, "%s wants a value", argv[optind - 1]);
			return false;
		}
	}
	return true;
}

bool options_fit(const struct command *c, unsigned given)
{
	for (size_t i = 0; i < ROWS; i++) {
		if (given & rows[i].flag & ~c->options) {
			tool_fail(EXIT_WRONG, "%s%s%s takes no --%s", c->group, *c->name ? " " : "",
				  c->name, rows[i].name);
			return false;
		}
	}
	return true;
}

void options_each(const struct command *c,
		  void (*fn)(const char *name, const char *argument, const char *help, void *arg),
		  void *arg)
{
	for (size_t i = 0; i < ROWS; i++) {
		if (c ? c->options & rows[i].flag : rows[i].flag == 0)
			fn(rows[i].name, rows[i].argument, rows[i].help, arg);
	}
}

static void print_option(const char *name, const char *argument, const char *help, void *arg)
{
	const char *indent = arg;
	int n = printf("%s--%s%s%s", indent, name, argument ? " " : "", argument ? argument : "");

	printf("%*s%s\n", n < 24 ? 24 - n : 1, "", help);
}

void options_print(const struct command *c)
{
	options_each(c, print_option, c ? "      " : "  ");
}
