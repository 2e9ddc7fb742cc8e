/* A generation: the workers of one configuration. */
#include "master/master.h"
#include "shm/base/clock.h"
#include "shm/base/log.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

/* After `drain-timeout` a worker ends by itself; this much later it is killed. */
#define DRAIN_GRACE_US (10 * SECOND_US)

static size_t worker_count(const struct config *config)
{
	if (config->global.workers > 0)
		return (size_t)config->global.workers;
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	if (cores < 1)
		return 1;
	return cores > SEGMENT_WORKERS_MAX ? SEGMENT_WORKERS_MAX : (size_t)cores;
}

struct generation *generation_new(struct master *m, struct config *config, int bundle_fd)
{
	struct generation *g = calloc(1, sizeof(*g));
	if (!g)
		return NULL;
	g->keys_fd = config_keys_write(config);
	if (g->keys_fd < 0) {
		log_error("cannot keep the keys in memory: %m");
		free(g);
		return NULL;
	}
	g->worker_count = worker_count(config);
	g->workers = calloc(g->worker_count, sizeof(*g->workers));
	if (!g->workers ||
	    !listeners_open(&m->listeners, config, &g->listen_fds, &g->listen_count)) {
		close(g->keys_fd);
		free(g->workers);
		free(g);
		return NULL;
	}
	g->number = ++m->generations;
	g->config = config;
	g->bundle_fd = bundle_fd;
	for (size_t i = 0; i < g->worker_count; i++)
		g->workers[i] = (struct child){
		    .role = ROLE_WORKER, .index = (unsigned)i, .generation = g->number};
	return g;
}

void generation_start(struct master *m, struct generation *g)
{
	for (size_t i = 0; i < g->worker_count; i++)
		supervise_start_child(m, &g->workers[i], g);
}

bool generation_ready(const struct generation *g)
{
	for (size_t i = 0; i < g->worker_count; i++)
		if (!g->workers[i].slot || atomic_load(&g->workers[i].slot->heartbeat_boot_us) == 0)
			return false;
	return true;
}

bool generation_gone(const struct generation *g)
{
	for (size_t i = 0; i < g->worker_count; i++)
		if (g->workers[i].pid != 0)
			return false;
	return true;
}

static void signal_all(struct generation *g, int signal_number)
{
	for (size_t i = 0; i < g->worker_count; i++)
		if (g->workers[i].pid != 0)
			kill(g->workers[i].pid, signal_number);
}

void generation_drain(struct generation *g)
{
	g->draining = true;
	g->kill_at_mono_us = clock_mono_us() + g->config->global.drain_timeout + DRAIN_GRACE_US;
	for (size_t i = 0; i < g->worker_count; i++)
		if (g->workers[i].slot)
			atomic_store(&g->workers[i].slot->draining, 1);
	signal_all(g, SIGTERM);
}

void generation_kill(struct generation *g)
{
	signal_all(g, SIGKILL);
}

void generation_free(struct generation *g)
{
	if (!g)
		return;
	config_free(g->config);
	close(g->bundle_fd);
	close(g->keys_fd);
	free(g->listen_fds);
	free(g->workers);
	free(g);
}
