/* gatepost signature: what the anti-virus engine finds and the administrator ignores.  The entries
 * are exemptions of the check antivirus. */
#include "master/admin/each.h"
#include "shm/journal.h"

#define CHECK_NAME "antivirus"

static bool read_name(const char *typed, struct list_entry *e)
{
	char message[512];
	struct buf err = buf_over(message, sizeof(message));

	e->kind = LIST_SIGNATURE;
	if (list_key_normalize(LIST_SIGNATURE, text_of(typed), e->key, &err))
		return true;
	tool_fail(EXIT_WRONG, "%s", message);
	return false;
}

static void print_ignored(const char *name, const struct list_entry *e)
{
	fputs("ignored: signature ", stdout);
	print_clean(stdout, name);
	tool_print_facts(e);
	putchar('\n');
}

static int ignore_one(struct each *each, const char *typed)
{
	struct tool *t = each->tool;
	struct list_entry e = {0};
	char expires[40];

	if (!read_name(typed, &e) || !tool_fill_entry(t, &e))
		return EXIT_WRONG;
	if (!tool_open_lists(t))
		return EXIT_STORE;
	const int rc = exemptions_put(&t->lists, CHECK_NAME, &e);

	if (rc != 0)
		return tool_fail(EXIT_STORE, "cannot add %s: %s", e.key, store_error(rc));
	if (t->options.json)
		table_row(&each->rows, e.key, when(true, e.expires_wall_us, expires), e.by,
			  e.reason);
	else
		print_ignored(typed, &e);
	return EXIT_YES;
}

static int signature_ignore(struct tool *t, int argc, char **argv)
{
	return each_argument(t, argc, argv, "SIGNATURE EXPIRES BY REASON", 0, ignore_one, NULL);
}

static int del_one(struct each *each, const char *typed)
{
	struct tool *t = each->tool;
	struct list_entry e = {0};

	if (!read_name(typed, &e))
		return EXIT_WRONG;
	if (!tool_open_lists(t))
		return EXIT_STORE;
	const int rc = exemptions_del(&t->lists, CHECK_NAME, e.kind, e.key);

	if (rc == MDB_NOTFOUND)
		return tool_fail(EXIT_NO, "signature %s is not ignored", e.key);
	if (rc != 0)
		return tool_fail(EXIT_STORE, "cannot remove %s: %s", e.key, store_error(rc));
	if (t->options.json)
		table_row(&each->rows, e.key);
	else
		printf("no longer ignored: signature %s\n", e.key);
	return EXIT_YES;
}

static int signature_del(struct tool *t, int argc, char **argv)
{
	return each_argument(t, argc, argv, "SIGNATURE", 0, del_one, NULL);
}

struct listing {
	struct tool *tool;
	struct table_out table;
};

static int list_one(const char *check, const struct list_entry *e, void *arg)
{
	struct listing *l = arg;
	const bool json = l->table.json;
	char expires[40], last[40], count[32];
	struct hits hits = {0};

	if (e->kind != LIST_SIGNATURE || strcmp(check, CHECK_NAME) != 0)
		return 0;
	if (e->expires_wall_us && e->expires_wall_us <= l->tool->now_wall_us)
		return 0;
	if (hits_find(&l->tool->events, e->id, &hits) != ANSWER_YES)
		hits = (struct hits){0};
	table_row(&l->table, e->key, when(json, e->expires_wall_us, expires), e->by,
		  count_format(json, hits.count, count), when(json, hits.last_wall_us, last),
		  e->reason);
	return 0;
}

static int signature_list(struct tool *t, int argc, char **argv)
{
	struct listing l = {.tool = t};
	int rc;

	(void)argc;
	(void)argv;
	if (!tool_open_lists(t) || !tool_open_events(t))
		return EXIT_STORE;
	table_begin(&l.table, t->options.json, "SIGNATURE EXPIRES BY HITS LAST REASON", 1U << 3);
	rc = exemptions_each(&t->lists, list_one, &l);
	table_end(&l.table);
	return rc ? tool_fail(EXIT_STORE, "cannot read the signatures: %s", store_error(rc))
		  : EXIT_YES;
}

const struct command signature_commands[] = {
    {"signature", "ignore", "NAME...", 1, 1000, TAKES_EXPIRES | TAKES_REASON, signature_ignore,
     "a false alarm of the anti-virus engine: what it calls so is as if it hadn't been found"},
    {"signature", "del", "NAME...", 1, 1000, 0, signature_del, "take it seriously again"},
    {"signature", "list", "", 0, 0, 0, signature_list, "what is ignored, with its hits"},
    {0},
};
