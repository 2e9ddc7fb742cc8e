/* A worker process: start-up in the order that privileges ask for, the loop, draining. */
#include "worker/worker.h"

#include "shm/base/clock.h"
#include "shm/base/log.h"
#include "shm/base/privileges.h"
#include "worker/auth/login.h"
#include "worker/certificates.h"
#include "worker/inspect/ask.h"
#include "worker/io/accept.h"
#include "worker/io/dns.h"
#include "worker/io/offload.h"
#include "worker/io/task.h"
#include "worker/list_health.h"
#include "worker/seccomp.h"
#include "worker/smtp/server.h"
#include "worker/stress.h"
#include "worker/world.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define OFFLOAD_THREADS 3
/* A few hundred bytes each. */
#define DNS_CACHE_ENTRIES 4096
/* Sessions that are cancelled have this long to say their 421 and to let go of what they hold. */
#define LAST_GRACE_US (5 * SECOND_US)

/* One listening address. */
struct door {
	struct acceptor acceptor;
	struct worker *worker;
	const struct listener *listener;
};

struct worker {
	const struct worker_start *start;
	struct loop *loop;
	struct offload *offload;
	struct segment seg;
	struct spool_place spool;
	struct worker_world world;
	struct smtp_server smtp;
	struct list_health *lists; /* of the first worker; else NULL */
	struct arena arena;
	struct door *doors;
	size_t door_count;
	struct timer heartbeat, drain;
	struct fd_event signals, lifeline;
	bool paused;
};

/* ---- Accepting */

static void pause_doors(struct worker *w)
{
	if (w->paused)
		return;
	w->paused = true;
	for (size_t i = 0; i < w->door_count; i++)
		acceptor_pause(&w->doors[i].acceptor);
}

static void resume_doors(struct worker *w)
{
	if (!w->paused || w->smtp.draining)
		return;
	w->paused = false;
	for (size_t i = 0; i < w->door_count; i++)
		acceptor_resume(&w->doors[i].acceptor);
}

/* At its limit a worker leaves what comes to the others; with nobody to leave it to it goes on
 * accepting, to say 421. */
static void pause_or_resume(struct worker *w)
{
	if (w->smtp.session_count >= w->smtp.session_limit &&
	    smtp_server_others_have_room(&w->smtp))
		pause_doors(w);
	else
		resume_doors(w);
}

static void on_connection(void *arg, int fd, const struct sockaddr *peer, socklen_t len)
{
	struct door *d = arg;

	smtp_server_accept(&d->worker->smtp, d->listener, fd, peer, len);
	pause_or_resume(d->worker);
}

static void on_exhausted(void *arg, int fd)
{
	struct door *d = arg;

	metric_add(d->worker->smtp.slot, METRIC_accept_exhausted, 1);
	smtp_server_turn_away(&d->worker->smtp, fd, REPLY_LOCAL_ERROR);
}

static const struct acceptor_ops door_ops = {
    .on_connection = on_connection,
    .on_exhausted = on_exhausted,
};

static void on_session_end(void *arg)
{
	struct worker *w = arg;

	if (w->smtp.draining && w->smtp.session_count == 0)
		loop_stop(w->loop);
	else if (w->smtp.session_count < w->smtp.session_limit - w->smtp.session_limit / 16)
		resume_doors(w);
}

/* ---- Draining: no new sessions; those that live finish what they are at */

static void give_up(void *arg)
{
	struct worker *w = arg;

	log_warn("%zu sessions do not end: they are cut", w->smtp.session_count);
	loop_stop(w->loop);
}

static void cut_short(void *arg)
{
	struct worker *w = arg;

	smtp_server_cancel_all(&w->smtp);
	timer_set(w->loop, &w->drain, loop_now_us(w->loop) + LAST_GRACE_US, give_up, w);
}

/* Our copies of the listening sockets: the last one of all processes to close them ends the
 * listening, so that nobody waits in a queue that nobody serves, and a new master can bind. */
static void close_doors(struct worker *w)
{
	for (size_t i = 0; i < w->door_count; i++)
		acceptor_close(&w->doors[i].acceptor);
	for (size_t i = 0; i < w->start->listen_count; i++)
		close(w->start->listen_fds[i]);
	w->door_count = 0;
}

static void begin_drain(struct worker *w)
{
	if (w->smtp.draining)
		return;
	close_doors(w);
	atomic_store(&w->smtp.slot->draining, 1);
	list_health_stop(w->lists);
	w->lists = NULL;
	smtp_server_drain(&w->smtp);
	timer_set(w->loop, &w->drain, loop_now_us(w->loop) + w->start->config->global.drain_timeout,
		  cut_short, w);
	if (w->smtp.session_count == 0)
		loop_stop(w->loop);
}

