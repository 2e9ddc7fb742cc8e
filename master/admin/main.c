/* gatepost: the command line of the admin tool. */
#include "master/admin/tool.h"
#include "master/version.h"
#include "policy/suggest.h"
#include "shm/base/clock.h"
#include "shm/base/privileges.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const struct command *const tables[] = {
    ban_commands,
    NULL,
};

enum {
	OPTION_EXPIRES = 256,
	OPTION_REASON,
	OPTION_FORCE,
	OPTION_AT_CONNECT,
	OPTION_CHECK,
	OPTION_NEAR,
	OPTION_BY,
	OPTION_JSON
};

static const struct option long_options[] = {
    {"config", required_argument, NULL, 'c'},
    {"option", required_argument, NULL, 'o'},
    {"expires", required_argument, NULL, OPTION_EXPIRES},
    {"reason", required_argument, NULL, OPTION_REASON},
    {"force", no_argument, NULL, OPTION_FORCE},
    {"at-connect", no_argument, NULL, OPTION_AT_CONNECT},
    {"check", required_argument, NULL, OPTION_CHECK},
    {"near", required_argument, NULL, OPTION_NEAR},
    {"by", required_argument, NULL, OPTION_BY},
    {"json", no_argument, NULL, OPTION_JSON},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {0},
};

static const struct {
	unsigned flag;
	int option;
	const char *shown, *help;
} option_rows[] = {
    {TAKES_EXPIRES, OPTION_EXPIRES, "--expires TIME",
     "ends after 90s, 10m, 12h, 7d, 2w; default: never"},
    {TAKES_REASON, OPTION_REASON, "--reason TEXT", "kept with the entry, for colleagues"},
    {TAKES_FORCE, OPTION_FORCE, "--force", "do it although a guard advises against it"},
    {TAKES_AT_CONNECT, OPTION_AT_CONNECT, "--at-connect", "refuse in the greeting already (554)"},
    {TAKES_CHECK, OPTION_CHECK, "--check NAME", "only of this check"},
    {TAKES_NEAR, OPTION_NEAR, "--near PERCENT", "only those that use so much of their limit"},
};
#define OPTION_ROWS (sizeof(option_rows) / sizeof(option_rows[0]))

#define OVERRIDES_MAX 64

struct command_line {
	const char *config_path;
	const char *overrides[OVERRIDES_MAX + 1];
	size_t override_count;
	unsigned given; /* enum option_flag */
	bool help;
};

static void print_command(const struct command *c)
{
	printf("  gatepost %s%s%s%s%s\n      %s\n", c->group, *c->name ? " " : "", c->name,
	       *c->arguments ? " " : "", c->arguments, c->help);
	for (size_t i = 0; i < OPTION_ROWS; i++)
		if (c->options & option_rows[i].flag)
			printf("      %-16s %s\n", option_rows[i].shown, option_rows[i].help);
}

static int print_help(const char *group, const char *name)
{
	puts("usage: gatepost [-c FILE] [-o NAME=VALUE] [--json] COMMAND [ARGUMENTS]");
	for (const struct command *const *t = tables; *t; t++)
		for (const struct command *c = *t; c->group; c++)
			if (!group ||
			    (strcmp(c->group, group) == 0 && (!name || strcmp(c->name, name) == 0)))
				print_command(c);
	puts("Exit status: 0 done or yes, 1 no, 2 the command or the configuration is wrong, 3 no "
	     "store.");
	return EXIT_YES;
}

/* The command, and how many words its name takes. */
static const struct command *find_command(int argc, char **argv, int *words)
{
	struct suggestion near;
	char typed[128];
	snprintf(typed, sizeof(typed), "%s%s%s", argv[0], argc > 1 ? " " : "",
		 argc > 1 ? argv[1] : "");
	suggest_begin(&near, text_of(typed));
	for (const struct command *const *t = tables; *t; t++)
		for (const struct command *c = *t; c->group; c++) {
			char name[128];
			snprintf(name, sizeof(name), "%s%s%s", c->group, *c->name ? " " : "",
				 c->name);
			suggest_offer(&near, text_of(name));
			if (strcmp(c->group, argv[0]) != 0)
				continue;
			if (*c->name && (argc < 2 || strcmp(c->name, argv[1]) != 0))
				continue;
			*words = *c->name ? 2 : 1;
			return c;
		}
	if (near.best[0])
		tool_fail(EXIT_WRONG, "no command \"%s\"; nearest: %s.  All: gatepost --help",
			  typed, near.best);
	else
		tool_fail(EXIT_WRONG, "no command \"%s\".  All: gatepost --help", typed);
	return NULL;
}

