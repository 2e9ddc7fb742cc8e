/* gatepost exempt: who is spared a check. */
#include "master/admin/each.h"
#include "policy/check.h"
#include "shm/journal.h"

/* "sender:@example.org and sub-domains", as people think of it. */
static void print_who(const struct list_entry *e)
{
	const bool sender = e->kind == LIST_DOMAIN || e->kind == LIST_ADDRESS;

	printf("%s %s%s%s", sender ? "sender" : list_key_name(e->kind),
	       e->kind == LIST_DOMAIN ? "@" : "", e->key,
	       e->kind == LIST_DOMAIN || e->kind == LIST_HOST ? " and sub-domains" : "");
}

static void print_added(const char *check, const struct list_entry *e)
{
	char time[40];

	printf("exempt from %s: ", check);
	print_who(e);
	if (e->expires_wall_us)
		printf(", until %s", minute_format(e->expires_wall_us, time));
	else
		fputs(", no expiry", stdout);
	fputs(", by ", stdout);
	print_clean(stdout, e->by);
	if (e->reason[0]) {
		fputs(": ", stdout);
		print_clean(stdout, e->reason);
	}
	putchar('\n');
}

/* Rules of the protocol spare nobody: such an entry would do nothing. */
static bool can_be_exempt(const char *check)
{
	const struct check_row *row = check_find(text_of(check));

	if (!row || row->who != WHO_PROTOCOL)
		return true;
	tool_fail(EXIT_WRONG, "nobody is exempt from %s%s", check,
		  strcmp(check, "relay") == 0 ? ": see trusted-networks and domain" : "");
	return false;
}

static int add_one(struct each *each, const char *typed)
{
	struct tool *t = each->tool;
	const char *check = each->arg;
	struct list_entry e = {0};
	char expires[40];

	if (!tool_parse_key(typed, &e) || !tool_fill_entry(t, &e))
		return EXIT_WRONG;
	if (!tool_open_lists(t))
		return EXIT_STORE;
	const int rc = exemptions_put(&t->lists, check, &e);

	if (rc != 0)
		return tool_fail(EXIT_STORE, "cannot add %s: %s", e.key, store_error(rc));
	if (t->options.json)
		table_row(&each->rows, check, list_key_name(e.kind), e.key,
			  when(true, e.expires_wall_us, expires), e.by, e.reason);
	else
		print_added(check, &e);
	return EXIT_YES;
}

static int exempt_add(struct tool *t, int argc, char **argv)
{
	const char *check = tool_find_check(argv[0], true);

	if (!check || !can_be_exempt(check))
		return EXIT_WRONG;
	return each_argument(t, argc - 1, argv + 1, "CHECK KIND WHAT EXPIRES BY REASON", 0, add_one,
			     check);
}

static int del_one(struct each *each, const char *typed)
{
	struct tool *t = each->tool;
	const char *check = each->arg;
	struct list_entry e = {0};

	if (!tool_parse_key(typed, &e))
		return EXIT_WRONG;
	if (!tool_open_lists(t))
		return EXIT_STORE;
	const int rc = exemptions_del(&t->lists, check, e.kind, e.key);

	if (rc == MDB_NOTFOUND)
		return tool_fail(EXIT_NO, "%s %s is not exempt from %s", list_key_name(e.kind),
				 e.key, check);
	if (rc != 0)
		return tool_fail(EXIT_STORE, "cannot remove %s: %s", e.key, store_error(rc));
	if (t->options.json)
		table_row(&each->rows, check, list_key_name(e.kind), e.key);
	else
		printf("no longer exempt from %s: %s %s\n", check, list_key_name(e.kind), e.key);
	return EXIT_YES;
}

static int exempt_del(struct tool *t, int argc, char **argv)
{
	const char *check = tool_find_check(argv[0], true);

	return check ? each_argument(t, argc - 1, argv + 1, "CHECK KIND WHAT", 0, del_one, check)
		     : EXIT_WRONG;
}

struct listing {
	struct tool *tool;
	const char *check; /* NULL: all */
	struct table_out table;
};

static int list_one(const char *check, const struct list_entry *e, void *arg)
{
	struct listing *l = arg;
	const bool json = l->table.json;
	char what[LIST_KEY_MAX + 32], expires[40], last[40], count[32];
	struct hits hits = {0};

	if (l->check && strcmp(l->check, check) != 0)
		return 0;
	if (e->expires_wall_us && e->expires_wall_us <= l->tool->now_wall_us)
		return 0;
	if (hits_find(&l->tool->events, e->id, &hits) != ANSWER_YES)
		hits = (struct hits){0};
	if (!json && e->kind == LIST_CLIENT && e->net.bits == 128) {
		char address[IP_TEXT_MAX];

		snprintf(what, sizeof(what), "client:%s", ip_format(&e->net.ip, address));
	} else {
		snprintf(what, sizeof(what), "%s:%s", list_key_name(e->kind), e->key);
	}
	table_row(&l->table, check, what, when(json, e->expires_wall_us, expires), e->by,
		  count_format(json, hits.count, count), when(json, hits.last_wall_us, last),
		  e->reason);
	return 0;
}

static int exempt_list(struct tool *t, int argc, char **argv)
{
	struct listing l = {.tool = t};

	(void)argc;
	(void)argv;
	if (t->options.check && !(l.check = tool_find_check(t->options.check, true)))
		return EXIT_WRONG;
	if (!tool_open_lists(t) || !tool_open_events(t))
		return EXIT_STORE;
	table_begin(&l.table, t->options.json, "CHECK WHAT EXPIRES BY HITS LAST REASON", 1U << 4);
	int rc = exemptions_each(&t->lists, list_one, &l);

	table_end(&l.table);
	return rc ? tool_fail(EXIT_STORE, "cannot read the exemptions: %s", store_error(rc))
		  : EXIT_YES;
}

/* gatepost checks: what there is to be exempt from. */
static int checks_list(struct tool *t, int argc, char **argv)
{
	struct table_out table;

	(void)argc;
	(void)argv;
	table_begin(&table, t->options.json, "CHECK PHASE MODE DEFAULT MEANING", 0);
	for (int i = 0; i < CHECK_COUNT; i++) {
		const struct check_row *row = check_row((enum check_id)i);

		table_row(&table, row->name, phase_name(row->phase),
			  check_mode_name(check_mode((enum check_id)i, &t->config->base)),
			  check_mode_name(row->default_mode), row->help);
	}
	table_end(&table);
	return EXIT_YES;
}

const struct command exempt_commands[] = {
    {"exempt", "add", "CHECK WHAT...", 2, 1000, TAKES_EXPIRES | TAKES_REASON, exempt_add,
     "spare a client, host:NAME, sender:ADDRESS or sender:@DOMAIN, recipient:ADDRESS or login:NAME "
     "a check (\"*\": all)"},
    {"exempt", "del", "CHECK WHAT...", 2, 1000, 0, exempt_del, "end an exemption"},
    {"exempt", "list", "", 0, 0, TAKES_CHECK, exempt_list, "all exemptions, with their hits"},
    {"checks", "", "", 0, 0, 0, checks_list, "all checks, their phases and modes"},
    {0},
};
