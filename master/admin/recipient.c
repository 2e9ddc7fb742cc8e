/* gatepost recipient: which addresses of a domain exist. */
#include "master/admin/recipient.h"
#include "master/admin/each.h"

const struct domain *recipient_own_domain(const struct tool *t, const char *typed,
					  struct text *name)
{
	static char normal[LIST_KEY_MAX + 1];
	char message[256];
	struct buf err = buf_over(message, sizeof(message));
	if (!list_key_normalize(LIST_DOMAIN, text_of(typed), normal, &err)) {
		tool_fail(EXIT_WRONG, "\"%s\": %s", typed, message);
		return NULL;
	}
	*name = text_of(normal);
	const struct domain *d = config_domain(t->config, *name);
	if (!d) {
		tool_fail(EXIT_WRONG, "%s is no domain of the configuration", normal);
		return NULL;
	}
	if (d->set.recipients != RECIPIENTS_LIST)
		tool_fail(
		    EXIT_YES,
		    "note: %s has not `recipients = \"list\"`: its list is kept but not asked",
		    normal);
	return d;
}

bool recipient_split(struct text line, struct text domain, struct text *local, const char **why)
{
	size_t at = line.n;
	while (at > 0 && line.p[at - 1] != '@')
		at--;
	*local = at ? text_make(line.p, at - 1) : line;
	if (at && !text_ieq(text_make(line.p + at, line.n - at), domain)) {
		*why = at == line.n ? "no address" : "not in this domain";
		return false;
	}
	if (local->n > 64 || (!at && line.n == 0)) {
		*why = "no address: the local part is empty or longer than 64 bytes";
		return false;
	}
	for (size_t i = 0; i < local->n; i++)
		if ((unsigned char)local->p[i] <= ' ' || local->p[i] == 0x7f) {
			*why = "no address: it holds a space or a control character";
			return false;
		}
	return true;
}

/* ---- one address ---- */

/* "local@domain" or "@domain" as typed.  False: said. */
static bool parse_address(const struct tool *t, const char *typed, struct text *local,
			  struct text *domain)
{
	const char *at = strrchr(typed, '@'), *why;
	struct text unused;

	if (!at) {
		tool_fail(EXIT_WRONG, "\"%s\": not an address (local@domain, or @domain for all)",
			  typed);
		return false;
	}
	if (!recipient_own_domain(t, at + 1, domain))
		return false;
	*local = text_make(typed, (size_t)(at - typed));
	if (local->n && !recipient_split(*local, *domain, &unused, &why)) {
		tool_fail(EXIT_WRONG, "\"%s\": %s", typed, why);
		return false;
	}
	return true;
}

static int change_one(struct each *each, const char *typed)
{
	struct tool *t = each->tool;
	const bool *add = each->arg;
	const char *done = *add ? "added" : "removed";
	struct text local, domain;

	if (!parse_address(t, typed, &local, &domain))
		return EXIT_WRONG;
	if (!tool_open_lists(t))
		return EXIT_STORE;
	const int rc = *add ? recipients_put(&t->lists, domain, local)
			    : recipients_del(&t->lists, domain, local);

	if (rc == MDB_NOTFOUND)
		return tool_fail(EXIT_NO, "%s is not on the list", typed);
	if (rc != 0)
		return tool_fail(EXIT_STORE, "cannot change %s: %s", typed, store_error(rc));
	if (t->options.json)
		table_row(&each->rows, typed, done);
	else
		printf("%s %s\n", done, typed);
	return EXIT_YES;
}

static int change_all(struct tool *t, int argc, char **argv, bool add)
{
	return each_argument(t, argc, argv, "ADDRESS CHANGE", 0, change_one, &add);
}

static int recipient_add(struct tool *t, int argc, char **argv)
{
	return change_all(t, argc, argv, true);
}

static int recipient_del(struct tool *t, int argc, char **argv)
{
	return change_all(t, argc, argv, false);
}

