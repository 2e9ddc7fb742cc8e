/* gatepost recipient import, undo: a whole list as one change. */
#include "master/admin/output.h"
#include "master/admin/recipient.h"
#include "shm/base/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

/* An import that would take away more than this share of a list wants --force. */
#define REMOVED_PERCENT_MAX 10
/* So many refused lines are shown one by one. */
#define REFUSED_SHOWN 20
#define READ_BYTES    65536

struct reading {
	struct text rest; /* what has not been read yet */
	struct text domain;
	unsigned long number, refused;
};

/* All of it, before anything is changed: half a list must never come into force because a disk or
 * a pipe broke.  NULL with errno. */
static char *read_whole(FILE *in, size_t *n)
{
	char *bytes = NULL;

	for (*n = 0;;) {
		char *more = realloc(bytes, *n + READ_BYTES);
		size_t got = 0;

		if (more) {
			bytes = more;
			got = fread(bytes + *n, 1, READ_BYTES, in);
		}
		*n += got;
		if (got > 0)
			continue;
		if (more && feof(in))
			return bytes;
		free(bytes);
		return NULL;
	}
}

static bool next_recipient(struct text *local, void *arg)
{
	struct reading *r = arg;
	const char *why;

	while (r->rest.n) {
		struct text line, tail;

		text_split(r->rest, '\n', &line, &tail);
		r->rest = tail;
		r->number++;
		line = text_trim(line);
		if (line.n == 0 || line.p[0] == '#')
			continue;
		if (recipient_split(line, r->domain, local, &why))
			return true;
		if (++r->refused > REFUSED_SHOWN)
			continue;
		fprintf(stderr, "  line %lu: \"", r->number);
		print_clean_text(stderr, line);
		fprintf(stderr, "\": %s\n", why);
	}
	return false;
}

static int said_no(const struct tool *t, const struct recipients_change *c)
{
	const uint64_t was = c->removed + c->kept;
	const uint64_t percent = was ? c->removed * 100 / was : 0;
	char gone[32], all[32];

	return tool_fail(EXIT_NO,
			 "%s would remove %s of %s addresses (%llu %%): nothing changed; --force "
			 "if that is meant",
			 t->input_name, count_format(false, c->removed, gone),
			 count_format(false, was, all), (unsigned long long)percent);
}

static void print_import_json(const struct reading *r, const struct recipients_change *c)
{
	printf("{\"lines\": %lu, \"addresses\": %" PRIu64 ", \"repeated\": %" PRIu64
	       ", \"refused\": %lu, \"new\": %" PRIu64 ", \"gone\": %" PRIu64 ", \"kept\": %" PRIu64
	       "}\n",
	       r->number, c->added + c->kept, c->repeated, r->refused, c->added, c->removed,
	       c->kept);
}

static void print_import(const struct reading *r, const struct recipients_change *c, double seconds)
{
	char lines[32], addresses[32], repeated[32], refused[32], was[32], gone[32], kept[32];
	char added[32];

	printf("read %s lines in %.1f s: %s addresses, %s repeated, %s refused\n",
	       count_format(false, r->number, lines), seconds,
	       count_format(false, c->added + c->kept, addresses),
	       count_format(false, c->repeated, repeated),
	       count_format(false, r->refused, refused));
	printf("compared with the list in force (%s): %s new, %s gone, %s kept\n",
	       count_format(false, c->removed + c->kept, was), count_format(false, c->added, added),
	       count_format(false, c->removed, gone), count_format(false, c->kept, kept));
	printf("in force now as one change.  Back: gatepost recipient undo %.*s\n",
	       TEXT(r->domain));
}

static int import_bytes(struct tool *t, struct reading *r)
{
	struct recipients_change change = {0};
	const int64_t started = clock_mono_us();
	int rc = recipients_import(&t->lists, r->domain, next_recipient, r,
				   t->options.force ? 100 : REMOVED_PERCENT_MAX, &change);

	if (rc == ECANCELED)
		return said_no(t, &change);
	if (rc == EBUSY)
		return tool_fail(EXIT_NO, "another import is running: nothing changed");
	if (rc)
		return tool_fail(EXIT_STORE, "cannot import %s: %s", t->input_name,
				 store_error(rc));
	if (t->options.json)
		print_import_json(r, &change);
	else
		print_import(r, &change, (double)(clock_mono_us() - started) / SECOND_US);
	return EXIT_YES;
}

int recipient_import(struct tool *t, int argc, char **argv)
{
	struct reading r = {0};
	size_t n;

	(void)argc;
	if (!recipient_own_domain(t, argv[0], &r.domain))
		return EXIT_WRONG;
	if (!tool_open_lists(t))
		return EXIT_STORE;
	char *bytes = read_whole(t->input, &n);

	if (!bytes)
		return tool_fail(EXIT_WRONG, "cannot read %s: %m", t->input_name);
	r.rest = text_make(bytes, n);
	int status = import_bytes(t, &r);

	free(bytes);
	return status;
}

int recipient_undo(struct tool *t, int argc, char **argv)
{
	struct recipients_change c = {0};
	struct text domain;
	char added[32], gone[32], kept[32];

	(void)argc;
	if (!recipient_own_domain(t, argv[0], &domain))
		return EXIT_WRONG;
	if (!tool_open_lists(t))
		return EXIT_STORE;
	int rc = recipients_undo(&t->lists, domain, &c);

	if (rc == MDB_NOTFOUND)
		return tool_fail(EXIT_NO, "there is no earlier list of %.*s", TEXT(domain));
	if (rc)
		return tool_fail(EXIT_STORE, "cannot undo: %s", store_error(rc));
	if (t->options.json)
		printf("{\"domain\": \"%.*s\", \"new\": %llu, \"gone\": %llu, \"kept\": %llu}\n",
		       TEXT(domain), (unsigned long long)c.added, (unsigned long long)c.removed,
		       (unsigned long long)c.kept);
	else
		printf("the earlier list of %.*s is in force: %s back, %s gone, %s kept\n",
		       TEXT(domain), count_format(false, c.added, added),
		       count_format(false, c.removed, gone), count_format(false, c.kept, kept));
	return EXIT_YES;
}
