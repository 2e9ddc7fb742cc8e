/* gatepost status: the process tree, sessions, sums.  Exit status 1 if no daemon runs. */
#include "master/admin/output.h"
#include "master/admin/status_antivirus.h"
#include "master/admin/status_certificates.h"
#include "master/admin/status_lists.h"
#include "master/admin/status_refused.h"
#include "master/admin/tool.h"
#include "master/version.h"
#include "shm/base/clock.h"
#include "shm/rates.h"

#include <stdio.h>
#include <sys/types.h>
#include <unistd.h>

static const char *const run_modes[] = {"enforce", "monitor", "soft"};

/* Resident memory and CPU time of a process, from /proc; false if it is gone. */
static bool process_use(int pid, uint64_t *rss_bytes, uint64_t *cpu_ms)
{
	char path[64], line[1024];
	unsigned long user = 0, system = 0;
	long pages = 0;
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	FILE *f = fopen(path, "r");
	if (!f)
		return false;
	const char *after = fgets(line, sizeof(line), f) ? strrchr(line, ')') : NULL;
	fclose(f);
	if (!after ||
	    sscanf(
		after + 1,
		" %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %*d %*d %*d %*d %*d %*d %*u "
		"%*u %ld",
		&user, &system, &pages) != 3)
		return false;
	*rss_bytes = (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
	*cpu_ms = (uint64_t)(user + system) * 1000 / (uint64_t)sysconf(_SC_CLK_TCK);
	return true;
}

/* How a row reads: in JSON seconds and bytes. */
static void use_format(bool json, int pid, char cpu[24], char rss[32])
{
	uint64_t rss_bytes, cpu_ms;

	cpu[0] = rss[0] = '\0';
	if (!process_use(pid, &rss_bytes, &cpu_ms))
		return;
	snprintf(cpu, 24, json ? "%.2f" : "%.1f s", (double)cpu_ms / 1000);
	if (json)
		snprintf(rss, 32, "%llu", (unsigned long long)rss_bytes);
	else
		snprintf(rss, 32, "%llu MB", (unsigned long long)((rss_bytes + (1 << 19)) >> 20));
}

static void up_format(bool json, int64_t us, char dst[32])
{
	if (json)
		snprintf(dst, 32, "%lld", (long long)(us / SECOND_US));
	else
		span_format(us / SECOND_US * SECOND_US, dst);
}

static void process_row(struct table_out *table, const struct process_slot *p, const char *name,
			int pid, int64_t up_us)
{
	char id[16], up[32] = "", sessions[16], cpu[24], rss[32], restarts[16], generation[16];
	char stress[8], accepted[32];

	snprintf(id, sizeof(id), "%d", pid);
	up_format(table->json, up_us, up);
	use_format(table->json, pid, cpu, rss);
	snprintf(sessions, sizeof(sessions), "%u", p ? atomic_load(&p->sessions) : 0);
	snprintf(restarts, sizeof(restarts), "%u", p ? p->restarts : 0);
	snprintf(generation, sizeof(generation), "%u", p ? p->generation : 0);
	snprintf(stress, sizeof(stress), "%u", p ? atomic_load(&p->stress) : 0);
	const bool worker = p && p->role == ROLE_WORKER;

	count_format(table->json, p ? atomic_load(&p->metrics[METRIC_messages_accepted]) : 0,
		     accepted);
	table_row(table, name, id, up, worker ? generation : "", worker ? sessions : "",
		  worker ? accepted : "", worker ? stress : "", cpu, rss, p ? restarts : "",
		  p && atomic_load(&p->draining) ? "draining" : "");
}

static void print_processes(const struct segment *s, int64_t up_us, bool json)
{
	struct table_out table;

	table_begin(&table, json,
		    "PROCESS PID UP GENERATION SESSIONS ACCEPTED STRESS CPU RSS RESTARTS STATE",
		    0x3FE);
	process_row(&table, NULL, "master", atomic_load(&s->header->master_pid), up_us);
	for (unsigned i = 0; i < SEGMENT_PROCESSES; i++) {
		const struct process_slot *p = &s->processes[i];
		char name[32];
		const int pid = atomic_load(&p->pid);

		if (pid == 0)
			continue;
		if (p->role == ROLE_WORKER)
			snprintf(name, sizeof(name), "worker %u", p->index + 1);
		else
			snprintf(name, sizeof(name), "%s", role_name((enum role)p->role));
		process_row(&table, p, name, pid, clock_boot_us() - p->started_boot_us);
	}
	table_end(&table);
}

static uint32_t sessions_now(const struct segment *s, uint32_t *stress)
{
	uint32_t sum = 0;
	*stress = 0;
	for (unsigned i = 0; i < SEGMENT_PROCESSES; i++) {
		const struct process_slot *p = &s->processes[i];
		if (atomic_load(&p->pid) == 0 || p->role != ROLE_WORKER)
			continue;
		sum += atomic_load(&p->sessions);
		const uint32_t level = atomic_load(&p->stress);
		*stress = level > *stress ? level : *stress;
	}
	return sum;
}

/* {"connections": 1, ...} */
static void json_metrics(const char *name, const uint64_t values[METRIC_COUNT])
{
	printf(",\n \"%s\": {", name);
	for (int m = 0; m < METRIC_COUNT; m++)
		printf("%s\"%s\": %llu", m ? ", " : "", metric_name((enum metric)m),
		       (unsigned long long)values[m]);
	putchar('}');
}

static void print_json(const struct tool *t, const struct refused_by *refused, int64_t up_us)
{
	const struct segment *s = &t->segment;
	const uint32_t mode = atomic_load(&s->header->mode);
	uint64_t sums[METRIC_COUNT], grown[METRIC_COUNT];
	uint32_t stress;
	const uint32_t sessions = sessions_now(s, &stress);
	const int64_t over_us = rates_last_minute(s, clock_boot_us(), grown);

	for (int m = 0; m < METRIC_COUNT; m++)
		sums[m] = metric_sum(s, (enum metric)m);
	printf("{\"version\": \"%s\", \"hostname\": ", GATEPOST_VERSION);
	json_text(t->config->global.hostname);
	printf(", \"up\": %lld, \"generation\": %u, \"mode\": \"%s\", \"sessions\": %u, "
	       "\"stress\": %u, \"worker_deaths\": %llu",
	       (long long)(up_us / SECOND_US), atomic_load(&s->header->generation),
	       mode < 3 ? run_modes[mode] : "?", sessions, stress,
	       (unsigned long long)atomic_load(&s->header->worker_deaths));
	json_metrics("metrics", sums);
	printf(",\n \"last_minute_seconds\": %.1f", (double)over_us / SECOND_US);
	json_metrics("last_minute", grown);
	fputs(",\n \"refused_by_last_hour\": ", stdout);
	refused_print_json(refused);
	fputs(",\n \"dns_lists\": ", stdout);
	lists_print(t);
	fputs(",\n \"antivirus\": ", stdout);
	antivirus_print(t);
	fputs(",\n \"certificates\": ", stdout);
	certificates_print(t);
	fputs(",\n \"processes\": ", stdout);
	print_processes(s, up_us, true);
	puts("}");
}

static const struct {
	const char *name;
	enum metric metric;
	bool always;
} shown[] = {
    {"accepted", METRIC_messages_accepted, true},
    {"refused 5xx", METRIC_messages_refused, true},
    {"deferred 4xx", METRIC_messages_deferred, true},
    {"would refuse (monitor)", METRIC_would_refuse, false},
    {"undecided", METRIC_undecided, true},
    {"connections", METRIC_connections, true},
    {"sessions refused", METRIC_sessions_refused, false},
    {"DNS lists switched off", METRIC_dnsbl_switched_off, false},
    {"next-hop failures", METRIC_hop_failures, false},
    {"messages not scanned", METRIC_scans_failed, false},
    {"events dropped", METRIC_events_dropped, false},
};

static void print_sums(const char *label, const uint64_t values[METRIC_COUNT])
{
	char count[32];

	printf("%-14s", label);
	for (size_t i = 0, n = 0; i < sizeof(shown) / sizeof(shown[0]); i++) {
		if (shown[i].always || values[shown[i].metric])
			printf("%s%s %s", n++ ? "   " : "", shown[i].name,
			       count_format(false, values[shown[i].metric], count));
	}
	putchar('\n');
}

static void print_rates(const struct segment *s)
{
	uint64_t values[METRIC_COUNT];
	char label[64], span[32];
	const int64_t over_us = rates_last_minute(s, clock_boot_us(), values);

	if (over_us >= 55 * SECOND_US)
		print_sums("last minute", values);
	else if (over_us > 0) {
		snprintf(label, sizeof(label), "last %s", span_format(over_us, span));
		print_sums(label, values);
	}
	for (int m = 0; m < METRIC_COUNT; m++)
		values[m] = metric_sum(s, (enum metric)m);
	print_sums("since start", values);
}

static void print_mode(uint32_t mode)
{
	const bool colour = isatty(STDOUT_FILENO);

	if (mode == RUN_ENFORCE || mode >= 3)
		return;
	printf("%sMODE IS %s: %s%s\n", colour ? "\033[1;31m" : "",
	       mode == RUN_SOFT ? "SOFT" : "MONITOR",
	       mode == RUN_SOFT ? "every refusal is only deferred" : "nothing is refused",
	       colour ? "\033[0m" : "");
}

static void print_head(const struct tool *t, int64_t up_us)
{
	const struct segment *s = &t->segment;
	char loaded[40], up[32], count[32];
	uint32_t stress;
	const uint32_t sessions = sessions_now(s, &stress);

	printf("gatepostd %s on %.*s, up %s, generation %u (loaded %s), %s session%s, stress %u of "
	       "3\n",
	       GATEPOST_VERSION, TEXT(t->config->global.hostname),
	       span_format(up_us / SECOND_US * SECOND_US, up), atomic_load(&s->header->generation),
	       minute_format(s->header->loaded_wall_us, loaded),
	       count_format(false, sessions, count), sessions == 1 ? "" : "s", stress);
}

static int status_show(struct tool *t, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	if (!tool_attach(t))
		return tool_fail(EXIT_NO, "no gatepostd runs on state-dir %.*s",
				 TEXT(t->config->global.state_dir));
	const struct segment *s = &t->segment;
	const int64_t up_us = t->now_wall_us - s->header->started_wall_us;
	struct refused_by refused = {0};

	if (!refused_last_hour(t, &refused))
		return EXIT_STORE;
	if (t->options.json) {
		print_json(t, &refused, up_us);
		return EXIT_YES;
	}
	print_head(t, up_us);
	print_mode(atomic_load(&s->header->mode));
	print_processes(s, up_us, false);
	print_rates(s);
	refused_print(&refused);
	antivirus_print(t);
	lists_print(t);
	certificates_print(t);
	return EXIT_YES;
}

const struct command status_commands[] = {
    {"status", "", "", 0, 0, 0, status_show, "the processes, sessions, rates"},
    {0},
};
