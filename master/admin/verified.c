/* gatepost sender, gatepost recipient: what is remembered of addresses that other servers were
 * asked about, and forgetting it. */
#include "shm/verified.h"
#include "master/admin/each.h"
#include "policy/message/address.h"
#include "policy/verify.h"

/* An address in the form in which it is remembered, or "@domain".  False: said. */
static bool parse_what(struct arena *a, const char *typed, struct text *key)
{
	const struct text t = text_of(typed);
	struct mailbox m;

	if (t.n > 1 && t.p[0] == '@') {
		struct text domain;

		if (domain_to_ascii(text_make(t.p + 1, t.n - 1), a, &domain)) {
			*key = arena_printf(a, "@%.*s", TEXT(domain));
			return true;
		}
	} else if (address_parse(t, true, a, &m) == ADDRESS_OK) {
		*key = mailbox_key(&m, a);
		return true;
	}
	tool_fail(EXIT_WRONG, "\"%s\": not an address (local@domain, or @domain for all)", typed);
	return false;
}

static struct text domain_of(struct text key)
{
	size_t at = key.n;

	while (at > 0 && key.p[at - 1] != '@')
		at--;
	return text_make(key.p + at, key.n - at);
}

/* ---- forget ---- */

/* In the daemon's counters: that a server had no answer a short while ago. */
static int forget_marks(struct tool *t, struct text key)
{
	const struct text domain = domain_of(key);
	char note[LIST_KEY_MAX + 100];
	uint64_t tags[2];

	if (!tool_attach(t))
		return EXIT_YES;
	tags[0] = table_tag(&t->segment.table, TABLE_MARK, LIT(VERIFY_BUSY), key.p, key.n);
	tags[1] = table_tag(&t->segment.table, TABLE_MARK, LIT(VERIFY_BUSY), domain.p, domain.n);
	snprintf(note, sizeof(note), "sender forget %.*s, by %s", TEXT(key), tool_user(t));
	return tool_forget(t, tags, 2, note);
}

static void print_forgotten(const char *what, long n)
{
	printf("forgotten: %ld answer%s about ", n, n == 1 ? "" : "s");
	print_clean(stdout, what);
	putchar('\n');
}

struct forgetting {
	enum verified_kind kind;
	struct arena *arena;
};

static int forget_one(struct each *each, const char *typed)
{
	const struct forgetting *f = each->arg;
	struct tool *t = each->tool;
	int status = EXIT_YES;
	struct text key;
	char count[32];

	if (!parse_what(f->arena, typed, &key))
		return EXIT_WRONG;
	if (f->kind == VERIFIED_SENDER)
		status = forget_marks(t, key);
	if (status != EXIT_YES)
		return status;
	const long n = verified_forget(&t->events, f->kind, key);

	if (n < 0)
		return tool_fail(EXIT_STORE, "cannot write state-dir/events");
	if (t->options.json)
		table_row(&each->rows, typed, count_format(true, (uint64_t)n, count));
	else if (n > 0)
		print_forgotten(typed, n);
	else
		tool_fail(EXIT_NO, "nothing is remembered of %s", typed);
	return n > 0 ? EXIT_YES : EXIT_NO;
}

static int forget(struct tool *t, enum verified_kind kind, int argc, char **argv)
{
	struct arena a;
	const struct forgetting f = {kind, &a};
	int status;

	if (!tool_open_events(t))
		return EXIT_STORE;
	/* What has been asked before now is forgotten too, not only what the keeper has written. */
	if (!tool_wait_keeper(t))
		return tool_fail(EXIT_NO, "the keeper does not answer: nothing changed");
	arena_init(&a, NULL, NULL);
	status = each_argument(t, argc, argv, "ADDRESS FORGOTTEN", 1U << 1, forget_one, &f);
	arena_reset(&a);
	return status;
}

