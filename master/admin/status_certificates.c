/* What the master knows of the certificates. */
#include "master/admin/status_certificates.h"

#include "master/admin/output.h"
#include "shm/base/clock.h"

#define DAY_S 86400

/* While the master writes the list, a name may be cut. */
static const char *name_of(const struct certificate_alarm_note *a, char dst[sizeof(a->name)])
{
	snprintf(dst, sizeof(a->name), "%.*s", (int)sizeof(a->name) - 1, a->name);
	return dst;
}

static uint32_t alarm_count(const struct certificate_note *n)
{
	const uint32_t count = atomic_load(&n->alarm_count);

	return count < CERTIFICATE_ALARMS ? count : CERTIFICATE_ALARMS;
}

static void print_json(const struct certificate_note *n)
{
	char name[sizeof(n->alarms[0].name)], ends[40];

	printf("{\"count\": %u, \"expiring\": %u, \"outdated\": %u, \"first_ends\": ",
	       atomic_load(&n->count), atomic_load(&n->expiring), atomic_load(&n->outdated));
	json_string(when(true, atomic_load(&n->first_ends_wall_s) * SECOND_US, ends));
	fputs(", \"alarms\": [", stdout);
	for (uint32_t i = 0; i < alarm_count(n); i++) {
		const struct certificate_alarm_note *a = &n->alarms[i];

		fputs(i ? ", {\"name\": " : "{\"name\": ", stdout);
		json_string(name_of(a, name));
		printf(", \"alarm\": \"%s\", \"ends\": ",
		       atomic_load(&a->what) == CERTIFICATE_EXPIRING ? "expiring" : "outdated");
		json_string(when(true, atomic_load(&a->ends_wall_s) * SECOND_US, ends));
		putchar('}');
	}
	fputs("]}", stdout);
}

static void print_alarm(const struct certificate_alarm_note *a, int64_t now_s)
{
	const int64_t left_s = atomic_load(&a->ends_wall_s) - now_s;
	char name[sizeof(a->name)];

	print_clean(stdout, name_of(a, name));
	if (atomic_load(&a->what) == CERTIFICATE_OUTDATED)
		printf(" is older than its file: reload");
	else if (left_s < 0)
		printf(" has EXPIRED");
	else if (left_s < DAY_S)
		printf(" ends within a day");
	else
		printf(" ends in %lld day%s", (long long)(left_s / DAY_S),
		       left_s / DAY_S == 1 ? "" : "s");
}

void certificates_print(const struct tool *t)
{
	const struct certificate_note *n = &t->segment.header->certificates;
	const uint32_t count = atomic_load(&n->count);
	char ends[40];

	if (t->options.json) {
		print_json(n);
		return;
	}
	if (count == 0)
		return;
	printf("certificates   %u, %s %s\n", count, count == 1 ? "which ends" : "the first ends",
	       minute_format(atomic_load(&n->first_ends_wall_s) * SECOND_US, ends));
	for (uint32_t i = 0; i < alarm_count(n); i++) {
		fputs(i ? "; " : "warnings       ", stdout);
		print_alarm(&n->alarms[i], t->now_wall_us / SECOND_US);
	}
	if (alarm_count(n))
		putchar('\n');
}
