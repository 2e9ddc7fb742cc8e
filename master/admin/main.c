/* gatepost: the command line of the admin tool. */
#include "master/admin/options.h"
#include "master/admin/output.h"
#include "master/version.h"
#include "policy/suggest.h"
#include "shm/base/clock.h"
#include "shm/base/privileges.h"

#include <errno.h>
#include <getopt.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

/* "ban add" */
static char *full_name(const struct command *c, char dst[64])
{
	snprintf(dst, 64, "%s%s%s", c->group, *c->name ? " " : "", c->name);
	return dst;
}

/* ---- help ---- */

static void print_command(const struct command *c)
{
	char name[64];

	printf("  gatepost %s%s%s\n      %s\n", full_name(c, name), *c->arguments ? " " : "",
	       c->arguments, c->help);
	options_print(c);
}

static bool is_meant(const struct command *c, const char *group, const char *name)
{
	return !group || (strcmp(c->group, group) == 0 && (!name || strcmp(c->name, name) == 0));
}

/* Of one command, of all of a group, or of all. */
static int print_help(const char *group, const char *name)
{
	puts("usage: gatepost [-c FILE] [-o NAME=VALUE] [--json] COMMAND [ARGUMENTS]");
	for (const struct command *const *t = command_tables; *t; t++)
		for (const struct command *c = *t; c->group; c++)
			if (is_meant(c, group, name))
				print_command(c);
	puts("Every command takes:");
	options_print(NULL);
	puts("Exit status: 0 done or yes, 1 no, 2 the command or the configuration is wrong, 3 no "
	     "store.");
	return EXIT_YES;
}

/* ---- finding a command ---- */

static const struct command *find_exactly(const char *group, const char *name)
{
	for (const struct command *const *t = command_tables; *t; t++)
		for (const struct command *c = *t; c->group; c++)
			if (strcmp(c->group, group) == 0 && strcmp(c->name, name) == 0)
				return c;
	return NULL;
}

/* The names of a group's commands, "add, del, list". */
static bool group_names(const char *group, struct buf *out)
{
	for (const struct command *const *t = command_tables; *t; t++)
		for (const struct command *c = *t; c->group; c++)
			if (strcmp(c->group, group) == 0)
				buf_printf(out, "%s%s", out->n ? ", " : "", c->name);
	return out->n > 0;
}

static void say_unknown(int argc, char **argv)
{
	struct suggestion near;
	char typed[128], name[64], names[256];
	struct buf group = buf_over(names, sizeof(names));

	if (group_names(argv[0], &group) && argc == 1) {
		tool_fail(EXIT_WRONG, "%s what?  %s", argv[0], names);
		return;
	}
	snprintf(typed, sizeof(typed), "%s%s%s", argv[0], argc > 1 ? " " : "",
		 argc > 1 ? argv[1] : "");
	suggest_begin(&near, text_of(group.n ? typed : argv[0]));
	for (const struct command *const *t = command_tables; *t; t++)
		for (const struct command *c = *t; c->group; c++)
			if (group.n == 0)
				suggest_offer(&near, text_of(c->group));
			else if (strcmp(c->group, argv[0]) == 0)
				suggest_offer(&near, text_of(full_name(c, name)));
	tool_fail(EXIT_WRONG, "no command \"%s\"%s%s.  All: gatepost --help",
		  group.n ? typed : argv[0], near.best[0] ? "; nearest: " : "", near.best);
}

/* The command, and how many words its name takes. */
static const struct command *find_command(int argc, char **argv, int *words)
{
	const struct command *c = argc > 1 && *argv[1] ? find_exactly(argv[0], argv[1]) : NULL;

	*words = 2;
	if (!c) {
		c = find_exactly(argv[0], "");
		*words = 1;
	}
	if (!c)
		say_unknown(argc, argv);
	return c;
}

static bool known_topic(int argc, char **argv)
{
	char names[256];
	struct buf group = buf_over(names, sizeof(names));

	if (argc == 0 || (argc == 1 && group_names(argv[0], &group)) ||
	    (argc > 1 && find_exactly(argv[0], argv[1])) || find_exactly(argv[0], ""))
		return true;
	say_unknown(argc, argv);
	return false;
}

/* ---- running it ---- */

/* Before state-dir and its user are entered: the path is the caller's, and so is the right to read
 * the file. */
