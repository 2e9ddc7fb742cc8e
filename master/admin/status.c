/* gatepost status: the process tree, sessions, sums.  Exit status 1 if no daemon runs. */
#include "master/admin/output.h"
#include "master/admin/tool.h"
#include "master/version.h"
#include "shm/base/clock.h"

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

static void process_row(struct table_out *table, const struct process_slot *p, const char *name,
			int pid, int64_t started_boot_us)
{
	char id[16], up[24] = "", sessions[16], cpu[24] = "", rss[24] = "", restarts[16],
		     generation[16], stress[8];
	uint64_t rss_bytes, cpu_ms;
	snprintf(id, sizeof(id), "%d", pid);
	if (started_boot_us)
		duration_format((clock_boot_us() - started_boot_us) / SECOND_US * SECOND_US, up);
	if (process_use(pid, &rss_bytes, &cpu_ms)) {
		snprintf(cpu, sizeof(cpu), "%.1f s", (double)cpu_ms / 1000);
		size_format(rss_bytes >> 20 << 20, rss);
	}
	snprintf(sessions, sizeof(sessions), "%u", p ? atomic_load(&p->sessions) : 0);
	snprintf(restarts, sizeof(restarts), "%u", p ? p->restarts : 0);
	snprintf(generation, sizeof(generation), "%u", p ? p->generation : 0);
	snprintf(stress, sizeof(stress), "%u", p ? atomic_load(&p->stress) : 0);
	const bool worker = p && p->role == ROLE_WORKER;
	table_row(table, name, id, up, worker ? generation : "", worker ? sessions : "",
		  worker ? stress : "", cpu, rss, p ? restarts : "",
		  p && atomic_load(&p->draining) ? "draining" : "");
}

static void print_processes(const struct segment *s, bool json)
{
	struct table_out table;
	table_begin(&table, json,
		    "PROCESS PID UP GENERATION SESSIONS STRESS CPU RSS RESTARTS STATE",
		    1U << 1 | 1U << 3 | 1U << 4 | 1U << 5 | 1U << 8);
	process_row(&table, NULL, "master", atomic_load(&s->header->master_pid), 0);
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
		process_row(&table, p, name, pid, p->started_boot_us);
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

static const struct {
	const char *name;
} metric_names[] = {
#define METRIC(name, type, help) {#name},
#include "shm/metrics.def"
#undef METRIC
};

static void print_json(const struct tool *t)
{
	const struct segment *s = &t->segment;
	uint32_t stress;
	const uint32_t sessions = sessions_now(s, &stress);
	const uint32_t mode = atomic_load(&s->header->mode);
	printf("{\"version\": \"%s\", \"generation\": %u, \"mode\": \"%s\", \"sessions\": %u, "
	       "\"stress\": %u, "
	       "\"worker_deaths\": %llu,\n \"metrics\": {",
	       GATEPOST_VERSION, atomic_load(&s->header->generation),
	       mode < 3 ? run_modes[mode] : "?", sessions, stress,
	       (unsigned long long)atomic_load(&s->header->worker_deaths));
	for (int m = 0; m < METRIC_COUNT; m++)
		printf("%s\"%s\": %llu", m ? ", " : "", metric_names[m].name,
		       (unsigned long long)metric_sum(s, (enum metric)m));
	printf("},\n \"processes\": ");
	print_processes(s, true);
	puts("}");
}

static void print_sums(const struct segment *s)
{
	static const struct {
		enum metric metric;
		const char *name;
	} shown[] = {
	    {METRIC_connections, "connections"},
	    {METRIC_messages_accepted, "accepted"},
	    {METRIC_messages_refused, "refused 5xx"},
	    {METRIC_messages_deferred, "deferred 4xx"},
	    {METRIC_would_refuse, "would refuse (monitor)"},
	    {METRIC_undecided, "undecided"},
	    {METRIC_sessions_refused, "sessions refused"},
	    {METRIC_hop_failures, "next-hop failures"},
	    {METRIC_events_dropped, "events dropped"},
	};
	fputs("since the start", stdout);
	for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++)
		printf("   %s %llu", shown[i].name,
		       (unsigned long long)metric_sum(s, shown[i].metric));
	putchar('\n');
}

static int status_show(struct tool *t, int argc, char **argv)
{
	char loaded[40], up[24];
	uint32_t stress;
	(void)argc;
	(void)argv;
	if (!tool_attach(t))
		return tool_fail(EXIT_NO, "no gatepostd runs on state-dir %.*s",
				 TEXT(t->config->global.state_dir));
	if (t->options.json) {
		print_json(t);
		return EXIT_YES;
	}
	const struct segment *s = &t->segment;
	const uint32_t mode = atomic_load(&s->header->mode);
	const uint32_t sessions = sessions_now(s, &stress);
	duration_format((t->now_wall_us - s->header->started_wall_us) / SECOND_US * SECOND_US, up);
	printf(
	    "gatepostd %s on %.*s, up %s, generation %u (loaded %s), %u sessions, stress %u of 3\n",
	    GATEPOST_VERSION, TEXT(t->config->global.hostname), up,
	    atomic_load(&s->header->generation), wall_format(s->header->loaded_wall_us, loaded),
	    sessions, stress);
	if (mode != RUN_ENFORCE && mode < 3) {
		const bool colour = isatty(STDOUT_FILENO);
		printf("%sMODE IS %s: %s%s\n", colour ? "\033[1;31m" : "",
		       mode == RUN_SOFT ? "SOFT" : "MONITOR",
		       mode == RUN_SOFT ? "every refusal is only deferred" : "nothing is refused",
		       colour ? "\033[0m" : "");
	}
	print_processes(s, false);
	print_sums(s);
	return EXIT_YES;
}

const struct command status_commands[] = {
    {"status", "", "", 0, 0, 0, status_show, "the processes, sessions, sums"},
    {0},
};
