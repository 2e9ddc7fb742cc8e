/* The incidents of the last hour, by check. */
#include "master/admin/status_refused.h"

#include "master/admin/output.h"
#include "shm/base/clock.h"
#include "shm/journal.h"

#include <inttypes.h>

/* A flood makes many: so many of the newest are looked at. */
enum { INCIDENTS_MAX = 50000 };

struct counting {
	struct refused_by *out;
	int64_t since_wall_us;
	unsigned left;
};

static size_t place_of(const struct event_view *v)
{
	struct field_view field;

	if (!event_get(v, FIELD_check, &field))
		return CHECK_COUNT;
	for (size_t i = 0; i < CHECK_COUNT; i++) {
		if (text_eq(field.text, text_of(check_row((enum check_id)i)->name)))
			return i;
	}
	return CHECK_COUNT;
}

/* From the newest on. */
static int count_one(const struct incident *i, void *arg)
{
	struct counting *c = arg;
	struct event_view v;

	if (c->left-- == 0) {
		c->out->cut = true;
		return 1;
	}
	if (!event_parse(i->bytes, i->n, &v))
		return 0;
	if (v.wall_us < c->since_wall_us)
		return 1;
	c->out->by[place_of(&v)] += 1 + i->repeats;
	return 0;
}

bool refused_last_hour(struct tool *t, struct refused_by *out)
{
	struct counting c = {out, t->now_wall_us - 3600 * SECOND_US, INCIDENTS_MAX};

	*out = (struct refused_by){0};
	if (!tool_open_events(t))
		return false;
	int rc = incident_each(&t->events, count_one, &c);

	if (rc == 0 || rc == 1)
		return true;
	tool_fail(EXIT_STORE, "cannot read the incidents: %s", store_error(rc));
	return false;
}

static const char *name_at(size_t place)
{
	return place < CHECK_COUNT ? check_row((enum check_id)place)->name : "others";
}

/* The largest that hasn't been shown; CHECK_COUNT + 1: none is left. */
static size_t next_largest(const struct refused_by *r, const bool *done)
{
	size_t best = CHECK_COUNT + 1;

	for (size_t i = 0; i <= CHECK_COUNT; i++) {
		if (r->by[i] > 0 && !done[i] && (best > CHECK_COUNT || r->by[i] > r->by[best]))
			best = i;
	}
	return best;
}

void refused_print(const struct refused_by *r)
{
	bool done[CHECK_COUNT + 1] = {false};
	char count[32];
	size_t shown = 0;

	for (size_t i; (i = next_largest(r, done)) <= CHECK_COUNT; shown++) {
		done[i] = true;
		printf("%s%s %s", shown ? "   " : "refused by    ", name_at(i),
		       count_format(false, r->by[i], count));
	}
	if (shown)
		puts(r->cut ? "   (the newest of the last hour)" : "   (last hour)");
}

void refused_print_json(const struct refused_by *r)
{
	bool started = false;

	putchar('{');
	for (size_t i = 0; i <= CHECK_COUNT; i++) {
		if (r->by[i] == 0)
			continue;
		printf("%s\"%s\": %" PRIu64, started ? ", " : "", name_at(i), r->by[i]);
		started = true;
	}
	putchar('}');
}