static int sender_forget(struct tool *t, int argc, char **argv)
{
	return forget(t, VERIFIED_SENDER, argc, argv);
}

static int recipient_forget(struct tool *t, int argc, char **argv)
{
	return forget(t, VERIFIED_RECIPIENT, argc, argv);
}

/* ---- remembered ---- */

struct listing {
	struct table_out table;
	struct text only; /* an address, or "@domain"; empty: all */
	unsigned found;
};

static bool is_wanted(const struct listing *l, struct text key)
{
	if (text_empty(l->only) || text_eq(key, l->only))
		return true;
	return l->only.p[0] == '@' && text_iends(key, l->only) &&
	       text_eq(domain_of(key), domain_of(l->only));
}

static const char *answer_words(enum verified_what w)
{
	static const char *const words[] = {
	    [VERIFIED_NOTHING] = "",
	    [VERIFIED_TAKES] = "exists",
	    [VERIFIED_REFUSES] = "refused",
	    [VERIFIED_ANYTHING] = "takes any address",
	    [VERIFIED_DISCERNS] = "knows its addresses",
	    [VERIFIED_NO_NULL] = "refuses the null sender",
	};

	return words[w];
}

static int list_one(struct text key, const struct verified *v, void *arg)
{
	struct listing *l = arg;
	char address[LIST_KEY_MAX + 1], reply[VERIFIED_TEXT_MAX + 32], asked[40], until[40];

	if (!is_wanted(l, key))
		return 0;
	l->found++;
	text_cstr(key, address, sizeof(address));
	snprintf(reply, sizeof(reply), "%d %s%s%s", v->code, v->enhanced, v->enhanced[0] ? " " : "",
		 v->text);
	table_row(&l->table, address, answer_words(v->what), v->hop, v->code ? reply : v->text,
		  when(l->table.json, v->asked_wall_us, asked),
		  when(l->table.json, v->until_wall_us, until));
	return 0;
}

static int list(struct tool *t, enum verified_kind kind, int argc, char **argv)
{
	struct listing l = {0};
	struct arena a;
	int rc, status = EXIT_YES;

	if (!tool_open_events(t))
		return EXIT_STORE;
	arena_init(&a, NULL, NULL);
	if (argc == 1 && !parse_what(&a, argv[0], &l.only)) {
		arena_reset(&a);
		return EXIT_WRONG;
	}
	tool_wait_keeper(t);
	table_begin(&l.table, t->options.json, "ADDRESS ANSWER SERVER REPLY ASKED UNTIL", 0);
	rc = verified_each(&t->events, kind, t->now_wall_us, list_one, &l);
	table_end(&l.table);
	if (rc)
		status = tool_fail(EXIT_STORE, "cannot read the answers: %s", store_error(rc));
	else if (argc == 1 && l.found == 0)
		status = t->options.json
			     ? EXIT_NO
			     : tool_fail(EXIT_NO, "nothing is remembered of %s", argv[0]);
	arena_reset(&a);
	return status;
}

static int sender_remembered(struct tool *t, int argc, char **argv)
{
	return list(t, VERIFIED_SENDER, argc, argv);
}

static int recipient_remembered(struct tool *t, int argc, char **argv)
{
	return list(t, VERIFIED_RECIPIENT, argc, argv);
}

const struct command verified_commands[] = {
    {"recipient", "remembered", "[ADDRESS]", 0, 1, 0, recipient_remembered,
     "what the next hops have said of addresses (recipients = \"verify\"); @DOMAIN: of all there"},
    {"recipient", "forget", "ADDRESS...", 1, 1000, 0, recipient_forget,
     "forget that: the next session asks again"},
    {"sender", "remembered", "[ADDRESS]", 0, 1, 0, sender_remembered,
     "what servers have said of senders (check \"sender-callout\")"},
    {"sender", "forget", "ADDRESS...", 1, 1000, 0, sender_forget,
     "forget that: the next session asks again"},
    {0},
};
