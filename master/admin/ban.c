/* gatepost ban: who is refused. */
#include "master/admin/ban.h"
#include "master/admin/each.h"
#include "shm/journal.h"

/* How many sessions are open from there; -1: not known (no daemon, or not one client's width). */
static int64_t open_sessions(struct tool *t, const struct list_entry *e)
{
	const unsigned width = ip_is4(&e->net.ip) ? 128 : 64;

	if (e->kind != LIST_CLIENT || e->net.bits < width || !tool_attach(t))
		return -1;
	const struct ip key = ip_mask(&e->net.ip, width);
	const struct table *table = &t->segment.table;

	return (int64_t)table_read(
	    table, table_tag(table, TABLE_LIVE, LIT("sessions"), key.b, sizeof(key.b)));
}

static void print_added(struct tool *t, const struct list_entry *e)
{
	char shown[LIST_KEY_MAX + 16];
	const int64_t open = open_sessions(t, e);

	printf("banned %s%s", tool_key_shown(e, shown), e->at_connect ? " at connect" : "");
	tool_print_facts(e);
	fputs("\nin force for new sessions now", stdout);
	if (open > 0)
		printf("; %lld session%s from there %s open", (long long)open, open == 1 ? "" : "s",
		       open == 1 ? "is" : "are");
	putchar('\n');
}

static int add_one(struct each *each, const char *typed)
{
	struct tool *t = each->tool;
	struct list_entry e = {0};
	char expires[40];
	int status, rc;

	if (!tool_parse_key(typed, &e) || !tool_fill_entry(t, &e))
		return EXIT_WRONG;
	if (e.at_connect && e.kind != LIST_CLIENT)
		return tool_fail(EXIT_WRONG, "--at-connect is for client addresses; \"%s\" is a %s",
				 typed, list_key_name(e.kind));
	if ((status = ban_guard(t, &e)) != EXIT_YES)
		return status;
	if (!tool_open_lists(t))
		return EXIT_STORE;
	if ((rc = bans_put(&t->lists, &e)) != 0)
		return tool_fail(EXIT_STORE, "cannot add %s: %s", e.key, store_error(rc));
	if (t->options.json)
		table_row(&each->rows, list_key_name(e.kind), e.key,
			  when(true, e.expires_wall_us, expires), e.by, e.reason);
	else
		print_added(t, &e);
	return EXIT_YES;
}

static int ban_add(struct tool *t, int argc, char **argv)
{
	return each_argument(t, argc, argv, "KIND WHAT EXPIRES BY REASON", 0, add_one, NULL);
}

static int del_one(struct each *each, const char *typed)
{
	struct tool *t = each->tool;
	struct list_entry e = {0};
	char shown[LIST_KEY_MAX + 16];

	if (!tool_parse_key(typed, &e))
		return EXIT_WRONG;
	if (!tool_open_lists(t))
		return EXIT_STORE;
	const int rc = bans_del(&t->lists, e.kind, e.key);

	tool_key_shown(&e, shown);
	if (rc == MDB_NOTFOUND)
		return tool_fail(EXIT_NO, "%s is not banned", shown);
	if (rc != 0)
		return tool_fail(EXIT_STORE, "cannot remove %s: %s", shown, store_error(rc));
	if (t->options.json)
		table_row(&each->rows, list_key_name(e.kind), e.key);
	else
		printf("no longer banned: %s\n", shown);
	return EXIT_YES;
}

static int ban_del(struct tool *t, int argc, char **argv)
{
	return each_argument(t, argc, argv, "KIND WHAT", 0, del_one, NULL);
}

struct listing {
	struct tool *tool;
	struct table_out table;
};

static int list_one(const struct list_entry *e, void *arg)
{
	struct listing *l = arg;
	const bool json = l->table.json;
	char expires[40], added[40], last[40], count[32], shown[LIST_KEY_MAX + 16];
	struct hits hits = {0};

	if (e->expires_wall_us && e->expires_wall_us <= l->tool->now_wall_us)
		return 0;
	if (hits_find(&l->tool->events, e->id, &hits) != ANSWER_YES)
		hits = (struct hits){0};
	if (!json && e->kind == LIST_CLIENT)
		tool_key_shown(e, shown);
	else
		snprintf(shown, sizeof(shown), "%s", e->key);
	table_row(&l->table, list_key_name(e->kind), shown, when(json, e->expires_wall_us, expires),
		  e->by, when(json, e->added_wall_us, added), count_format(json, hits.count, count),
		  when(json, hits.last_wall_us, last), e->at_connect ? "at-connect" : "",
		  e->reason);
	return 0;
}

static int ban_list(struct tool *t, int argc, char **argv)
{
	struct listing l = {.tool = t};

	(void)argc;
	(void)argv;
	if (!tool_open_lists(t) || !tool_open_events(t))
		return EXIT_STORE;
	table_begin(&l.table, t->options.json, "KIND WHAT EXPIRES BY ADDED HITS LAST FLAGS REASON",
		    1U << 5);
	int rc = bans_each(&t->lists, list_one, &l);

	table_end(&l.table);
	return rc ? tool_fail(EXIT_STORE, "cannot read the bans: %s", store_error(rc)) : EXIT_YES;
}

const struct command ban_commands[] = {
    {"ban", "add", "WHAT...", 1, 1000,
     TAKES_EXPIRES | TAKES_REASON | TAKES_FORCE | TAKES_AT_CONNECT, ban_add,
     "refuse an address, network, domain, sender (ann@example.org), host:NAME, login:NAME, "
     "recipient:ADDRESS"},
    {"ban", "del", "WHAT...", 1, 1000, 0, ban_del, "lift a ban"},
    {"ban", "list", "", 0, 0, 0, ban_list, "all bans, with their hits"},
    {"ban", "check", "WHAT", 1, 1, 0, ban_check,
     "is it refused, and by what?  exit status 1: it is not"},
    {"ban", "import", "FILE", 1, 1, TAKES_EXPIRES | TAKES_REASON | TAKES_FORCE, ban_import,
     "add one entry a line: what `ban add` takes, or lines of `ban export`; - reads stdin", 1},
    {"ban", "export", "", 0, 0, 0, ban_export, "one entry a line, for import"},
    {0},
};
