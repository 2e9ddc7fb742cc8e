/* The options of the tool: one table, from which they are read, checked and explained. */
#ifndef MASTER_ADMIN_OPTIONS_H
#define MASTER_ADMIN_OPTIONS_H

#include "master/admin/tool.h"

#define OVERRIDES_MAX 64

struct command_line {
	struct options options;
	const char *overrides[OVERRIDES_MAX + 1];
	unsigned given; /* enum option_flag */
	bool help, version;
};

/* Options may stand before, after and between other words; the words are then argv[optind] and so
 * on.  False: said on stderr. */
bool options_read(int argc, char **argv, struct command_line *line);
/* Does the command take all that were given?  False: said. */
bool options_fit(const struct command *c, unsigned given);
/* Calls fn for each option that a command takes; NULL: those that all commands take. `argument` is
 * NULL if it has none. */
void options_each(const struct command *c,
		  void (*fn)(const char *name, const char *argument, const char *help, void *arg),
		  void *arg);
/* One line for each option that a command takes; NULL: those that all commands take. */
void options_print(const struct command *c);

#endif
