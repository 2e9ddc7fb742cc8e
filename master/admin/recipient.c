/* gatepost recipient: which addresses of a domain exist. */
#include "master/admin/output.h"
#include "master/admin/tool.h"
#include "policy/message/address.h"
#include "shm/base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* An import that would take away more than this share of a list wants --force. */
#define REMOVED_PERCENT_MAX 10
/* So many refused lines are shown one by one. */
#define REFUSED_SHOWN 20

/* A domain of ours, in the form in which lists hold it.  NULL: said. */
static const struct domain *own_domain(const struct tool *t, const char *typed, struct text *name)
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
		fprintf(stderr,
			"gatepost: note: %s has not `recipients = \"list\"`: its list is kept but "
			"not asked\n",
			normal);
	return d;
}

/* Splits "local@domain", "@domain" or a bare local part.  False with the reason. */
static bool split_address(struct text line, struct text domain, struct text *local,
			  const char **why)
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

struct reading {
	FILE *in;
	const char *name;
	struct text domain;
	char *line;
	size_t size;
	unsigned long number, refused;
};

static bool next_recipient(struct text *local, void *arg)
{
	struct reading *r = arg;
	const char *why;
	while (getline(&r->line, &r->size, r->in) > 0) {
		struct text line = text_trim(text_of(r->line));
		r->number++;
		if (line.n == 0 || line.p[0] == '#')
			continue;
		if (split_address(line, r->domain, local, &why))
			return true;
		if (++r->refused <= REFUSED_SHOWN)
			fprintf(stderr, "  line %lu: \"%.*s\": %s\n", r->number, TEXT(line), why);
	}
	return false;
}

static int recipient_import(struct tool *t, int argc, char **argv)
{
	struct recipients_change change = {0};
	struct reading r = {.name = argv[1]};
	(void)argc;
	if (!own_domain(t, argv[0], &r.domain))
		return EXIT_WRONG;
	r.in = strcmp(argv[1], "-") == 0 ? stdin : fopen(argv[1], "r");
	if (!r.in)
		return tool_fail(EXIT_WRONG, "cannot read %s: %m", argv[1]);
	if (!tool_open_lists(t, STORE_WRITE))
		return EXIT_STORE;
	const int64_t started = clock_mono_us();
	int rc = recipients_import(&t->lists, r.domain, next_recipient, &r,
				   t->options.force ? 100 : REMOVED_PERCENT_MAX, &change);
	free(r.line);
	if (r.in != stdin)
		fclose(r.in);
	const unsigned long long was = change.removed + change.kept;
	if (rc == ECANCELED)
		return tool_fail(
		    EXIT_NO,
		    "%s would remove %llu of %llu addresses (%llu %%): nothing changed; --force if "
		    "that is meant",
		    argv[1], (unsigned long long)change.removed, was,
		    was ? (unsigned long long)change.removed * 100 / was : 0);
	if (rc)
		return tool_fail(EXIT_STORE, "cannot import %s: %s", argv[1], store_error(rc));
	const unsigned long long addresses = change.added + change.kept;
	if (t->options.json) {
		printf("{\"lines\": %lu, \"addresses\": %llu, \"repeated\": %llu, \"refused\": "
		       "%lu, \"new\": %llu, "
		       "\"gone\": %llu, \"kept\": %llu}\n",
		       r.number, addresses, (unsigned long long)change.repeated, r.refused,
		       (unsigned long long)change.added, (unsigned long long)change.removed,
		       (unsigned long long)change.kept);
		return EXIT_YES;
	}
	printf("read %lu lines in %.1f s: %llu addresses, %llu repeated, %lu refused\n", r.number,
	       (double)(clock_mono_us() - started) / SECOND_US, addresses,
	       (unsigned long long)change.repeated, r.refused);
	printf("compared with the list in force (%llu): %llu new, %llu gone, %llu kept\n", was,
	       (unsigned long long)change.added, (unsigned long long)change.removed,
	       (unsigned long long)change.kept);
	printf("in force now as one change.  Back: gatepost recipient undo %s\n", argv[0]);
	return EXIT_YES;
}

static int recipient_undo(struct tool *t, int argc, char **argv)
{
	struct recipients_change change = {0};
	struct text domain;
	(void)argc;
	if (!own_domain(t, argv[0], &domain))
		return EXIT_WRONG;
	if (!tool_open_lists(t, STORE_WRITE))
		return EXIT_STORE;
	int rc = recipients_undo(&t->lists, domain, &change);
	if (rc == MDB_NOTFOUND)
		return tool_fail(EXIT_NO, "there is no earlier list of %.*s", TEXT(domain));
	if (rc)
		return tool_fail(EXIT_STORE, "cannot undo: %s", store_error(rc));
	printf("the earlier list of %.*s is in force\n", TEXT(domain));
	return EXIT_YES;
}