static int recipient_check(struct tool *t, int argc, char **argv)
{
	static const char *const answers[] = {
	    [ANSWER_NO] = "no", [ANSWER_YES] = "yes", [ANSWER_UNKNOWN] = "unknown"};
	struct text local, domain;
	const struct text delimiter = t->config->global.recipient_delimiter;

	(void)argc;
	if (!parse_address(t, argv[0], &local, &domain))
		return EXIT_WRONG;
	if (!tool_open_lists(t))
		return EXIT_STORE;
	enum answer answer =
	    recipients_find(&t->lists, domain, local, delimiter.n ? delimiter.p[0] : '\0');

	if (t->options.json) {
		fputs("{\"address\": ", stdout);
		json_string(argv[0]);
		printf(", \"exists\": \"%s\"}\n", answers[answer]);
	} else if (answer == ANSWER_UNKNOWN) {
		printf("unknown: %.*s has no list, or an empty one\n", TEXT(domain));
	} else {
		printf("%s %s\n", argv[0], answer == ANSWER_YES ? "exists" : "does not exist");
	}
	return answer == ANSWER_YES ? EXIT_YES : EXIT_NO;
}

/* ---- lists ---- */

struct listing {
	struct text domain;
	bool json, started;
};

static int print_one(struct text local, void *arg)
{
	struct listing *l = arg;

	if (l->json) {
		char address[RECIPIENT_LOCAL_MAX + LIST_KEY_MAX + 2];
		struct buf b = buf_over(address, sizeof(address));

		buf_text(&b, local);
		buf_char(&b, '@');
		buf_text(&b, l->domain);
		fputs(l->started ? ",\n " : "", stdout);
		json_text(buf_view(&b));
		l->started = true;
		return 0;
	}
	print_clean_text(stdout, local);
	printf("@%.*s\n", TEXT(l->domain));
	return 0;
}

static int list_addresses(struct tool *t, const char *typed)
{
	struct listing l = {.json = t->options.json};

	if (!recipient_own_domain(t, typed, &l.domain))
		return EXIT_WRONG;
	if (l.json)
		putchar('[');
	int rc = recipients_each(&t->lists, l.domain, print_one, &l);

	if (l.json)
		puts("]");
	return rc ? tool_fail(EXIT_STORE, "cannot read the list: %s", store_error(rc)) : EXIT_YES;
}

static int recipient_list(struct tool *t, int argc, char **argv)
{
	const bool json = t->options.json;
	struct table_out table;

	if (!tool_open_lists(t))
		return EXIT_STORE;
	if (argc == 1)
		return list_addresses(t, argv[0]);
	table_begin(&table, json, "DOMAIN ADDRESSES LOADED UNDO", 1U << 1);
	for (size_t i = 0; i < t->config->domain_count; i++) {
		struct recipients_info info = {0};
		char name[LIST_KEY_MAX + 1], count[32], loaded[40];

		text_cstr(t->config->domains[i].name, name, sizeof(name));
		if (recipients_info(&t->lists, text_of(name), &info) != 0)
			continue;
		table_row(&table, name, count_format(json, info.count, count),
			  when(json, info.loaded_wall_us, loaded), info.can_undo ? "yes" : "no");
	}
	table_end(&table);
	return EXIT_YES;
}

const struct command recipient_commands[] = {
    {"recipient", "add", "ADDRESS...", 1, 1000, 0, recipient_add,
     "add an address; @DOMAIN: whoever is not listed"},
    {"recipient", "del", "ADDRESS...", 1, 1000, 0, recipient_del, "remove an address"},
    {"recipient", "check", "ADDRESS", 1, 1, 0, recipient_check,
     "does it exist, as the list has it?"},
    {"recipient", "list", "[DOMAIN]", 0, 1, 0, recipient_list,
     "the lists there are, or the addresses of one"},
    {"recipient", "import", "DOMAIN FILE", 2, 2, TAKES_FORCE, recipient_import,
     "replace the whole list as one change; one address a line; - reads stdin", 2},
    {"recipient", "undo", "DOMAIN", 1, 1, 0, recipient_undo,
     "back to the list before the last import"},
    {0},
};
