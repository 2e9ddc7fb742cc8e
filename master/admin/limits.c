/* gatepost limits: who is at which limit, and lifting one.
 *
 * The counters have no names.  Who fired a limit is known from the events; how much of it is used
 * now is read from the running daemon's table. */
#include "master/admin/limit_keys.h"
#include "master/admin/output.h"
#include "policy/suggest.h"
#include "shm/base/clock.h"
#include "shm/journal.h"

#include <inttypes.h>

#define COLUMNS "LIMIT WHO UNIT USED OF FREE_AT REFUSED LAST"

struct listing {
	struct tool *tool;
	struct table_out table;
	uint64_t near_percent; /* 0: all */
};

/* What one row says beside its key. */
struct usage {
	const char *limit, *who, *unit;
	struct rate rate;
	uint64_t tag, refused;
	int64_t last_wall_us;
};

static void list_usage(struct listing *l, const struct usage *u)
{
	const bool json = l->table.json;
	const int64_t now_us = clock_boot_us();
	char used[32] = "", of[48], free_at[48] = "", refused[32], last[40], span[32];
	uint64_t n = 0;

	if (l->tool->attached) {
		const uint64_t tat = table_read(&l->tool->segment.table, u->tag);
		int64_t wait;

		n = rate_used(&u->rate, tat, now_us);
		count_format(json, n, used);
		rate_allows(&u->rate, tat, 1, now_us, &wait);
		if (json)
			wall_format_iso(l->tool->now_wall_us + wait, free_at);
		else if (wait)
			snprintf(free_at, sizeof(free_at), "in %s", span_format(wait, span));
		else
			snprintf(free_at, sizeof(free_at), "now");
	}
	if (l->near_percent &&
	    (unsigned __int128)n * 100 < (unsigned __int128)u->rate.n * l->near_percent)
		return;
	table_row(&l->table, u->limit, u->who, u->unit, used, rate_format(&u->rate, of), free_at,
		  count_format(json, u->refused, refused), when(json, u->last_wall_us, last));
}

static struct text field_text(const struct event_view *v, enum event_field f)
{
	struct field_view field;

	return event_get(v, f, &field) ? field.text : LIT("");
}

static int list_fired(const struct noted *n, void *arg)
{
	char limit[128], who[EVENT_TEXT_MAX + 1], unit[32];
	struct usage u = {.limit = limit, .who = who, .unit = unit};
	struct field_view tag;

	if (!event_get(&n->event, FIELD_tag, &tag) ||
	    !rate_parse(field_text(&n->event, FIELD_text), &u.rate))
		return 0;
	u.tag = (uint64_t)tag.number;
	u.refused = n->count;
	u.last_wall_us = n->event.wall_us;
	text_cstr(field_text(&n->event, FIELD_limit), limit, sizeof(limit));
	tool_client_shown(field_text(&n->event, FIELD_key), who, sizeof(who));
	text_cstr(field_text(&n->event, FIELD_unit), unit, sizeof(unit));
	list_usage(arg, &u);
	return 0;
}

static int list_all_fired(struct listing *l)
{
	tool_wait_keeper(l->tool);
	table_begin(&l->table, l->tool->options.json, COLUMNS, 1U << 3 | 1U << 6);
	int rc = limits_each(&l->tool->events, list_fired, l);
	const bool any = l->table.row_count > 0;

	table_end(&l->table);
	if (rc)
		return tool_fail(EXIT_STORE, "cannot read the events: %s", store_error(rc));
	if (any && !l->tool->options.json)
		puts("lift once: gatepost limits reset LIMIT WHO      "
		     "for good: gatepost exempt add rate-limit client:... or login:...");
	return EXIT_YES;
}

/* ---- one key ---- */

struct fired {
	uint64_t tag, count;
	int64_t last_wall_us;
};

static int count_fired(const struct noted *n, void *arg)
{
	struct fired *f = arg;
	struct field_view tag;

	if (!event_get(&n->event, FIELD_tag, &tag) || (uint64_t)tag.number != f->tag)
		return 0;
	f->count = n->count;
	f->last_wall_us = n->event.wall_us;
	return 1;
}

static int list_window(const struct limit_window *w, void *arg)
{
	struct listing *l = arg;
	struct fired fired = {.tag = w->tag};
	char limit[128], who[LIST_KEY_MAX + 1];

	limits_each(&l->tool->events, count_fired, &fired);
	text_cstr(w->limit->set.name, limit, sizeof(limit));
	tool_client_shown(text_of(w->who), who, sizeof(who));
	list_usage(l, &(struct usage){limit, who, limit_unit_name(w->unit), *w->rate, w->tag,
				      fired.count, fired.last_wall_us});
	return 0;
}

