/* Starting a child, and being one. */
#include "master/child.h"

#include "policy/config.h"
#include "shm/base/clock.h"
#include "shm/base/log.h"
#include "shm/base/privileges.h"
#include "shm/keeper.h"
#include "worker/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

const char *child_name(const struct child *c, char dst[32])
{
	if (c->role == ROLE_WORKER)
		snprintf(dst, 32, "worker %u", c->index + 1);
	else
		snprintf(dst, 32, "%s", role_name(c->role));
	return dst;
}

/* Moves the descriptors to where the child expects them.  The sources are first lifted above all
 * targets, so that no dup2 overwrites one that is still to be moved. */
static bool place_descriptors(const struct child_resources *r)
{
	const int above = CHILD_FD_LISTEN + (int)r->listen_count;
	int fixed[3] = {r->config_fd, r->segment_fd, r->lifeline_read_fd};
	for (int i = 0; i < 3; i++)
		if ((fixed[i] = fcntl(fixed[i], F_DUPFD_CLOEXEC, above)) < 0)
			return false;
	int *lifted = calloc(r->listen_count + 1, sizeof(int));
	if (!lifted)
		return false;
	bool ok = true;
	for (size_t i = 0; ok && i < r->listen_count; i++)
		ok = (lifted[i] = fcntl(r->listen_fds[i], F_DUPFD_CLOEXEC, above)) >= 0;
	for (int i = 0; ok && i < 3; i++)
		ok = dup2(fixed[i], CHILD_FD_CONFIG + i) >= 0;
	for (size_t i = 0; ok && i < r->listen_count; i++)
		ok = dup2(lifted[i], CHILD_FD_LISTEN + (int)i) >= 0;
	free(lifted);
	if (ok)
		closefrom(above);
	return ok;
}

static _Noreturn void exec_child(const struct child *c, const struct child_resources *r)
{
	char title[64], name[32], process[16], index[16], generation[16], listeners[16];
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* A Ctrl-C at the terminal is for the master, which then ends us in good order. */
	setpgid(0, 0);
	unsetenv("NOTIFY_SOCKET");
	if (!place_descriptors(r))
		_exit(126);
	snprintf(title, sizeof(title), "gatepostd: %s", child_name(c, name));
	snprintf(process, sizeof(process), "%u", (unsigned)(c->slot - r->segment->processes));
	snprintf(index, sizeof(index), "%u", c->index);
	snprintf(generation, sizeof(generation), "%u", c->generation);
	snprintf(listeners, sizeof(listeners), "%zu", r->listen_count);
	execl("/proc/self/exe", title, "--child", role_name(c->role), process, index, generation,
	      listeners, (char *)NULL);
	_exit(127);
}

bool child_start(struct child *c, const struct child_resources *r)
{
	char name[32];
	c->slot = segment_take_process(r->segment, c->role, c->index, c->generation);
	if (!c->slot) {
		log_error("cannot start %s: no process slot is free", child_name(c, name));
		return false;
	}
	c->slot->restarts = c->restarts;
	pid_t pid = fork();
	if (pid == 0)
		exec_child(c, r);
	if (pid < 0) {
		log_error("cannot start %s: fork: %s", child_name(c, name), strerror(errno));
		segment_release_process(r->segment, c->slot);
		c->slot = NULL;
		return false;
	}
	atomic_store(&c->slot->pid, pid);
	c->pid = pid;
	c->started_mono_us = clock_mono_us();
	c->restart_at_mono_us = 0;
	c->beat = 0;
	c->still_ticks = 0;
	return true;
}

static volatile sig_atomic_t keeper_told_to_stop;

static void stop_keeper(int signal_number)
{
	(void)signal_number;
	keeper_told_to_stop = 1;
}

static bool keeper_stops(void)
{
	return keeper_told_to_stop != 0;
}

static int keeper_main(const struct config *config, unsigned process)
{
	char message[256], state_dir[512];
	struct buf err = buf_over(message, sizeof(message));
	struct segment segment;
	struct sigaction on_stop = {.sa_handler = stop_keeper};
	sigaction(SIGTERM, &on_stop, NULL);
	text_cstr(config->global.state_dir, state_dir, sizeof(state_dir));
	if (chdir(state_dir) != 0) {
		log_error("cannot enter state-dir %s: %s", state_dir, strerror(errno));
		return 1;
	}
	if (!privileges_drop(config->global.user, &err)) {
		log_error("%s", message);
		return 1;
	}
	if (segment_attach(CHILD_FD_SEGMENT, true, &segment) != 0) {
		log_error("cannot map the shared memory: %s", strerror(errno));
		return 1;
	}
	const struct keeper_options options = {
	    .state_dir = ".",
	    .log_json = config->log.format == LOG_FORMAT_JSON,
	    .incident_days = (unsigned)config->log.incident_days,
	    .process = process,
	    .lifeline_fd = CHILD_FD_LIFELINE,
	    .stop = keeper_stops,
	};
	return keeper_run(&segment, &options);
}

static int worker_child(const struct config *config, unsigned process, unsigned index,
			unsigned generation, size_t listeners)
{
	int *fds = calloc(listeners + 1, sizeof(int));
	if (!fds)
		return 1;
	for (size_t i = 0; i < listeners; i++)
		fds[i] = CHILD_FD_LISTEN + (int)i;
	const struct worker_start start = {
	    .config = config,
	    .segment_fd = CHILD_FD_SEGMENT,
	    .process = process,
	    .index = index,
	    .generation = generation,
	    .listen_fds = fds,
	    .listen_count = listeners,
	    .lifeline_fd = CHILD_FD_LIFELINE,
	};
	int status = worker_main(&start);
	free(fds);
	return status;
}

int child_main(int argc, char **argv)
{
	if (argc != 7)
		return 2;
	const bool worker = strcmp(argv[2], role_name(ROLE_WORKER)) == 0;
	const unsigned process = (unsigned)strtoul(argv[3], NULL, 10);
	const unsigned index = (unsigned)strtoul(argv[4], NULL, 10);
	const unsigned generation = (unsigned)strtoul(argv[5], NULL, 10);
	const size_t listeners = strtoul(argv[6], NULL, 10);
	char name[32];
	if (worker)
		snprintf(name, sizeof(name), "worker %u", index + 1);
	else
		snprintf(name, sizeof(name), "keeper");
	prctl(PR_SET_NAME, worker ? "gatepost-worker" : "gatepost-keeper");

	struct config *config = config_load_bundle(CHILD_FD_CONFIG, stderr);
	if (!config)
		return 2;
	log_open((enum log_to)config->log.to, name);
	int status = worker ? worker_child(config, process, index, generation, listeners)
			    : keeper_main(config, process);
	config_free(config);
	return status;
}
