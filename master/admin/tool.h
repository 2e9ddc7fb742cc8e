/* The `gatepost` tool: what its commands share.
 *
 * It works on LMDB directly, so it does its work whether the daemon runs or not.  Exit status: 0
 * done or yes, 1 no (not listed, not refused, not found, something is wrong), 2 the command or the
 * configuration is wrong, 3 the store can't be opened. */
#ifndef MASTER_ADMIN_TOOL_H
#define MASTER_ADMIN_TOOL_H

#include "policy/config.h"
#include "shm/lists.h"
#include "shm/segment.h"

#include <stdio.h>

enum exit_status { EXIT_YES = 0, EXIT_NO = 1, EXIT_WRONG = 2, EXIT_STORE = 3 };

/* The options that commands take; each command says which. */
struct options {
	const char *config, *by; /* every command */
	bool json;
	const char *expires, *reason, *check, *near, *spare, *sender;
	bool force, at_connect;
};

enum option_flag {
	TAKES_EXPIRES = 1,
	TAKES_REASON = 2,
	TAKES_FORCE = 4,
	TAKES_AT_CONNECT = 8,
	TAKES_CHECK = 16,
	TAKES_NEAR = 32,
	TAKES_SPARE = 64,
	TAKES_SENDER = 128,
};

struct tool {
	struct config *config;
	struct options options;
	struct store lists, events, users;
	bool lists_open, events_open, users_open;
	struct segment segment;
	bool attached; /* to the running daemon's segment */
	int64_t now_wall_us;
	FILE *input; /* of a command that reads a FILE, and what it is called */
	const char *input_name;
};

struct command {
	const char *group; /* "ban" */
	const char *name;  /* "add"; "" where the group is the command */
	const char *arguments;
	int min, max;     /* how many arguments */
	unsigned options; /* enum option_flag */
	int (*run)(struct tool *t, int argc, char **argv);
	const char *help;
	int file; /* which argument is a file to read ("-": stdin), from 1; 0: none */
};

/* All commands: one after the other, the last without a group. */
extern const struct command ban_commands[];
extern const struct command exempt_commands[];
extern const struct command signature_commands[];
extern const struct command extension_commands[];
extern const struct command recipient_commands[];
extern const struct command user_commands[];
extern const struct command verified_commands[];
extern const struct command explain_commands[];
extern const struct command limits_commands[];
extern const struct command blocks_commands[];
extern const struct command status_commands[];
extern const struct command *const command_tables[]; /* of all of them; ended by NULL */

/* "gatepost: ..." on stderr, in a form that no terminal obeys; returns status, so that commands can
 * say `return tool_fail(...)`. */
int tool_fail(enum exit_status status, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* While the lines of a file are read: what tool_fail says begins with "NAME:LINE: ", or is not said
 * at all.  NULL: no more. */
void tool_at(const char *name, unsigned long line, bool quiet);

/* Opens what a command needs, once.  False: said on stderr, the command returns EXIT_STORE. */
bool tool_open_lists(struct tool *t);
bool tool_open_events(struct tool *t);
bool tool_open_users(struct tool *t);
/* The running daemon's shared memory, read-only; false (silently, unless it is one of another
 * version): no daemon runs. */
bool tool_attach(struct tool *t);

/* With a running daemon: waits until the keeper has written what happened before now, 2 s at most.
 * False: it didn't, and what the events say may be behind. */
bool tool_wait_keeper(struct tool *t);
/* The key of the counters' tags.  False: said on stderr. */
bool tool_hash_key(struct tool *t, struct siphash_key *key);
/* Has the keeper forget these keys of the counter table, and waits until it did; where no daemon
 * runs, the next one's does it at its start.  EXIT_YES; else said on stderr. */
int tool_forget(struct tool *t, const uint64_t *tags, size_t n, const char *note);

/* Who is at the keyboard: --by, SUDO_USER, or the login name. */
const char *tool_user(const struct tool *t);

/* Fills in e's kind and key from what a person typed: "203.0.113.0/24", "example.org",
 * "ann@example.org", "@example.org", or with a kind before it ("host:.example.org", "login:ann").
 * The kind before says what the key is.  False: said on stderr. */
bool tool_parse_key(const char *typed, struct list_entry *e);
/* Expiry, reason, author and times from the options.  False: said on stderr. */
bool tool_fill_entry(const struct tool *t, struct list_entry *e);
/* "7d" of --`option` as a moment from now on.  False: said on stderr. */
bool tool_parse_expiry(const struct tool *t, const char *option, const char *value,
		       int64_t *expires_wall_us);

/* A check's name as the table has it, or "*" if `star` and that was typed.  NULL: said, with the
 * nearest. */
const char *tool_find_check(const char *typed, bool star);

/* " until 2026-06-08 09:14 CEST by admin: phishing run", or ", no expiry, by ...". */
void tool_print_facts(const struct list_entry *e);
/* An address alone where it is one, else the network; a host, login or recipient with its kind. */
char *tool_key_shown(const struct list_entry *e, char dst[LIST_KEY_MAX + 16]);
/* "203.0.113.5/32" as "203.0.113.5"; what is no network as it is. */
void tool_client_shown(struct text key, char *dst, size_t size);

#endif