static int list_key(struct listing *l, const char *typed)
{
	const struct config *config = l->tool->config;
	struct list_entry key = {0};
	bool counted = false;

	if (!tool_parse_key(typed, &key))
		return EXIT_WRONG;
	if (!l->tool->attached)
		return tool_fail(EXIT_NO, "no gatepostd runs: there are no counters");
	tool_wait_keeper(l->tool);
	table_begin(&l->table, l->tool->options.json, COLUMNS, 1U << 3 | 1U << 6);
	for (size_t i = 0; i < config->limit_count; i++)
		counted |= limit_windows(l->tool, &config->limits[i], &key, list_window, l);
	table_end(&l->table);
	return counted ? EXIT_YES
		       : tool_fail(EXIT_NO, "no limit of the configuration counts %s", typed);
}

static int limits_list(struct tool *t, int argc, char **argv)
{
	struct listing l = {.tool = t};

	if (t->options.near) {
		struct text percent = text_of(t->options.near);

		if (percent.n && percent.p[percent.n - 1] == '%')
			percent.n--;
		if (!text_u64(percent, &l.near_percent) || l.near_percent > 1000)
			return tool_fail(EXIT_WRONG, "--near \"%s\": not a percentage such as 80%%",
					 t->options.near);
	}
	if (!tool_open_events(t))
		return EXIT_STORE;
	tool_attach(t);
	return argc == 1 ? list_key(&l, argv[0]) : list_all_fired(&l);
}

/* ---- reset ---- */

#define WINDOWS_MAX 64

struct reset {
	struct tool *tool;
	struct limit_window windows[WINDOWS_MAX];
	uint64_t tags[WINDOWS_MAX], used[WINDOWS_MAX];
	size_t n;
	char who[LIST_KEY_MAX + NET_TEXT_MAX];
};

static int note_window(const struct limit_window *w, void *arg)
{
	struct reset *r = arg;
	const uint64_t tat = table_read(&r->tool->segment.table, w->tag);

	if (r->n == WINDOWS_MAX)
		return 1;
	tool_client_shown(text_of(w->who), r->who, sizeof(r->who));
	r->windows[r->n] = (struct limit_window){.unit = w->unit, .rate = w->rate};
	r->tags[r->n] = w->tag;
	r->used[r->n++] = rate_used(w->rate, tat, clock_boot_us());
	return 0;
}

static const struct limit *find_limit(const struct tool *t, const char *name)
{
	struct suggestion near;

	suggest_begin(&near, text_of(name));
	for (size_t i = 0; i < t->config->limit_count; i++) {
		if (text_eq(t->config->limits[i].set.name, text_of(name)))
			return &t->config->limits[i];
		suggest_offer(&near, t->config->limits[i].set.name);
	}
	tool_fail(EXIT_WRONG, "no limit \"%s\"%s%s", name, near.best[0] ? "; nearest: " : "",
		  near.best);
	return NULL;
}

/* What had been used. */
static void print_reset(const struct reset *r, const char *limit, bool json)
{
	struct table_out table;
	char used[32], of[48];

	if (!json)
		printf("reset limit %s of %s, which had used:\n", limit, r->who);
	table_begin(&table, json, "LIMIT WHO UNIT USED OF", 1U << 3);
	for (size_t i = 0; i < r->n; i++)
		table_row(&table, limit, r->who, limit_unit_name(r->windows[i].unit),
			  count_format(json, r->used[i], used),
			  rate_format(r->windows[i].rate, of));
	table_end(&table);
}

static int limits_reset(struct tool *t, int argc, char **argv)
{
	struct reset r = {.tool = t};
	struct list_entry key = {0};
	char note[1024];
	const struct limit *l = find_limit(t, argv[0]);

	(void)argc;
	if (!l || !tool_parse_key(argv[1], &key))
		return EXIT_WRONG;
	if (!tool_attach(t))
		return tool_fail(EXIT_NO, "no gatepostd runs: there are no counters");
	if (!limit_windows(t, l, &key, note_window, &r))
		return tool_fail(EXIT_WRONG, "limit \"%s\" does not count %s", argv[0], argv[1]);
	snprintf(note, sizeof(note), "limits reset %s %s, by %s", argv[0], r.who, tool_user(t));
	int status = tool_forget(t, r.tags, r.n, note);

	if (status == EXIT_YES)
		print_reset(&r, argv[0], t->options.json);
	return status;
}

const struct command limits_commands[] = {
    {"limits", "", "[WHO]", 0, 1, TAKES_NEAR, limits_list,
     "who was stopped by a limit in the last 24 hours; how much of its limits a client, login, "
     "sender or domain has used"},
    {"limits", "reset", "LIMIT WHO", 2, 2, 0, limits_reset, "forget what somebody has used"},
    {0},
};
