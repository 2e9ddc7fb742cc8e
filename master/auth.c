/* Being the auth process: from the configuration to serve_run(). */
#include "master/auth.h"

#include "shm/base/filter.h"
#include "shm/base/log.h"
#include "shm/base/privileges.h"
#include "worker/auth/serve.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

static volatile sig_atomic_t told_to_stop;

static void stop(int signal_number)
{
	(void)signal_number;
	told_to_stop = 1;
}

static bool stops(void)
{
	return told_to_stop != 0;
}

static void take_signals(void)
{
	struct sigaction on_stop = {.sa_handler = stop};
	sigset_t blocked;

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGTERM);
	sigaction(SIGTERM, &on_stop, NULL);
	signal(SIGPIPE, SIG_IGN);
	sigprocmask(SIG_UNBLOCK, &blocked, NULL);
}

/* LMDB, the sockets that it has, its threads, the log (stderr, or datagrams to syslog and the
 * journal), and nothing else: no network, no program. */
static bool install_filter(struct buf *err)
{
	static const char *const of_auth[] = {
	    "connect",   "sendto",        "sendmsg",    "recvfrom",    "recvmsg", "setsockopt",
	    "epoll_ctl", "epoll_create1", "epoll_wait", "epoll_pwait", NULL};
	struct filter f = filter_begin(FILTER_EPERM);

	filter_allow(&f, filter_basics);
	filter_allow(&f, of_auth);
	filter_allow_if(&f, "socket", 0, UINT32_MAX, AF_UNIX);
	filter_allow_if(&f, "clone", 0, CLONE_THREAD, CLONE_THREAD);
	filter_answer(&f, "clone3", ENOSYS);
	/* LMDB asks whether the owner of a reader's slot lives. */
	filter_allow_if(&f, "kill", 1, UINT32_MAX, 0);
	return filter_load(&f, err);
}

int auth_main(const struct config *config, int page_fd, int request_fd, int lifeline_fd)
{
	char message[256], state_dir[512];
	struct buf err = buf_over(message, sizeof(message));
	struct auth_page *page = auth_page_attach(page_fd);
	const long cores = sysconf(_SC_NPROCESSORS_ONLN);

	take_signals();
	if (!page) {
		log_error("cannot map the page of the auth process: %s", strerrordesc_np(errno));
		return 1;
	}
	text_cstr(config->global.state_dir, state_dir, sizeof(state_dir));
	if (chdir(state_dir) != 0) {
		log_error("cannot enter state-dir %s: %s", state_dir, strerrordesc_np(errno));
		return 1;
	}
	if (!privileges_drop(config->global.user, &err) || !install_filter(&err)) {
		log_error("%s", message);
		return 1;
	}
	return serve_run(&(struct serve_options){
	    .state_dir = ".",
	    .request_fd = request_fd,
	    .lifeline_fd = lifeline_fd,
	    .threads = cores > 0 ? (unsigned)cores : 1,
	    .page = page,
	    .stop = stops,
	});
}