static void on_signal(void *arg, uint32_t events)
{
	struct worker *w = arg;
	struct signalfd_siginfo info;

	(void)events;
	while (read(w->signals.fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		begin_drain(w);
}

static void on_lifeline(void *arg, uint32_t events)
{
	struct worker *w = arg;

	(void)events;
	loop_fd_remove(&w->lifeline);
	log_warn("the master is gone: draining");
	begin_drain(w);
}

/* ---- Once a second */

static void on_second(void *arg)
{
	struct worker *w = arg;
	struct smtp_server *sv = &w->smtp;
	const struct stress_input inputs[] = {
	    {sv->session_count, sv->session_limit},
	    {w->spool.memory_used, w->spool.memory_total},
	    stress_descriptors(),
	};

	sv->stress = stress_level(sv->stress, inputs, 3);
	atomic_store(&sv->slot->heartbeat_boot_us, clock_boot_us());
	atomic_store(&sv->slot->sessions, (uint32_t)sv->session_count);
	atomic_store(&sv->slot->stress, sv->stress);
	atomic_store(&sv->slot->spool_bytes, w->spool.memory_used);
	worker_world_open(&w->world);
	pause_or_resume(w);
	timer_set(w->loop, &w->heartbeat, loop_now_us(w->loop) + SECOND_US, on_second, w);
}

/* ---- Start-up */

static bool fail(struct buf *err, const char *what)
{
	buf_printf(err, "%s: %s", what, strerrordesc_np(errno));
	return false;
}

/* SIGTERM comes through a descriptor; the terminal's signals are for the master, which tells us. */
static bool open_signals(struct worker *w, struct buf *err)
{
	sigset_t set;
	int fd;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0 || !loop_fd_add(w->loop, &w->signals, fd, EPOLLIN, on_signal, w))
		return fail(err, "cannot wait for signals");
	if (w->start->lifeline_fd >= 0 &&
	    !loop_fd_add(w->loop, &w->lifeline, w->start->lifeline_fd, EPOLLIN, on_lifeline, w))
		return fail(err, "cannot watch the master");
	return true;
}

/* Its share of all sessions and a quarter more, since load is never quite even; and never more than
 * it has descriptors for (a session needs one, and one more while it delivers). */
static size_t session_limit(const struct config *c)
{
	const uint64_t all = (uint64_t)c->global.max_sessions;
	const long cores = sysconf(_SC_NPROCESSORS_ONLN);
	uint64_t workers = (uint64_t)c->global.workers;
	uint64_t limit;
	struct rlimit r;

	if (workers == 0)
		workers = cores > 0 ? (uint64_t)cores : 1;
	limit = workers == 1 ? all : (all + workers - 1) / workers * 5 / 4 + 1;
	if (limit > all)
		limit = all;
	if (limit > SEGMENT_SESSIONS_PER_PROCESS)
		limit = SEGMENT_SESSIONS_PER_PROCESS;
	if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur != RLIM_INFINITY &&
	    limit > r.rlim_cur * 3 / 4)
		limit = r.rlim_cur * 3 / 4;
	return limit > 0 ? (size_t)limit : 1;
}

/* As many descriptors as the hard limit allows. */
static void raise_descriptors(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < r.rlim_max) {
		r.rlim_cur = r.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &r);
	}
}

/* Before /etc/resolv.conf is out of reach. */
static struct resolver *open_resolver(const struct worker *w, struct buf *err)
{
	const struct global_settings *g = &w->start->config->global;
	const struct resolver_options o = {.servers = g->resolvers.v,
					   .server_count = g->resolvers.n,
					   .timeout_us = g->dns_timeout,
					   .cache_entries = DNS_CACHE_ENTRIES};

	return resolver_open(w->loop, &o, err);
}

static bool open_inspect(struct worker *w)
{
	const struct inspect_options o = {.fd = w->start->inspect_fd};
	const struct inspect_options scan = {.fd = w->start->scan_fd};

	const struct inspect_options archives = {.fd = w->start->inspect_fd, .outstanding_max = 1};

	w->smtp.inspect = inspect_open(w->loop, &o);
	w->smtp.archives = inspect_open(w->loop, &archives);
	w->smtp.scanners = inspect_open(w->loop, &scan);
	return w->smtp.inspect && w->smtp.archives && w->smtp.scanners;
}

/* What is made of certificates and keys, which are then forgotten. */
static bool open_secrets(struct worker *w, struct buf *err)
{
	struct config *c = w->start->config;

	if (!certificates_read(c, w->start->keys_fd, err))
		return false;
	w->smtp.routes = routes_open(w->loop, c, w->offload, w->smtp.slot, err);
	const bool good = w->smtp.routes && certificates_open(c, &w->seg, &w->smtp.tls, err);
	config_keys_wipe(c);
	return good;
}

