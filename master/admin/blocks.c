/* gatepost blocks: clients that are refused for some time because of what they did. */
#include "master/admin/output.h"
#include "master/admin/tool.h"
#include "policy/auth.h"
#include "policy/dictionary.h"
#include "shm/base/clock.h"
#include "shm/journal.h"

static struct text field_text(const struct event_view *v, enum event_field f)
{
	struct field_view field;

	return event_get(v, f, &field) ? field.text : LIT("");
}

static int list_one(const struct noted *n, void *arg)
{
	struct table_out *table = arg;
	char who[LIST_KEY_MAX], check[64], mode[16], facts[EVENT_TEXT_MAX + 1], since[40],
	    until[40];
	struct field_view end = {0};

	tool_client_shown(n->key, who, sizeof(who));
	text_cstr(field_text(&n->event, FIELD_check), check, sizeof(check));
	text_cstr(field_text(&n->event, FIELD_mode), mode, sizeof(mode));
	text_cstr(field_text(&n->event, FIELD_facts), facts, sizeof(facts));
	event_get(&n->event, FIELD_until, &end);
	table_row(table, who, check, mode, facts, when(table->json, n->event.wall_us, since),
		  when(table->json, end.number, until));
	return 0;
}

static int blocks_list(struct tool *t, int argc, char **argv)
{
	struct table_out table;

	(void)argc;
	(void)argv;
	if (!tool_open_events(t))
		return EXIT_STORE;
	tool_wait_keeper(t);
	table_begin(&table, t->options.json, "WHO WHY MODE FACTS SINCE UNTIL", 0);
	int rc = blocks_each(&t->events, t->now_wall_us, list_one, &table);

	table_end(&table);
	return rc ? tool_fail(EXIT_STORE, "cannot read the blocks: %s", store_error(rc)) : EXIT_YES;
}

/* ---- del ---- */

enum { WIDTH4 = 128, WIDTH6 = 64 };

/* The width at which policy/mark.h counts one client. */
static bool client_width(const char *typed, struct list_entry *e)
{
	if (!tool_parse_key(typed, e))
		return false;
	const unsigned width = ip_is4(&e->net.ip) ? WIDTH4 : WIDTH6;

	if (e->kind != LIST_CLIENT || e->net.bits < width) {
		tool_fail(EXIT_WRONG,
			  "\"%s\": blocks are of one client: an IPv4 address or an "
			  "IPv6 /64",
			  typed);
		return false;
	}
	e->net = (struct net){ip_mask(&e->net.ip, width), (uint8_t)width};
	net_format(&e->net, e->key);
	return true;
}

/* Who blocks clients, and the tags of what led to it (client_tag()). */
static const struct blocker {
	enum check_id check;
	const char *counts[2];
} blockers[] = {
    {CHECK_auth_block, {AUTH_COUNT, AUTH_BLOCKS}},
    {CHECK_dictionary_attack, {DICTIONARY_COUNT}},
};

enum { BLOCKERS = sizeof(blockers) / sizeof(blockers[0]), TAGS_MAX = 3 };

/* The client's block, and what stands behind it. */
static size_t tags_of(const struct blocker *b, const struct siphash_key *key,
		      const struct ip *client, uint64_t tags[TAGS_MAX])
{
	const struct table table = {.key = *key};
	size_t n = 0;

	tags[n++] = table_tag(&table, TABLE_MARK, text_of(check_row(b->check)->name), client->b,
			      sizeof(client->b));
	for (size_t i = 0; i < 2 && b->counts[i]; i++)
		tags[n++] = table_tag(&table, TABLE_MARK, text_of(b->counts[i]), client->b,
				      sizeof(client->b));
	return n;
}

/* In the list, or (the events may have been lost) in force. */
static bool stands(struct tool *t, const struct blocker *b, const struct list_entry *e)
{
	uint64_t tags[TAGS_MAX];

	if (blocks_find(&t->events, text_of(check_row(b->check)->name), text_of(e->key),
			t->now_wall_us) == ANSWER_YES)
		return true;
	if (!t->attached)
		return false;
	tags_of(b, &t->segment.table.key, &e->net.ip, tags);
	return table_mark_read(&t->segment.table, tags[0], clock_boot_us()) != 0;
}

