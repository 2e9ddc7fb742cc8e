/* gatepost extension: which files are refused, beside the list of the configuration.
 *
 * An entry is a ban or an exemption from the check attachment of the kind LIST_EXTENSION; of one
 * extension and domain there is one of the two. */
#include "master/admin/each.h"
#include "policy/extensions.h"
#include "shm/journal.h"

#define CHECK "attachment"

static bool parse(const char *typed, struct list_entry *e)
{
	char message[512];
	struct buf err = buf_over(message, sizeof(message));

	e->kind = LIST_EXTENSION;
	if (list_key_normalize(e->kind, text_of(typed), e->key, &err))
		return true;
	tool_fail(EXIT_WRONG, "%s", message);
	return false;
}

/* "exe" or "exe in mail to example.net" */
static void print_what(const struct list_entry *e)
{
	struct text extension, domain;

	if (text_split(text_of(e->key), '@', &extension, &domain))
		printf("%.*s in mail to %.*s", TEXT(extension), TEXT(domain));
	else
		printf("%s", e->key);
}

/* Puts one and takes the other away. */
static int put(struct tool *t, const struct list_entry *e, bool refuse)
{
	int rc = refuse ? bans_put(&t->lists, e) : exemptions_put(&t->lists, CHECK, e);

	if (rc != 0)
		return rc;
	rc = refuse ? exemptions_del(&t->lists, CHECK, e->kind, e->key)
		    : bans_del(&t->lists, e->kind, e->key);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

static int change_one(struct each *each, const char *typed)
{
	struct tool *t = each->tool;
	const bool *refuse = each->arg;
	const char *says = *refuse ? "refused" : "allowed";
	struct list_entry e = {0};
	char expires[40];

	if (!parse(typed, &e) || !tool_fill_entry(t, &e))
		return EXIT_WRONG;
	if (!tool_open_lists(t))
		return EXIT_STORE;
	const int rc = put(t, &e, *refuse);

	if (rc != 0)
		return tool_fail(EXIT_STORE, "cannot add %s: %s", e.key, store_error(rc));
	if (t->options.json) {
		table_row(&each->rows, e.key, says, when(true, e.expires_wall_us, expires), e.by,
			  e.reason);
		return EXIT_YES;
	}
	printf("%s: ", says);
	print_what(&e);
	tool_print_facts(&e);
	putchar('\n');
	return EXIT_YES;
}

static int change(struct tool *t, int argc, char **argv, bool refuse)
{
	return each_argument(t, argc, argv, "EXTENSION SAYS EXPIRES BY REASON", 0, change_one,
			     &refuse);
}

static int extension_add(struct tool *t, int argc, char **argv)
{
	return change(t, argc, argv, true);
}

static int extension_allow(struct tool *t, int argc, char **argv)
{
	return change(t, argc, argv, false);
}

/* Whichever of the two it is. */
static int take_away(struct tool *t, const struct list_entry *e)
{
	const int ban = bans_del(&t->lists, e->kind, e->key);
	const int exemption = exemptions_del(&t->lists, CHECK, e->kind, e->key);

	if (ban != 0 && ban != MDB_NOTFOUND)
		return ban;
	return ban == 0 && exemption == MDB_NOTFOUND ? 0 : exemption;
}

static int del_one(struct each *each, const char *typed)
{
	struct tool *t = each->tool;
	struct list_entry e = {0};

	if (!parse(typed, &e))
		return EXIT_WRONG;
	if (!tool_open_lists(t))
		return EXIT_STORE;
	const int rc = take_away(t, &e);

	if (rc == MDB_NOTFOUND)
		return tool_fail(EXIT_NO, "%s has no entry%s", e.key,
				 extensions_have(t->config->base.extensions, e.key)
				     ? "; it stands in the configuration: gatepost extension allow"
				     : "");
	if (rc != 0)
		return tool_fail(EXIT_STORE, "cannot remove %s: %s", e.key, store_error(rc));
	if (t->options.json)
		table_row(&each->rows, e.key);
	else
		printf("no entry any more: %s\n", e.key);
	return EXIT_YES;
}

static int extension_del(struct tool *t, int argc, char **argv)
{
	return each_argument(t, argc, argv, "EXTENSION", 0, del_one, NULL);
}

struct listing {
	struct tool *tool;
	struct table_out table;
};

static int list_one(struct listing *l, const struct list_entry *e, const char *says)
{
	const bool json = l->table.json;
	char expires[40], last[40], count[32];
	struct hits hits = {0};

	if (e->kind != LIST_EXTENSION ||
	    (e->expires_wall_us && e->expires_wall_us <= l->tool->now_wall_us))
		return 0;
	if (hits_find(&l->tool->events, e->id, &hits) != ANSWER_YES)
		hits = (struct hits){0};
	table_row(&l->table, e->key, says, when(json, e->expires_wall_us, expires), e->by,
		  count_format(json, hits.count, count), when(json, hits.last_wall_us, last),
		  e->reason);
	return 0;
}

static int list_ban(const struct list_entry *e, void *arg)
{
	return list_one(arg, e, "refused");
}

static int list_exemption(const char *check, const struct list_entry *e, void *arg)
{
	return strcmp(check, CHECK) == 0 ? list_one(arg, e, "allowed") : 0;
}

/* The live entries; what the configuration says is behind them. */
static int extension_list(struct tool *t, int argc, char **argv)
{
	struct listing l = {.tool = t};
	const struct extension_list *configured = t->config->base.extensions;
	int rc;

	(void)argc;
	(void)argv;
	if (!tool_open_lists(t) || !tool_open_events(t))
		return EXIT_STORE;
	table_begin(&l.table, t->options.json, "EXTENSION SAYS EXPIRES BY HITS LAST REASON",
		    1U << 4);
	rc = bans_each(&t->lists, list_ban, &l);
	if (rc == 0)
		rc = exemptions_each(&t->lists, list_exemption, &l);
	for (size_t i = 0; rc == 0 && i < configured->n; i++)
		table_row(&l.table, configured->v[i].s, "configured", "", "", "", "", "");
	table_end(&l.table);
	return rc ? tool_fail(EXIT_STORE, "cannot read the lists: %s", store_error(rc)) : EXIT_YES;
}

const struct command extension_commands[] = {
    {"extension", "add", "EXT[@DOMAIN]...", 1, 1000, TAKES_EXPIRES | TAKES_REASON, extension_add,
     "refuse files with that extension (in mail to that domain)"},
    {"extension", "allow", "EXT[@DOMAIN]...", 1, 1000, TAKES_EXPIRES | TAKES_REASON,
     extension_allow,
     "let such files pass, though the configuration or a wider entry refuses them"},
    {"extension", "del", "EXT[@DOMAIN]...", 1, 1000, 0, extension_del,
     "end either: the configuration counts again"},
    {"extension", "list", "", 0, 0, 0, extension_list,
     "all entries, with their hits, and the list of the configuration"},
    {0},
};
