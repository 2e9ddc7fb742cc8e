/* gatepost exempt: who is spared a check. */
#include "master/admin/output.h"
#include "master/admin/tool.h"
#include "policy/check.h"
#include "policy/suggest.h"
#include "shm/journal.h"

#include <stdio.h>

/* "dnsbl", or "*" for every check.  NULL: said. */
static const char *find_check(const char *name)
{
	struct suggestion near;
	if (strcmp(name, "*") == 0)
		return "*";
	const struct check_row *row = check_find(text_of(name));
	if (row)
		return row->name;
	suggest_begin(&near, text_of(name));
	for (int i = 0; i < CHECK_COUNT; i++)
		suggest_offer(&near, text_of(check_row((enum check_id)i)->name));
	tool_fail(EXIT_WRONG, "no check \"%s\"%s%s.  All: gatepost checks", name,
		  near.best[0] ? "; nearest: " : "", near.best);
	return NULL;
}

static void print_until(const struct list_entry *e)
{
	char time[40];
	if (e->expires_wall_us)
		printf(", until %s", when(e->expires_wall_us, time));
	else
		fputs(", no expiry", stdout);
	fputs(", by ", stdout);
	print_clean(e->by);
	if (e->reason[0]) {
		fputs(": ", stdout);
		print_clean(e->reason);
	}
	putchar('\n');
}

static int exempt_add(struct tool *t, int argc, char **argv)
{
	const char *check = find_check(argv[0]);
	if (!check)
		return EXIT_WRONG;
	for (int i = 1; i < argc; i++) {
		struct list_entry e = {0};
		if (!tool_parse_key(argv[i], &e) || !tool_fill_entry(t, &e))
			return EXIT_WRONG;
		if (!tool_open_lists(t, STORE_WRITE))
			return EXIT_STORE;
		int rc = exemptions_put(&t->lists, check, &e);
		if (rc)
			return tool_fail(EXIT_STORE, "cannot add %s: %s", e.key, store_error(rc));
		if (t->options.json)
			continue;
		printf("exempt from %s: %s %s%s", check, list_key_name(e.kind), e.key,
		       e.kind == LIST_DOMAIN ? " and sub-domains" : "");
		print_until(&e);
	}
	return EXIT_YES;
}

static int exempt_del(struct tool *t, int argc, char **argv)
{
	int status = EXIT_YES;
	const char *check = find_check(argv[0]);
	if (!check)
		return EXIT_WRONG;
	for (int i = 1; i < argc; i++) {
		struct list_entry e = {0};
		if (!tool_parse_key(argv[i], &e))
			return EXIT_WRONG;
		if (!tool_open_lists(t, STORE_WRITE))
			return EXIT_STORE;
		int rc = exemptions_del(&t->lists, check, e.kind, e.key);
		if (rc == MDB_NOTFOUND)
			status = tool_fail(EXIT_NO, "%s %s is not exempt from %s",
					   list_key_name(e.kind), e.key, check);
		else if (rc)
			return tool_fail(EXIT_STORE, "cannot remove %s: %s", e.key,
					 store_error(rc));
		else if (!t->options.json)
			printf("no longer exempt from %s: %s %s\n", check, list_key_name(e.kind),
			       e.key);
	}
	return status;
}

struct listing {
	struct tool *tool;
	const char *check; /* NULL: all */
	struct table_out table;
};

static int list_one(const char *check, const struct list_entry *e, void *arg)
{
	struct listing *l = arg;
	char what[LIST_KEY_MAX + 32], expires[40], last[40], count[24] = "0";
	struct hits hits = {0};
	if (l->check && strcmp(l->check, check) != 0)
		return 0;
	if (l->tool->events_open && hits_find(&l->tool->events, e->id, &hits) == ANSWER_YES)
		snprintf(count, sizeof(count), "%llu", (unsigned long long)hits.count);
	snprintf(what, sizeof(what), "%s:%s", list_key_name(e->kind), e->key);
	table_row(&l->table, check, what, when(e->expires_wall_us, expires), e->by, count,
		  when(hits.last_wall_us, last), e->reason);
	return 0;
}

static int exempt_list(struct tool *t, int argc, char **argv)
{
	struct listing l = {.tool = t};
	(void)argc;
	(void)argv;
	if (t->options.check && !(l.check = find_check(t->options.check)))
		return EXIT_WRONG;
	if (!tool_open_lists(t, STORE_WRITE))
		return EXIT_STORE;
	tool_open_events(t, STORE_WRITE);
	table_begin(&l.table, t->options.json, "CHECK WHAT EXPIRES BY HITS LAST REASON", 1U << 4);
	int rc = exemptions_each(&t->lists, list_one, &l);
	table_end(&l.table);
	return rc ? tool_fail(EXIT_STORE, "cannot read the exemptions: %s", store_error(rc))
		  : EXIT_YES;
}

/* gatepost checks: what there is to be exempt from. */
static int checks_list(struct tool *t, int argc, char **argv)
{
	static const char *const modes[] = {"off", "monitor", "enforce"};
	struct table_out table;
	(void)argc;
	(void)argv;
	table_begin(&table, t->options.json, "CHECK PHASE MODE DEFAULT MEANING", 0);
	for (int i = 0; i < CHECK_COUNT; i++) {
		const struct check_row *row = check_row((enum check_id)i);
		/* Every check's settings begin alike: GROUP_FIELDS_CHECK of policy/settings.h. */
		const struct helo_ip_settings *set =
		    (const void *)((const char *)&t->config->base + row->settings_offset);
		table_row(&table, row->name, phase_name(row->phase), modes[set->mode],
			  modes[row->default_mode], row->help);
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
