/* Deaths, restarts, heartbeats. */
#include "master/master.h"
#include "shm/base/clock.h"
#include "shm/base/log.h"
#include "shm/slots.h"
#include "worker/inspect/zygote.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

/* A child whose heartbeat stands still for so many ticks of a second is killed. */
#define STILL_TICKS_MAX 10
/* A database of millions of signatures is compiled in long steps. */
#define LOAD_TICKS_MAX 60
/* A child that lived this long is no quick death. */
#define QUICK_DEATH_US   (60 * SECOND_US)
#define BACKOFF_FIRST_US (SECOND_US / 10)
#define BACKOFF_LAST_US  (30 * SECOND_US)

void supervise_start_child(struct master *m, struct child *c, const struct generation *g)
{
	const bool worker = c->role == ROLE_WORKER, zygote = c->role == ROLE_ZYGOTE;
	const bool scanner = c->role == ROLE_ANTIVIRUS, auth = c->role == ROLE_AUTH;
	const struct child_resources r = {
	    .segment = &m->segment,
	    .segment_fd = zygote    ? m->zygote_status_fd
			  : scanner ? m->scanners.all[c->index].page_fd
			  : auth    ? m->auth_page_fd
				    : m->segment_fd,
	    .inspect_fd = worker    ? m->inspect_pair[0]
			  : zygote  ? m->inspect_pair[1]
			  : scanner ? m->scanners.pair[1]
				    : -1,
	    .scan_fd = worker ? m->scanners.pair[0] : -1,
	    .auth_fd = worker ? m->auth_pair[0]
		       : auth ? m->auth_pair[1]
			      : -1,
	    .keys_fd = worker ? g->keys_fd : -1,
	    .config_fd = g->bundle_fd,
	    .lifeline_read_fd = m->lifeline[0],
	    .listen_fds = worker ? g->listen_fds : NULL,
	    .listen_count = worker ? g->listen_count : 0,
	};
	if (!child_start(c, &r))
		c->restart_at_mono_us = clock_mono_us() + SECOND_US;
}

static struct child *find_in(struct generation *g, pid_t pid)
{
	for (size_t i = 0; g && i < g->worker_count; i++)
		if (g->workers[i].pid == pid)
			return &g->workers[i];
	return NULL;
}

static struct child *find_child(struct master *m, pid_t pid, struct generation **g)
{
	struct generation *all[] = {m->current, m->next, m->old};
	for (size_t i = 0; i < 3; i++) {
		struct child *c = find_in(all[i], pid);
		if (c) {
			*g = all[i];
			return c;
		}
	}
	*g = m->current;
	if (m->zygote.pid == pid)
		return &m->zygote;
	if (m->auth.pid == pid)
		return &m->auth;
	return m->keeper.pid == pid ? &m->keeper : scanners_find(&m->scanners, pid);
}

static int64_t back_off(const struct child *c)
{
	int64_t wait = BACKOFF_FIRST_US;
	for (unsigned i = 1; i < c->quick_deaths && wait < BACKOFF_LAST_US; i++)
		wait *= 2;
	return wait < BACKOFF_LAST_US ? wait : BACKOFF_LAST_US;
}

static void say_death(const struct child *c, int status, unsigned sessions, bool expected)
{
	char name[32];
	child_name(c, name);
	if (WIFSIGNALED(status))
		log_error("%s (pid %d, generation %u) died of signal %d (%s) and held %u sessions; "
			  "build %s",
			  name, (int)c->pid, c->generation, WTERMSIG(status),
			  strsignal(WTERMSIG(status)), sessions, build_id());
	else if (WEXITSTATUS(status) != 0 || !expected)
		log_error("%s (pid %d, generation %u) ended with status %d and held %u sessions",
			  name, (int)c->pid, c->generation, WEXITSTATUS(status), sessions);
	else
		log_info("%s (pid %d, generation %u) has ended", name, (int)c->pid, c->generation);
}

