/* gatepost ban import, export: one entry a line, fields separated by tabs: kind, key, expiry
 * (seconds since 1970, 0: never), flags ("at-connect" or "-"), author, reason. */
#include "master/admin/ban.h"
#include "master/admin/output.h"
#include "shm/base/clock.h"

#include <stdlib.h>

/* So many refused lines are shown one by one. */
enum { REFUSED_SHOWN = 20, FIELDS = 6 };

static int export_one(const struct list_entry *e, void *arg)
{
	const struct tool *t = arg;

	if (e->expires_wall_us && e->expires_wall_us <= t->now_wall_us)
		return 0;
	printf("%s\t%s\t%lld\t%s\t", list_key_name(e->kind), e->key,
	       (long long)(e->expires_wall_us / SECOND_US), e->at_connect ? "at-connect" : "-");
	print_clean(stdout, e->by);
	putchar('\t');
	print_clean(stdout, e->reason);
	putchar('\n');
	return 0;
}

static int export_json(const struct list_entry *e, void *arg)
{
	char expires[40];

	if (e->expires_wall_us == 0 || e->expires_wall_us > clock_wall_us())
		table_row(arg, list_key_name(e->kind), e->key,
			  when(true, e->expires_wall_us, expires),
			  e->at_connect ? "at-connect" : "", e->by, e->reason);
	return 0;
}

int ban_export(struct tool *t, int argc, char **argv)
{
	struct table_out table;

	(void)argc;
	(void)argv;
	if (!tool_open_lists(t))
		return EXIT_STORE;
	table_begin(&table, t->options.json, "KIND WHAT EXPIRES FLAGS BY REASON", 0);
	int rc = t->options.json ? bans_each(&t->lists, export_json, &table)
				 : bans_each(&t->lists, export_one, t);

	table_end(&table);
	return rc ? tool_fail(EXIT_STORE, "cannot read the bans: %s", store_error(rc)) : EXIT_YES;
}

/* ---- import ---- */

struct reading {
	struct tool *tool;
	char *line;
	size_t size;
	unsigned long number, wrong;
};

static bool parse_fields(char *fields[FIELDS], struct list_entry *e)
{
	char *end = "";
	const long long seconds = fields[2] ? strtoll(fields[2], &end, 10) : 0;

	if (*end || seconds < 0 || seconds > INT64_MAX / SECOND_US) {
		tool_fail(EXIT_WRONG, "\"%s\": no time in seconds since 1970", fields[2]);
		return false;
	}
	if (fields[2])
		e->expires_wall_us = seconds * SECOND_US;
	e->at_connect = fields[3] && strcmp(fields[3], "at-connect") == 0;
	if (fields[4] && fields[4][0])
		snprintf(e->by, sizeof(e->by), "%s", fields[4]);
	if (fields[5] && fields[5][0])
		snprintf(e->reason, sizeof(e->reason), "%s", fields[5]);
	return true;
}

/* A line of an export, or what `ban add` takes.  False: said. */
static bool parse_line(const struct tool *t, char *line, struct list_entry *e)
{
	char *fields[FIELDS] = {0}, key[LIST_KEY_MAX + 32];
	size_t n = 0;

	for (char *p = line; p && n < FIELDS; n++) {
		fields[n] = p;
		p = strchr(p, '\t');
		if (p)
			*p++ = '\0';
	}
	if (n == 1)
		return tool_parse_key(line, e) && tool_fill_entry(t, e);
	if (snprintf(key, sizeof(key), "%s:%s", fields[0], fields[1]) >= (int)sizeof(key)) {
		tool_fail(EXIT_WRONG, "the key is too long");
		return false;
	}
	return tool_parse_key(key, e) && tool_fill_entry(t, e) && parse_fields(fields, e);
}

static bool take_line(struct reading *r, struct list_entry *e)
{
	*e = (struct list_entry){0};
	if (parse_line(r->tool, r->line, e) && ban_guard(r->tool, e) == EXIT_YES)
		return true;
	if (++r->wrong == REFUSED_SHOWN)
		tool_fail(EXIT_WRONG, "more such lines are only counted");
	return false;
}

static bool next_ban(struct list_entry *e, void *arg)
{
	struct reading *r = arg;

	while (getline(&r->line, &r->size, r->tool->input) > 0) {
		r->number++;
		r->line[strcspn(r->line, "\r\n")] = '\0';
		if (!*r->line || *r->line == '#')
			continue;
		tool_at(r->tool->input_name, r->number, r->wrong >= REFUSED_SHOWN);
		if (take_line(r, e))
			return true;
	}
	return false;
}

int ban_import(struct tool *t, int argc, char **argv)
{
	struct reading r = {.tool = t};
	const int64_t started = clock_mono_us();
	char count[32];
	uint64_t put = 0;

	(void)argc;
	(void)argv;
	if (!tool_open_lists(t))
		return EXIT_STORE;
	int rc = bans_put_all(&t->lists, next_ban, &r, &put);
	const bool unread = ferror(t->input);

	free(r.line);
	tool_at(NULL, 0, false);
	if (rc)
		return tool_fail(EXIT_STORE, "after %s entries: %s",
				 count_format(false, put, count), store_error(rc));
	if (unread)
		return tool_fail(EXIT_WRONG, "cannot read %s to its end; %s entries were added",
				 t->input_name, count_format(false, put, count));
	if (t->options.json)
		printf("{\"lines\": %lu, \"imported\": %llu, \"refused\": %lu}\n", r.number,
		       (unsigned long long)put, r.wrong);
	else
		printf("imported %s in %.1f s, not imported %lu\n", count_format(false, put, count),
		       (double)(clock_mono_us() - started) / SECOND_US, r.wrong);
	return r.wrong ? EXIT_NO : EXIT_YES;
}
