/* The `gatepost` tool: what its commands share.
 *
 * It works on LMDB directly, so it does its work whether the daemon runs or not.  Exit status: 0
 * done or yes, 1 no (not listed, would be refused, something is wrong), 2 the command or the
 * configuration is wrong, 3 the store can't be opened. */
#ifndef MASTER_ADMIN_TOOL_H
#define MASTER_ADMIN_TOOL_H

#include "policy/config.h"
#include "shm/lists.h"
#include "shm/segment.h"

enum exit_status { EXIT_YES = 0, EXIT_NO = 1, EXIT_WRONG = 2, EXIT_STORE = 3 };

/* The options that commands take; each command says which. */
struct options {
	const char *expires, *reason, *check, *near, *by;
	bool force, at_connect, json;
};

enum option_flag {
	TAKES_EXPIRES = 1,
	TAKES_REASON = 2,
	TAKES_FORCE = 4,
	TAKES_AT_CONNECT = 8,
	TAKES_CHECK = 16,
	TAKES_NEAR = 32,
};

struct tool {
	struct config *config;
	struct options options;
	struct store lists, events;
	bool lists_open, events_open;
	struct segment segment;
	bool attached; /* to the running daemon's segment */
	int64_t now_wall_us;
};

struct command {
	const char *group; /* "ban" */
	const char *name;  /* "add"; "" where the group is the command */
	const char *arguments;
	int min, max;     /* how many arguments */
	unsigned options; /* enum option_flag */
	int (*run)(struct tool *t, int argc, char **argv);
	const char *help;
};

/* The tables of commands, one a file. */
extern const struct command ban_commands[];
extern const struct command exempt_commands[];
extern const struct command recipient_commands[];
extern const struct command status_commands[];

/* "gatepost: ..." on stderr; returns status, so that commands can say `return tool_fail(...)`. */
int tool_fail(enum exit_status status, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Opens what a command needs, once.  False: said on stderr, the command returns EXIT_STORE. */
bool tool_open_lists(struct tool *t, enum store_access access);
bool tool_open_events(struct tool *t, enum store_access access);
/* The running daemon's shared memory, read-only; false (silently): no daemon runs. */
bool tool_attach(struct tool *t);

/* Who is at the keyboard: --by, SUDO_USER, or the login name. */
const char *tool_user(const struct tool *t);

/* Fills in e's kind and key from what a person typed: "203.0.113.0/24", "example.org",
 * "ann@example.org", "@example.org", or with a kind before it ("host:.example.org", "login:ann").
 * The kind before says what the key is.  False: said on stderr. */
bool tool_parse_key(const char *typed, struct list_entry *e);
/* Expiry, reason, author and times from the options.  False: said on stderr. */
bool tool_fill_entry(const struct tool *t, struct list_entry *e);

#endif