static bool read_options(int argc, char **argv, struct tool *t, struct command_line *line)
{
	int option;
	while ((option = getopt_long(argc, argv, "c:o:hV", long_options, NULL)) != -1) {
		for (size_t i = 0; i < OPTION_ROWS; i++)
			if (option == option_rows[i].option)
				line->given |= option_rows[i].flag;
		switch (option) {
		case 'c':
			line->config_path = optarg;
			break;
		case 'o':
			if (line->override_count < OVERRIDES_MAX)
				line->overrides[line->override_count++] = optarg;
			break;
		case OPTION_EXPIRES:
			t->options.expires = optarg;
			break;
		case OPTION_REASON:
			t->options.reason = optarg;
			break;
		case OPTION_FORCE:
			t->options.force = true;
			break;
		case OPTION_AT_CONNECT:
			t->options.at_connect = true;
			break;
		case OPTION_CHECK:
			t->options.check = optarg;
			break;
		case OPTION_NEAR:
			t->options.near = optarg;
			break;
		case OPTION_BY:
			t->options.by = optarg;
			break;
		case OPTION_JSON:
			t->options.json = true;
			break;
		case 'h':
			line->help = true;
			break;
		case 'V':
			puts("gatepost " GATEPOST_VERSION);
			exit(EXIT_YES);
		default:
			return false;
		}
	}
	return true;
}

static bool options_fit(const struct command *c, unsigned given)
{
	for (size_t i = 0; i < OPTION_ROWS; i++)
		if (given & option_rows[i].flag & ~c->options) {
			tool_fail(EXIT_WRONG, "%s %s takes no %.*s", c->group, c->name,
				  (int)strcspn(option_rows[i].shown, " "), option_rows[i].shown);
			return false;
		}
	return true;
}

/* state-dir as the current folder, and the user that owns it, as the daemon's children do. */
static int enter_state_dir(const struct tool *t)
{
	char path[512], message[128];
	struct buf err = buf_over(message, sizeof(message));
	text_cstr(t->config->global.state_dir, path, sizeof(path));
	if (chdir(path) != 0)
		return tool_fail(EXIT_STORE,
				 "cannot enter state-dir %s: %m; has gatepostd ever been started?",
				 path);
	if (!privileges_become(t->config->global.user, &err))
		return tool_fail(EXIT_STORE, "%s", message);
	return EXIT_YES;
}

int main(int argc, char **argv)
{
	static struct tool tool;
	static struct command_line line = {.config_path =
					       GATEPOST_SYSCONF "/gatepost/gatepost.conf"};
	int words = 0;

	if (!read_options(argc, argv, &tool, &line))
		return EXIT_WRONG;
	argc -= optind;
	argv += optind;
	if (line.help || argc == 0) {
		print_help(argc > 0 ? argv[0] : NULL, argc > 1 ? argv[1] : NULL);
		return line.help ? EXIT_YES : EXIT_WRONG;
	}
	const struct command *command = find_command(argc, argv, &words);
	if (!command || !options_fit(command, line.given))
		return EXIT_WRONG;
	argc -= words;
	argv += words;
	if (argc < command->min || argc > command->max)
		return tool_fail(EXIT_WRONG, "usage: gatepost %s%s%s %s", command->group,
				 *command->name ? " " : "", command->name, command->arguments);
	tool.config = config_load(line.config_path, line.overrides, stderr, NULL);
	if (!tool.config)
		return EXIT_WRONG;
	tool.now_wall_us = clock_wall_us();
	int status = enter_state_dir(&tool);
	if (status == EXIT_YES)
		status = command->run(&tool, argc, argv);
	if (tool.lists_open)
		store_close(&tool.lists);
	if (tool.events_open)
		store_close(&tool.events);
	if (tool.attached)
		segment_detach(&tool.segment);
	config_free(tool.config);
	return fflush(stdout) == 0 ? status : EXIT_NO;
}
