/* Being the keeper: from the configuration to keeper_run(). */
#include "master/keeper.h"

#include "shm/base/filter.h"
#include "shm/base/log.h"
#include "shm/base/privileges.h"
#include "shm/keeper.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

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

/* LMDB, the log (stderr, or datagrams to syslog and the journal), and nothing else: no network, no
 * program. */
static bool keeper_filter(struct buf *err)
{
	static const char *const of_the_keeper[] = {"connect", "sendto", "sendmsg", "setsockopt",
						    NULL};
	struct filter f = filter_begin(FILTER_EPERM);

	filter_allow(&f, filter_basics);
	filter_allow(&f, of_the_keeper);
	filter_allow_if(&f, "socket", 0, UINT32_MAX, AF_UNIX);
	/* LMDB asks whether the owner of a reader's slot lives. */
	filter_allow_if(&f, "kill", 1, UINT32_MAX, 0);
	return filter_load(&f, err);
}

int keeper_main(const struct config *config, unsigned process, int segment_fd, int lifeline_fd)
{
	char message[256], state_dir[512];
	struct buf err = buf_over(message, sizeof(message));
	struct segment segment;
	struct sigaction on_stop = {.sa_handler = stop_keeper};
	sigset_t blocked;
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGTERM);
	sigaction(SIGTERM, &on_stop, NULL);
	sigprocmask(SIG_UNBLOCK, &blocked, NULL);
	text_cstr(config->global.state_dir, state_dir, sizeof(state_dir));
	if (chdir(state_dir) != 0) {
		log_error("cannot enter state-dir %s: %s", state_dir, strerror(errno));
		return 1;
	}
	if (!privileges_drop(config->global.user, &err) || !keeper_filter(&err)) {
		log_error("%s", message);
		return 1;
	}
	if (segment_attach(segment_fd, true, &segment) != 0) {
		log_error("cannot map the shared memory: %s", strerror(errno));
		return 1;
	}
	const struct keeper_options options = {
	    .state_dir = ".",
	    .log_json = config->log.format == LOG_FORMAT_JSON,
	    .incident_days = (unsigned)config->log.incident_days,
	    .process = process,
	    .lifeline_fd = lifeline_fd,
	    .stop = keeper_stops,
	};
	return keeper_run(&segment, &options);
}