/* Before the block is lifted, or the client could be blocked anew at once.  EXIT_YES, or said. */
static int spare(struct tool *t, const char *check, struct list_entry *e)
{
	if (!t->options.spare)
		return EXIT_YES;
	if (!tool_fill_entry(t, e) ||
	    !tool_parse_expiry(t, "spare", t->options.spare, &e->expires_wall_us))
		return EXIT_WRONG;
	if (!tool_open_lists(t))
		return EXIT_STORE;
	int rc = exemptions_put(&t->lists, check, e);

	return rc ? tool_fail(EXIT_STORE, "cannot add the exemption: %s", store_error(rc))
		  : EXIT_YES;
}

/* In the counter table, by way of the keeper, and in the list of blocks. */
static int lift(struct tool *t, const struct blocker *b, const struct list_entry *e)
{
	const char *check = check_row(b->check)->name;
	char note[1024], who[LIST_KEY_MAX];
	struct siphash_key key;
	uint64_t tags[TAGS_MAX];

	if (!tool_hash_key(t, &key))
		return EXIT_STORE;
	tool_client_shown(text_of(e->key), who, sizeof(who));
	snprintf(note, sizeof(note), "blocks del %s (%s), by %s%s%s", who, check, tool_user(t),
		 t->options.reason ? ": " : "", t->options.reason ? t->options.reason : "");
	int status = tool_forget(t, tags, tags_of(b, &key, &e->net.ip, tags), note);

	if (status != EXIT_YES)
		return status;
	int rc = blocks_del(&t->events, text_of(check), text_of(e->key));

	return rc && rc != MDB_NOTFOUND
		   ? tool_fail(EXIT_STORE, "cannot remove the block: %s", store_error(rc))
		   : EXIT_YES;
}

static const char *what_is_forgotten(enum check_id check)
{
	return check == CHECK_auth_block ? "failures" : "counts";
}

static void print_lifted(const struct tool *t, enum check_id check, const struct list_entry *e)
{
	const char *name = check_row(check)->name;
	char who[LIST_KEY_MAX], time[40];

	tool_client_shown(text_of(e->key), who, sizeof(who));
	if (t->options.json) {
		fputs("{\"lifted\": ", stdout);
		json_string(who);
		printf(", \"check\": \"%s\", \"exempt_until\": ", name);
		if (e->expires_wall_us)
			json_string(when(true, e->expires_wall_us, time));
		else
			fputs("null", stdout);
		puts("}");
		return;
	}
	printf("lifted %s of %s; its %s are forgotten", name, who, what_is_forgotten(check));
	if (e->expires_wall_us)
		printf("; exempt from %s until %s", name, minute_format(e->expires_wall_us, time));
	putchar('\n');
}

/* All of the client's: it doesn't know by which it is refused. */
static int blocks_lift(struct tool *t, int argc, char **argv)
{
	struct list_entry e = {0};
	char who[LIST_KEY_MAX];
	int status = EXIT_NO;

	(void)argc;
	if (!client_width(argv[0], &e))
		return EXIT_WRONG;
	if (!tool_open_events(t))
		return EXIT_STORE;
	tool_wait_keeper(t);
	for (size_t i = 0; i < BLOCKERS; i++) {
		const struct blocker *b = &blockers[i];

		if (!stands(t, b, &e))
			continue;
		status = spare(t, check_row(b->check)->name, &e);
		if (status == EXIT_YES)
			status = lift(t, b, &e);
		if (status != EXIT_YES)
			return status;
		print_lifted(t, b->check, &e);
	}
	tool_client_shown(text_of(e.key), who, sizeof(who));
	return status == EXIT_NO ? tool_fail(EXIT_NO, "%s is not blocked", who) : status;
}

const struct command blocks_commands[] = {
    {"blocks", "list", "", 0, 0, 0, blocks_list,
     "who is refused for some time, why, and until when"},
    {"blocks", "del", "CLIENT", 1, 1, TAKES_REASON | TAKES_SPARE, blocks_lift,
     "lift a client's blocks and forget the counts that led to them"},
    {0},
};
