/* The master's loop: signals, the control socket, a tick. */
#include "master/control.h"
#include "master/master.h"
#include "shm/base/clock.h"
#include "shm/base/log.h"
#include "shm/tickets.h"
#include "worker/inspect/zygote.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#define RING_BYTES          (1U << 20)
#define INSPECT_QUEUE_BYTES (8 << 20)
#define TICK_US             SECOND_US
/* At a start the keeper makes the stores before the first worker looks for them; mail doesn't wait
 * longer than this for a keeper that can't. */
#define KEEPER_FIRST_US (5 * SECOND_US)
/* While something is being started or ended we look more often. */
#define BUSY_POLL_MS 20

static bool open_signals(struct master *m)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	signal(SIGPIPE, SIG_IGN);
	sigprocmask(SIG_BLOCK, &set, NULL);
	m->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return m->signal_fd >= 0;
}

static void raise_descriptor_limit(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/* A queue that holds what all workers may ask at once; a few hundred kilobytes where we aren't
 * root.
 */
static bool open_inspect_pair(struct master *m)
{
	const int bytes = INSPECT_QUEUE_BYTES;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, m->inspect_pair) != 0)
		return false;
	if (setsockopt(m->inspect_pair[0], SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)) != 0)
		(void)setsockopt(m->inspect_pair[0], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	m->zygote_status_fd = zygote_status_create(&m->zygote_status);
	return m->zygote_status_fd >= 0;
}

static bool open_auth_pair(struct master *m)
{
	m->auth_page_fd = auth_page_create(&m->auth_page);
	return m->auth_page_fd >= 0 &&
	       socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, m->auth_pair) == 0;
}

static bool prepare(struct master *m, const struct config *config)
{
	char message[640];
	struct buf err = buf_over(message, sizeof(message));
	raise_descriptor_limit();
	if (!open_signals(m) || pipe2(m->lifeline, O_CLOEXEC) != 0 || !open_inspect_pair(m) ||
	    !scanners_open(&m->scanners) || !open_auth_pair(m)) {
		log_error("cannot start: %m");
		return false;
	}
	if (!state_dir_open(&m->state_dir, config->global.state_dir, config->global.user, &err) ||
	    (m->control_fd = control_open(m->state_dir.fd, &err)) < 0) {
		log_error("%s", message);
		return false;
	}
	m->segment_fd = segment_create((uint64_t)config->global.table_entries, RING_BYTES,
				       &m->state_dir.key, &m->segment);
	if (m->segment_fd < 0) {
		log_error("cannot make the shared memory: %m");
		return false;
	}
	atomic_store(&m->segment.header->master_pid, getpid());
	atomic_store(&m->segment.header->mode, (uint32_t)config->global.mode);
	m->segment.header->loaded_wall_us = clock_wall_us();
	tickets_rotate(&m->segment.header->tickets, clock_boot_us(), config->global.ticket_life);
	listeners_adopt(&m->listeners);
	return true;
}

static void stop(struct master *m)
{
	if (m->stopping) {
		log_warn("told to stop again: ending without waiting for sessions");
		generation_kill(m->current);
		if (m->old)
			generation_kill(m->old);
		return;
	}
	m->stopping = true;
	log_info("stopping: sessions may finish for %lld s",
		 (long long)(m->current->config->global.drain_timeout / SECOND_US));
	sd_notify(0, "STOPPING=1");
	if (m->next)
		generation_kill(m->next);
	generation_drain(m->current);
	/* The workers close theirs as well: who connects now is refused and tries another host. */
	listeners_close(&m->listeners);
}

static void take_signals(struct master *m)
{
	struct signalfd_siginfo info;
	while (read(m->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGHUP && !m->stopping)
			reload_begin(m);
		else if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT)
			stop(m);
	}
}