static int change_one(struct tool *t, int argc, char **argv, bool add)
{
	int status = EXIT_YES;
	for (int i = 0; i < argc; i++) {
		struct text typed = text_of(argv[i]), domain, local;
		const char *at = strrchr(argv[i], '@'), *why;
		if (!at)
			return tool_fail(
			    EXIT_WRONG, "\"%s\": not an address (local@domain, or @domain for all)",
			    argv[i]);
		if (!own_domain(t, at + 1, &domain))
			return EXIT_WRONG;
		typed.n = (size_t)(at - argv[i]);
		if (typed.n && !split_address(typed, domain, &local, &why))
			return tool_fail(EXIT_WRONG, "\"%s\": %s", argv[i], why);
		if (!tool_open_lists(t, STORE_WRITE))
			return EXIT_STORE;
		int rc = add ? recipients_put(&t->lists, domain, typed)
			     : recipients_del(&t->lists, domain, typed);
		if (rc == MDB_NOTFOUND)
			status = tool_fail(EXIT_NO, "%s is not on the list", argv[i]);
		else if (rc)
			return tool_fail(EXIT_STORE, "cannot change %s: %s", argv[i],
					 store_error(rc));
		else
			printf("%s %s\n", add ? "added" : "removed", argv[i]);
	}
	return status;
}

static int recipient_add(struct tool *t, int argc, char **argv)
{
	return change_one(t, argc, argv, true);
}

static int recipient_del(struct tool *t, int argc, char **argv)
{
	return change_one(t, argc, argv, false);
}

static int recipient_check(struct tool *t, int argc, char **argv)
{
	struct text domain;
	const char *at = strrchr(argv[0], '@');
	const struct text delimiter = t->config->global.recipient_delimiter;
	(void)argc;
	if (!at)
		return tool_fail(EXIT_WRONG, "\"%s\": not an address", argv[0]);
	if (!own_domain(t, at + 1, &domain))
		return EXIT_WRONG;
	if (!tool_open_lists(t, STORE_WRITE))
		return EXIT_STORE;
	switch (recipients_find(&t->lists, domain, text_make(argv[0], (size_t)(at - argv[0])),
				delimiter.n ? delimiter.p[0] : '\0')) {
	case ANSWER_YES:
		printf("%s exists\n", argv[0]);
		return EXIT_YES;
	case ANSWER_NO:
		printf("%s does not exist\n", argv[0]);
		return EXIT_NO;
	case ANSWER_UNKNOWN:
		break;
	}
	printf("unknown: %.*s has no list, or an empty one\n", TEXT(domain));
	return EXIT_NO;
}

static int print_one(struct text local, void *arg)
{
	const struct text *domain = arg;
	printf("%.*s@%.*s\n", TEXT(local), TEXT(*domain));
	return 0;
}

static int recipient_list(struct tool *t, int argc, char **argv)
{
	struct text domain;
	struct table_out table;
	if (!tool_open_lists(t, STORE_WRITE))
		return EXIT_STORE;
	if (argc == 1) {
		if (!own_domain(t, argv[0], &domain))
			return EXIT_WRONG;
		int rc = recipients_each(&t->lists, domain, print_one, &domain);
		return rc ? tool_fail(EXIT_STORE, "cannot read the list: %s", store_error(rc))
			  : EXIT_YES;
	}
	table_begin(&table, t->options.json, "DOMAIN ADDRESSES LOADED UNDO", 1U << 1);
	for (size_t i = 0; i < t->config->domain_count; i++) {
		struct recipients_info info = {0};
		char name[LIST_KEY_MAX + 1], count[24], loaded[40];
		text_cstr(t->config->domains[i].name, name, sizeof(name));
		if (recipients_info(&t->lists, text_of(name), &info) != 0)
			continue;
		snprintf(count, sizeof(count), "%llu", (unsigned long long)info.count);
		table_row(&table, name, count, when(info.loaded_wall_us, loaded),
			  info.can_undo ? "yes" : "no");
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
     "replace the whole list as one change; one address a line; - reads stdin"},
    {"recipient", "undo", "DOMAIN", 1, 1, 0, recipient_undo,
     "back to the list before the last import"},
    {0},
};