/* While we still are root: Maildirs and the state directory may lie where only root gets to. */
static bool open_as_root(struct worker *w, struct buf *err)
{
	const struct config *c = w->start->config;

	if (segment_attach(w->start->segment_fd, true, &w->seg) != 0)
		return fail(err, "cannot map the shared memory");
	w->smtp.slot = &w->seg.processes[w->start->process];
	w->smtp.slot->started_boot_us = clock_boot_us();
	w->loop = loop_new();
	if (!w->loop)
		return fail(err, "cannot make an event loop");
	w->offload = offload_new(w->loop, OFFLOAD_THREADS);
	if (!w->offload)
		return fail(err, "cannot start threads");
	if (!open_secrets(w, err))
		return false;
	w->smtp.resolver = open_resolver(w, err);
	if (!w->smtp.resolver)
		return false;
	if (!open_inspect(w))
		return fail(err, "cannot ask the inspectors");
	if (chdir(c->global.state_dir.p) != 0) {
		buf_printf(err, "cannot enter %s: %s", c->global.state_dir.p,
			   strerrordesc_np(errno));
		return false;
	}
	return true;
}

static bool open_spool(struct worker *w, struct buf *err)
{
	const struct global_settings *g = &w->start->config->global;

	w->spool = (struct spool_place){
	    .offload = w->offload,
	    .dir_fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC),
	    .memory_each = g->spool_memory,
	    .memory_total = g->spool_memory_total,
	};
	return w->spool.dir_fd >= 0 || fail(err, "cannot open state-dir");
}

/* As the user that we are from now on: so will it be when Dovecot has to be asked anew. */
static bool open_logins(struct worker *w, struct buf *err)
{
	const struct config *c = w->start->config;
	bool wanted = false;

	for (size_t i = 0; i < c->listener_count; i++)
		wanted = wanted || c->listeners[i].set.auth != LISTENER_AUTH_OFF;
	if (!wanted)
		return true;
	w->smtp.logins =
	    logins_open(w->loop, &(struct logins_options){.socket = c->auth_socket,
							  .auth_fd = w->start->auth_fd,
							  .mechanisms = c->mechanisms});
	return w->smtp.logins || fail(err, "cannot ask who may log in");
}

static void open_smtp(struct worker *w)
{
	const struct config *c = w->start->config;
	const struct text delimiter = c->global.recipient_delimiter;
	struct smtp_server *sv = &w->smtp;

	w->world = (struct worker_world){.seg = &w->seg,
					 .process = w->start->process,
					 .state_dir = ".",
					 .delimiter = delimiter.n ? delimiter.p[0] : 0};
	worker_world_open(&w->world);
	sv->loop = w->loop;
	sv->config = c;
	sv->seg = &w->seg;
	sv->process = w->start->process;
	sv->world = worker_world_make(&w->world);
	sv->spool_place = &w->spool;
	sv->session_limit = session_limit(c);
	sv->on_end = on_session_end;
	sv->on_end_arg = w;
	smtp_server_init(sv, &w->arena);
	if (w->start->index == 0)
		w->lists = list_health_start(w->loop, sv->resolver, &sv->world, c);
}

static bool open_doors(struct worker *w, struct buf *err)
{
	const struct config *c = w->start->config;
	size_t n = 0;

	w->doors = arena_alloc(&w->arena, (w->start->listen_count + 1) * sizeof(*w->doors));
	for (size_t i = 0; i < c->listener_count; i++) {
		for (size_t k = 0; k < c->listeners[i].address_count; k++, n++) {
			struct door *d = &w->doors[n];

			if (n >= w->start->listen_count)
				return false;
			d->worker = w;
			d->listener = &c->listeners[i];
			if (!acceptor_init(&d->acceptor, w->loop, w->start->listen_fds[n],
					   &door_ops, d))
				return fail(err, "cannot accept connections");
			w->door_count++;
		}
	}
	return true;
}

static bool worker_open(struct worker *w, struct buf *err)
{
	arena_init(&w->arena, NULL, NULL);
	raise_descriptors();
	if (!open_as_root(w, err) || !open_signals(w, err))
		return false;
	if (!privileges_drop(w->start->config->global.user, err) || !worker_seccomp(err))
		return false;
	if (!open_spool(w, err) || !open_logins(w, err))
		return false;
	open_smtp(w);
	return open_doors(w, err);
}

static void worker_close(struct worker *w)
{
	timer_clear(w->loop, &w->heartbeat);
	timer_clear(w->loop, &w->drain);
	routes_close(w->smtp.routes);
	resolver_close(w->smtp.resolver);
	tls_server_free(w->smtp.tls);
	inspect_close(w->smtp.inspect);
	inspect_close(w->smtp.archives);
	inspect_close(w->smtp.scanners);
	logins_close(w->smtp.logins);
	offload_free(w->offload);
	verifications_free(&w->smtp.verifications);
	worker_world_close(&w->world);
	close(w->spool.dir_fd);
	loop_free(w->loop);
	segment_detach(&w->seg);
	arena_reset(&w->arena);
}

int worker_main(const struct worker_start *start)
{
	static struct worker w;
	char message[512];
	struct buf err = buf_over(message, sizeof(message));

	w.start = start;
	if (!worker_open(&w, &err)) {
		log_error("cannot start: %s", message);
		return 1;
	}
	on_second(&w);
	loop_run(w.loop);
	/* Sessions that could not be ended still hold parts of all this: they go with the process.
	 */
	if (w.smtp.session_count == 0)
		worker_close(&w);
	return 0;
}
