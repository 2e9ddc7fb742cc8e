/* SIGHUP: a new generation beside the running one, which drains only when the new one serves.  No
 * connection is refused or dropped, and a broken configuration leaves the running one in force. */
#include "master/master.h"
#include "shm/base/clock.h"
#include "shm/base/log.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

/* What a running master can't change: everything below state-dir is open, the segment is made. */
static bool can_replace(const struct config *now, const struct config *then)
{
	if (!text_eq(now->global.state_dir, then->global.state_dir)) {
		log_error(
		    "reload: state-dir can't change while running (%.*s to %.*s): restart instead",
		    TEXT(now->global.state_dir), TEXT(then->global.state_dir));
		return false;
	}
	if (now->global.table_entries != then->global.table_entries)
		log_warn("reload: table-entries takes effect at the next start");
	return true;
}

/* Reads the configuration; its mistakes go to the log, a line each. */
static struct config *read_configuration(const struct master *m, int *bundle_fd)
{
	char *text = NULL, *rest = NULL;
	size_t size = 0;
	FILE *mistakes = open_memstream(&text, &size);
	if (!mistakes)
		return NULL;
	struct config *config = config_load(m->config_path, m->overrides, mistakes, bundle_fd);
	fclose(mistakes);
	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		log_error("reload: %s", line);
	free(text);
	return config;
}

void reload_begin(struct master *m)
{
	int bundle_fd = -1;
	if (m->next || m->old) {
		m->reload_wanted = true; /* further reloads wait and become one */
		return;
	}
	m->reload_wanted = false;
	struct config *config = read_configuration(m, &bundle_fd);
	if (!config || !can_replace(m->current->config, config)) {
		log_error("reload: the configuration in force stays in force");
		if (config) {
			config_free(config);
			close(bundle_fd);
		}
		return;
	}
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld", (long long)clock_mono_us());
	struct generation *g = generation_new(m, config, bundle_fd);
	if (!g) {
		log_error("reload: the configuration in force stays in force");
		config_free(config);
		close(bundle_fd);
		sd_notify(0, "READY=1");
		return;
	}
	m->next = g;
	generation_start(m, g);
}

void reload_continue(struct master *m)
{
	if (!m->next) {
		if (m->reload_wanted && !m->old && !m->stopping)
			reload_begin(m);
		return;
	}
	if (!generation_ready(m->next))
		return;
	m->old = m->current;
	m->current = m->next;
	m->next = NULL;
	generation_drain(m->old);
	listeners_close_others(&m->listeners, m->current->config);
	atomic_store(&m->segment.header->generation, m->current->number);
	atomic_store(&m->segment.header->mode, (uint32_t)m->current->config->global.mode);
	m->segment.header->loaded_wall_us = clock_wall_us();
	/* The keeper reads the new configuration when it starts again. */
	if (m->keeper.pid != 0)
		kill(m->keeper.pid, SIGTERM);
	/* So does the zygote; what is asked meanwhile waits in the queue. */
	if (m->zygote.pid != 0)
		kill(m->zygote.pid, SIGTERM);
	supervise_auth(m);
	log_info("generation %u is in force, %zu workers; generation %u drains", m->current->number,
		 m->current->worker_count, m->old->number);
	sd_notify(0, "READY=1");
}

void reload_abandon(struct master *m)
{
	struct generation *g = m->next;
	m->next = NULL;
	m->old = g; /* reaped like one that drains */
	g->draining = true;
	g->kill_at_mono_us = 0;
	generation_kill(g);
	listeners_close_others(&m->listeners, m->current->config);
	log_error(
	    "reload: a new worker died before it was ready; the configuration in force stays in "
	    "force");
	sd_notify(0, "READY=1");
}