static void bury(struct master *m, struct child *c, struct generation *g, int status)
{
	const int64_t now = clock_mono_us();
	/* Keeper, zygote and auth end with status 0 when a reload told them to: they start again at
	 * once. */
	const bool clean = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	const bool expected = m->stopping || (c->role == ROLE_WORKER ? g->draining : clean);
	const unsigned process = (unsigned)(c->slot - m->segment.processes);
	const unsigned sessions = slots_reap(&m->segment, process, clock_boot_us());
	say_death(c, status, sessions, expected);
	if (c->role == ROLE_WORKER && !clean)
		atomic_fetch_add(&m->segment.header->worker_deaths, 1);
	segment_release_process(&m->segment, c->slot);
	c->slot = NULL;
	c->pid = 0;
	if (c->role == ROLE_ANTIVIRUS) {
		scanners_ended(m, c, status);
		return;
	}
	if (expected && (m->stopping || c->role == ROLE_WORKER)) {
		c->restart_at_mono_us = 0;
		return;
	}
	if (g == m->next) {
		reload_abandon(m);
		return;
	}
	const bool quick = !expected && now - c->started_mono_us < QUICK_DEATH_US;
	c->quick_deaths = quick ? c->quick_deaths + 1 : 0;
	c->restarts += expected ? 0 : 1;
	c->restart_at_mono_us = expected ? now : now + back_off(c);
	if (c->role == ROLE_AUTH && !config_wants_users(m->current->config))
		c->restart_at_mono_us = 0;
}

void supervise_reap(struct master *m)
{
	int status;
	pid_t pid;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct generation *g;
		struct child *c = find_child(m, pid, &g);
		if (c)
			bury(m, c, g, status);
	}
	if (m->old && generation_gone(m->old)) {
		generation_free(m->old);
		m->old = NULL;
	}
}

static void check_heartbeat(struct child *c, unsigned ticks_max)
{
	char name[32];
	if (c->pid == 0)
		return;
	const int64_t beat = atomic_load(&c->slot->heartbeat_boot_us);
	if (beat != c->beat) {
		c->beat = beat;
		c->still_ticks = 0;
		return;
	}
	if (++c->still_ticks < ticks_max)
		return;
	log_error("%s (pid %d) has stood still for %u s: killed", child_name(c, name), (int)c->pid,
		  ticks_max);
	kill(c->pid, SIGKILL);
	c->still_ticks = 0;
}

static void restart_if_due(struct master *m, struct child *c, const struct generation *g)
{
	if (c->pid == 0 && c->restart_at_mono_us != 0 && c->restart_at_mono_us <= clock_mono_us())
		supervise_start_child(m, c, g);
}

static void tend(struct generation *g)
{
	for (size_t i = 0; g && i < g->worker_count; i++)
		check_heartbeat(&g->workers[i], STILL_TICKS_MAX);
	if (g && g->draining && clock_mono_us() > g->kill_at_mono_us && !generation_gone(g)) {
		log_warn("generation %u has not ended within drain-timeout: killed", g->number);
		g->kill_at_mono_us = clock_mono_us() + SECOND_US;
		generation_kill(g);
	}
}

void supervise_restart(struct master *m)
{
	struct generation *g = m->current;
	if (m->stopping)
		return;
	for (size_t i = 0; i < g->worker_count; i++)
		restart_if_due(m, &g->workers[i], g);
	restart_if_due(m, &m->keeper, g);
	restart_if_due(m, &m->zygote, g);
	restart_if_due(m, &m->auth, g);
}

/* A reload leaves it alone, with the logins that are under way: all that it knows of the
 * configuration can't change while we run. */
void supervise_auth(struct master *m)
{
	const bool wanted = config_wants_users(m->current->config);

	if (m->auth.pid != 0 && !wanted)
		kill(m->auth.pid, SIGTERM);
	else if (m->auth.pid == 0)
		m->auth.restart_at_mono_us = wanted ? clock_mono_us() : 0;
}

/* It has no segment to write into, but a page of its own. */
static void check_page(struct child *c, const _Atomic int64_t *heartbeat, unsigned ticks_max)
{
	if (c->slot)
		atomic_store(&c->slot->heartbeat_boot_us, atomic_load(heartbeat));
	check_heartbeat(c, ticks_max);
}

void supervise_tick(struct master *m)
{
	tickets_rotate(&m->segment.header->tickets, clock_boot_us(),
		       m->current->config->global.ticket_life);
	certificates_tick(m);
	tend(m->current);
	tend(m->next);
	tend(m->old);
	check_heartbeat(&m->keeper, STILL_TICKS_MAX);
	check_page(&m->zygote, &m->zygote_status->heartbeat_boot_us, STILL_TICKS_MAX);
	check_page(&m->auth, &m->auth_page->heartbeat_boot_us, STILL_TICKS_MAX);
	for (unsigned i = 0; i < SCANNERS_MAX; i++)
		check_page(&m->scanners.all[i].child, &m->scanners.all[i].page->heartbeat_boot_us,
			   LOAD_TICKS_MAX);
}