static int open_input(struct tool *t, const struct command *c, char **argv)
{
	if (c->file == 0)
		return EXIT_YES;
	t->input_name = argv[c->file - 1];
	t->input = strcmp(t->input_name, "-") == 0 ? stdin : fopen(t->input_name, "re");
	return t->input ? EXIT_YES : tool_fail(EXIT_WRONG, "cannot read %s: %m", t->input_name);
}

/* The user whom state-dir belongs to, whoever that is.  One that root made and nobody used yet is
 * given to the configured user, as gatepostd does at its start. */
static int become_owner(const struct tool *t, const char *path)
{
	char message[128];
	struct text user = t->config->global.user;
	struct buf err = buf_over(message, sizeof(message));
	struct stat sb;

	if (geteuid() != 0)
		return EXIT_YES;
	if (stat(".", &sb) != 0)
		return tool_fail(EXIT_STORE, "cannot look at state-dir %s: %m", path);
	const struct passwd *owner = sb.st_uid ? getpwuid(sb.st_uid) : NULL;
	char name[64];

	text_cstr(user, name, sizeof(name));
	const struct passwd *configured = owner ? NULL : getpwnam(name);

	if (owner)
		user = text_of(owner->pw_name);
	else if (configured && sb.st_nlink <= 2 &&
		 chown(".", configured->pw_uid, configured->pw_gid) != 0)
		return tool_fail(EXIT_STORE, "cannot give state-dir %s to %s: %m", path, name);
	return privileges_become(user, &err) ? EXIT_YES : tool_fail(EXIT_STORE, "%s", message);
}

static int enter_state_dir(const struct tool *t)
{
	char path[512];

	text_cstr(t->config->global.state_dir, path, sizeof(path));
	if (chdir(path) != 0)
		return tool_fail(EXIT_STORE, "cannot enter state-dir %s: %m%s", path,
				 errno == ENOENT ? "; has gatepostd ever been started?" : "");
	return become_owner(t, path);
}

static int run(struct tool *t, const struct command_line *line, const struct command *c, int argc,
	       char **argv)
{
	const char *path = t->options.config;

	t->config = config_load(path ? path : GATEPOST_SYSCONF "/gatepost/gatepost.conf",
				line->overrides, stderr, NULL);
	if (!t->config)
		return EXIT_WRONG;
	t->now_wall_us = clock_wall_us();
	int status = open_input(t, c, argv);

	if (status == EXIT_YES)
		status = enter_state_dir(t);
	if (status == EXIT_YES)
		status = c->run(t, argc, argv);
	if (t->input && t->input != stdin)
		fclose(t->input);
	if (t->lists_open)
		store_close(&t->lists);
	if (t->events_open)
		store_close(&t->events);
	if (t->users_open)
		store_close(&t->users);
	if (t->attached)
		segment_detach(&t->segment);
	config_free(t->config);
	return status;
}

int main(int argc, char **argv)
{
	static struct tool tool;
	static struct command_line line;
	char name[64];
	int words = 0;

	if (!options_read(argc, argv, &line))
		return EXIT_WRONG;
	argc -= optind;
	argv += optind;
	if (line.version) {
		puts("gatepost " GATEPOST_VERSION);
		return EXIT_YES;
	}
	if (line.help && !known_topic(argc, argv))
		return EXIT_WRONG;
	if (argc == 0 && !line.help) {
		fputs("usage: gatepost [-c FILE] [-o NAME=VALUE] [--json] COMMAND [ARGUMENTS]\n"
		      "All commands: gatepost --help, one: gatepost COMMAND --help\n",
		      stderr);
		return EXIT_WRONG;
	}
	if (line.help)
		return print_help(argc > 0 ? argv[0] : NULL,
				  argc > 1 && find_exactly(argv[0], argv[1]) ? argv[1] : NULL);
	const struct command *command = find_command(argc, argv, &words);

	if (!command || !options_fit(command, line.given))
		return EXIT_WRONG;
	argc -= words;
	argv += words;
	if (argc < command->min || argc > command->max)
		return tool_fail(EXIT_WRONG, "usage: gatepost %s %s", full_name(command, name),
				 command->arguments);
	tool.options = line.options;
	int status = run(&tool, &line, command, argc, argv);

	/* A pipe that was closed early, a full disk: what was to be said was not. */
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	return status == EXIT_YES ? EXIT_NO : status;
}
