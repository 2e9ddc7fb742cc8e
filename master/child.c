/* Starting a child, and being one. */
#include "master/child.h"

#include "master/auth.h"
#include "master/keeper.h"
#include "policy/config.h"
#include "shm/base/clock.h"
#include "shm/base/log.h"
#include "worker/inspect/zygote.h"
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
	enum { FIXED = CHILD_FD_LISTEN - CHILD_FD_CONFIG };
	int fixed[FIXED] = {r->config_fd, r->segment_fd, r->lifeline_read_fd, r->inspect_fd,
			    r->scan_fd,   r->auth_fd,    r->keys_fd};
	for (int i = 0; i < FIXED; i++)
		if (fixed[i] >= 0 && (fixed[i] = fcntl(fixed[i], F_DUPFD_CLOEXEC, above)) < 0)
			return false;
	int *lifted = calloc(r->listen_count + 1, sizeof(int));
	if (!lifted)
		return false;
	bool ok = true;
	for (size_t i = 0; ok && i < r->listen_count; i++)
		ok = (lifted[i] = fcntl(r->listen_fds[i], F_DUPFD_CLOEXEC, above)) >= 0;
	for (int i = 0; ok && i < FIXED; i++) {
		if (fixed[i] < 0)
			close(CHILD_FD_CONFIG + i);
		else
			ok = dup2(fixed[i], CHILD_FD_CONFIG + i) >= 0;
	}
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
	/* A SIGTERM that comes before the child is ready to take it waits until then. */
	sigset_t blocked;
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGTERM);
	sigprocmask(SIG_SETMASK, &blocked, NULL);
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

static int worker_child(struct config *config, unsigned process, unsigned index,
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
	    .inspect_fd = CHILD_FD_INSPECT,
	    .scan_fd = CHILD_FD_SCAN,
	    .auth_fd = CHILD_FD_AUTH,
	    .keys_fd = CHILD_FD_KEYS,
	};
	int status = worker_main(&start);
	free(fds);
	return status;
}

/* The configuration may hold what no inspector should have: the zygote keeps three values of it. */
static int zygote_child(struct config *config)
{
	char user[64];
	const struct zygote_options options = {
	    .inspectors = zygote_inspectors(config->global.inspectors),
	    .memory_bytes = config->global.inspector_memory,
	    .user = {user, text_cstr(config->global.jail_user, user, sizeof(user))},
	    .serve_fd = CHILD_FD_INSPECT,
	    .status_fd = CHILD_FD_SEGMENT,
	};
	config_free(config);
	close(CHILD_FD_CONFIG);
	/* At once: what a sanitizer does at exit needs /proc, which the jail doesn't have. */
	_exit(zygote_run(&options));
}

/* Temporary files hold at most what is scanned, and some that are between two of them. */
#define SCRATCH_SPARE (16U << 20)

/* The zygote of the anti-virus inspectors; it keeps these values of the configuration. */
static int antivirus_child(struct config *config, unsigned index)
{
	const struct clamav_settings *set = &config->clamav;
	const long cores = sysconf(_SC_NPROCESSORS_ONLN);
	const unsigned inspectors =
	    zygote_inspectors(set->inspectors ? set->inspectors : (cores > 0 ? cores : 1));
	char user[64], database[4096], state_dir[4096];
	const struct zygote_scan scan = {
	    .engine = {.database = database,
		       .max_size = config_scan_size(config),
		       .max_scan_size = set->max_scan_size,
		       .max_files = (uint32_t)set->max_files,
		       .max_depth = (uint32_t)set->max_depth,
		       .time_ms = (uint32_t)(set->scan_time / 1000)},
	    .rooms = {.rooms = inspectors,
		      .bytes = set->max_scan_size + SCRATCH_SPARE,
		      .user = {user, text_cstr(config->global.jail_user, user, sizeof(user))},
		      .state_dir = state_dir,
		      .index = index},
	    .time_ms = (uint32_t)(set->scan_time / 1000),
	};
	const struct zygote_options options = {
	    .inspectors = inspectors,
	    .memory_bytes = set->memory,
	    .user = scan.rooms.user,
	    .serve_fd = CHILD_FD_INSPECT,
	    .status_fd = CHILD_FD_SEGMENT,
	    .scan = &scan,
	};
	text_cstr(set->database, database, sizeof(database));
	text_cstr(config->global.state_dir, state_dir, sizeof(state_dir));
	config_free(config);
	close(CHILD_FD_CONFIG);
	_exit(zygote_run(&options));
}

static enum role role_named(const char *name)
{
	static const enum role roles[] = {ROLE_WORKER, ROLE_KEEPER, ROLE_ZYGOTE, ROLE_ANTIVIRUS,
					  ROLE_AUTH};
	for (unsigned i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
		if (strcmp(name, role_name(roles[i])) == 0)
			return roles[i];
	return ROLE_NONE;
}

int child_main(int argc, char **argv)
{
	const struct child self = {
	    .role = argc == 7 ? role_named(argv[2]) : ROLE_NONE,
	    .index = argc == 7 ? (unsigned)strtoul(argv[4], NULL, 10) : 0,
	};
	char name[32], process_name[64];
	int status;
	if (self.role == ROLE_NONE)
		return 2;
	const unsigned process = (unsigned)strtoul(argv[3], NULL, 10);
	const unsigned generation = (unsigned)strtoul(argv[5], NULL, 10);
	const size_t listeners = strtoul(argv[6], NULL, 10);
	snprintf(process_name, sizeof(process_name), "gatepost-%s", role_name(self.role));
	prctl(PR_SET_NAME, process_name);

	struct config *config = config_load_bundle(CHILD_FD_CONFIG, stderr);
	if (!config)
		return 2;
	log_open((enum log_to)config->log.to, child_name(&self, name));
	switch (self.role) {
	case ROLE_ZYGOTE:
		return zygote_child(config);
	case ROLE_ANTIVIRUS:
		return antivirus_child(config, self.index);
	case ROLE_WORKER:
		status = worker_child(config, process, self.index, generation, listeners);
		break;
	case ROLE_AUTH:
		status = auth_main(config, CHILD_FD_SEGMENT, CHILD_FD_AUTH, CHILD_FD_LIFELINE);
		break;
	default:
		status = keeper_main(config, process, CHILD_FD_SEGMENT, CHILD_FD_LIFELINE);
		break;
	}
	config_free(config);
	return status;
}
