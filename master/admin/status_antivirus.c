/* What the master knows of the anti-virus engine. */
#include "master/admin/status_antivirus.h"

#include "master/admin/output.h"
#include "shm/base/clock.h"

/* freshclam looks several times a day. */
#define OLD_US (3 * 24 * 3600 * SECOND_US)

static void print_json(const struct antivirus_note *a, enum antivirus_state state)
{
	char built[40], loaded[40], failed[40];

	printf("{\"state\": \"%s\", \"signatures\": %u, \"version\": %u, \"built\": ",
	       antivirus_state_name(state), atomic_load(&a->signatures), atomic_load(&a->version));
	json_string(when(true, atomic_load(&a->built_wall_s) * SECOND_US, built));
	fputs(", \"loaded\": ", stdout);
	json_string(when(true, atomic_load(&a->loaded_wall_us), loaded));
	fputs(", \"failed\": ", stdout);
	json_string(when(true, atomic_load(&a->failed_wall_us), failed));
	putchar('}');
}

static void print_database(const struct tool *t, const struct antivirus_note *a)
{
	const int64_t built_us = atomic_load(&a->built_wall_s) * SECOND_US;
	const int64_t age_us = t->now_wall_us - built_us;
	char count[32], loaded[40], age[32];

	printf("anti-virus     %s signatures, version %u, loaded %s",
	       count_format(false, atomic_load(&a->signatures), count), atomic_load(&a->version),
	       minute_format(atomic_load(&a->loaded_wall_us), loaded));
	if (built_us > 0 && age_us > OLD_US)
		printf("; WARNING: the database is %s old", span_format(age_us, age));
	putchar('\n');
}

void antivirus_print(const struct tool *t)
{
	const struct antivirus_note *a = &t->segment.header->antivirus;
	const enum antivirus_state state = (enum antivirus_state)atomic_load(&a->state);
	const int64_t failed_us = atomic_load(&a->failed_wall_us);
	char since[40];

	if (t->options.json) {
		print_json(a, state);
		return;
	}
	if (!text_empty(t->config->clamav.clamd)) {
		printf("anti-virus     clamd at %.*s\n", TEXT(t->config->clamav.clamd));
		return;
	}
	if (state == ANTIVIRUS_UNUSED)
		return;
	if (state == ANTIVIRUS_READY)
		print_database(t, a);
	else
		printf("anti-virus     %s: messages %s\n", antivirus_state_name(state),
		       state == ANTIVIRUS_LOADING ? "wait for it" : "are NOT SCANNED");
	if (failed_us != 0)
		printf("anti-virus     WARNING: a database that can't be used was found %s\n",
		       minute_format(failed_us, since));
}