/* All workers are gone: the keeper drains what they left and ends last. */
static bool finished(struct master *m)
{
	static bool told_to_end;
	if (!m->stopping || m->old || !generation_gone(m->current) ||
	    (m->next && !generation_gone(m->next)))
		return false;
	if (m->keeper.pid == 0 && m->zygote.pid == 0 && m->auth.pid == 0 &&
	    scanners_gone(&m->scanners))
		return true;
	if (!told_to_end)
		scanners_stop(&m->scanners);
	if (!told_to_end && m->keeper.pid != 0)
		kill(m->keeper.pid, SIGTERM);
	if (!told_to_end && m->zygote.pid != 0)
		kill(m->zygote.pid, SIGTERM);
	if (!told_to_end && m->auth.pid != 0)
		kill(m->auth.pid, SIGTERM);
	told_to_end = true;
	return false;
}

static void start_workers(struct master *m)
{
	const struct process_slot *keeper = m->keeper.slot;

	if (m->workers_due_mono_us == 0 || m->stopping)
		return;
	if (clock_mono_us() < m->workers_due_mono_us &&
	    (!keeper || atomic_load(&keeper->heartbeat_boot_us) == 0))
		return;
	scanners_tick(m);
	m->workers_due_mono_us = 0;
	generation_start(m, m->current);
}

static void say_ready(struct master *m)
{
	if (m->told_ready || !generation_ready(m->current))
		return;
	m->told_ready = true;
	log_info("serving: generation %u, %zu workers, build %s", m->current->number,
		 m->current->worker_count, build_id());
	sd_notify(0, "READY=1");
}

static bool busy(const struct master *m)
{
	return m->next || m->stopping || m->reload_wanted || !m->told_ready || m->scanners.coming;
}

static bool restart_pending(const struct master *m)
{
	for (size_t i = 0; i < m->current->worker_count; i++)
		if (m->current->workers[i].restart_at_mono_us != 0)
			return true;
	return m->keeper.restart_at_mono_us != 0 || m->zygote.restart_at_mono_us != 0 ||
	       m->auth.restart_at_mono_us != 0;
}

static void supervise(struct master *m)
{
	int64_t next_tick = clock_mono_us() + TICK_US;
	while (!finished(m)) {
		struct pollfd fds[] = {{.fd = m->signal_fd, .events = POLLIN},
				       {.fd = m->control_fd, .events = POLLIN}};
		int64_t next = scanners_next_mono_us(&m->scanners);
		int64_t left_ms =
		    ((next < next_tick ? next : next_tick) - clock_mono_us()) / 1000 + 1;
		if (left_ms < 0)
			left_ms = 0;
		if ((busy(m) || restart_pending(m)) && left_ms > BUSY_POLL_MS)
			left_ms = BUSY_POLL_MS;
		poll(fds, 2, (int)left_ms);
		take_signals(m);
		supervise_reap(m);
		if (fds[1].revents)
			control_answer(m->control_fd, m->segment_fd);
		start_workers(m);
		say_ready(m);
		reload_continue(m);
		scanners_tick(m);
		supervise_restart(m);
		if (clock_mono_us() >= next_tick) {
			supervise_tick(m);
			next_tick = clock_mono_us() + TICK_US;
		}
	}
}

int master_run(struct master *m, struct config *config, int bundle_fd)
{
	if (!prepare(m, config))
		return 1;
	m->current = generation_new(m, config, bundle_fd);
	if (!m->current)
		return 1;
	atomic_store(&m->segment.header->generation, m->current->number);
	if (geteuid() != 0)
		log_info("not started as root: every process runs as the user that started it");
	m->keeper = (struct child){.role = ROLE_KEEPER, .generation = m->current->number};
	supervise_start_child(m, &m->keeper, m->current);
	m->zygote = (struct child){.role = ROLE_ZYGOTE, .generation = m->current->number};
	supervise_start_child(m, &m->zygote, m->current);
	m->auth = (struct child){.role = ROLE_AUTH, .generation = m->current->number};
	supervise_auth(m);
	m->workers_due_mono_us = clock_mono_us() + KEEPER_FIRST_US;
	supervise(m);
	unlinkat(m->state_dir.fd, "control", 0);
	generation_free(m->current);
	generation_free(m->next);
	segment_detach(&m->segment);
	log_info("stopped");
	return 0;
}
