/* The zygote's loop: births, deaths, and the watchdog. */
#include "worker/inspect/zygote.h"

#include "shm/base/clock.h"
#include "shm/base/log.h"
#include "worker/inspect/archive.h"
#include "worker/inspect/dkim.h"
#include "worker/inspect/inspector.h"
#include "worker/inspect/jail.h"
#include "worker/inspect/question.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define TICK_MS 100
/* One that dies before its first question can't do better the next time: the back-off grows.  One
 * that dies over a question is replaced at once, since others wait and a fork costs little. */
#define BACKOFF_FIRST_US (SECOND_US / 100)
#define BACKOFF_LAST_US  SECOND_US
/* After SIGTERM the questions at hand have this long. */
#define END_GRACE_US (2 * SECOND_US)
#define PAGE_BYTES   4096

/* Sanitizers make everything several times slower. */
#ifdef GATEPOST_SANITIZED
#define TIME_FACTOR 10
#else
#define TIME_FACTOR 1
#endif

struct inspector {
	pid_t pid; /* 0: none */
	struct inspector_page *page;
	int64_t start_at_us;
	unsigned quick_deaths;
	bool hung; /* killed by the watchdog */
};

struct zygote {
	const struct zygote_options *o;
	struct zygote_status *status;
	int signal_fd;
	struct inspector inspectors[INSPECTORS_MAX];
	int64_t kill_at_us; /* ending: when patience ends; 0: not ending */
};

unsigned zygote_inspectors(int64_t setting)
{
	const long cores = sysconf(_SC_NPROCESSORS_ONLN);
	int64_t n = setting > 0 ? setting : 2 * (cores > 0 ? cores : 1);

	return n > INSPECTORS_MAX ? INSPECTORS_MAX : (unsigned)n;
}

int zygote_status_create(struct zygote_status **out)
{
	const int fd = memfd_create("gatepost-zygote", MFD_CLOEXEC);
	void *page;

	if (fd < 0)
		return -1;
	page = ftruncate(fd, PAGE_BYTES) == 0
		   ? mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)
		   : MAP_FAILED;
	if (page == MAP_FAILED) {
		close(fd);
		return -1;
	}
	*out = page;
	return fd;
}

/* ---- Being an inspector */

/* Of all that the zygote has it keeps its own page and the serving end. */
static int leave_zygote(const struct zygote *z, const struct inspector *self, pid_t zygote_pid)
{
	const struct zygote_scan *scan = z->o->scan;
	const int fd = dup2(z->o->serve_fd, STDERR_FILENO + 1);

	/* One that scans ends its message first if its zygote is killed: the message would not be
	 * asked about again. */
	inspector_signals(scan ? scan->time_ms / 1000 + 1 : 0);
	prctl(PR_SET_PDEATHSIG, scan ? SIGTERM : SIGKILL);
	prctl(PR_SET_NAME, "gatepost-inspec");
	if (fd < 0 || getppid() != zygote_pid)
		_exit(1);
	closefrom(fd + 1);
	close(STDIN_FILENO);
	close(STDOUT_FILENO);
	for (unsigned i = 0; i < INSPECTORS_MAX; i++) {
		struct inspector_page *page = z->inspectors[i].page;

		if (page && page != self->page)
			munmap(page, PAGE_BYTES);
	}
	munmap(z->status, PAGE_BYTES);
	return fd;
}

static void close_door(const struct zygote *z, unsigned room)
{
	const struct zygote_scan *scan = z->o->scan;
	const uint64_t more = z->o->memory_bytes;
	char message[256];
	struct buf err = buf_over(message, sizeof(message));
	bool ok = true;

	if (scan)
		ok = scratch_take_room(room, &err) &&
		     jail_limit(zygote_scan_memory(more), scan->rooms.bytes, &err) &&
		     jail_seccomp(true, &err);
	else
		ok = jail_limit(more, 0, &err) && jail_seccomp(false, &err);
	if (!ok) {
		log_error("inspector: %s", message);
		_exit(1);
	}
}

static _Noreturn void become_inspector(const struct zygote *z, const struct inspector *self,
				       pid_t zygote_pid)
{
	const int fd = leave_zygote(z, self, zygote_pid);

	close_door(z, (unsigned)(self - z->inspectors));
	inspector_run(fd, self->page);
}

/* An engine shows what it can in the very place where it will work. */
static _Noreturn void become_proof(const struct zygote *z, pid_t zygote_pid)
{
	leave_zygote(z, &z->inspectors[0], zygote_pid);
	close_door(z, 0);
	_exit((int)engine_prove());
}

/* ---- Births and deaths */

static void plan_restart(struct inspector *in, int64_t now_us, bool clean)
{
	const bool worked = clean || atomic_load(&in->page->answered) > 0 ||
			    atomic_load(&in->page->type) != QUESTION_NONE;
	int64_t wait = BACKOFF_FIRST_US;

	in->quick_deaths = worked ? 0 : in->quick_deaths + 1;
	for (unsigned i = 1; i < in->quick_deaths && wait < BACKOFF_LAST_US; i++)
		wait *= 2;
	in->start_at_us = in->quick_deaths ? now_us + wait : now_us;
}

static void start(struct zygote *z, struct inspector *in, int64_t now_us)
{
	const pid_t self = getpid();

	memset(in->page, 0, sizeof(*in->page));
	in->hung = false;
	in->pid = fork();
	if (in->pid == 0)
		become_inspector(z, in, self);
	if (in->pid < 0) {
		log_error("cannot fork an inspector: %s", strerrordesc_np(errno));
		in->pid = 0;
		in->start_at_us = now_us + SECOND_US;
		return;
	}
	atomic_fetch_add(&z->status->inspectors, 1);
}

static void start_due(struct zygote *z, int64_t now_us)
{
	for (unsigned i = 0; i < z->o->inspectors && z->kill_at_us == 0; i++) {
		struct inspector *in = &z->inspectors[i];

		if (in->pid == 0 && in->start_at_us <= now_us)
			start(z, in, now_us);
	}
}

static const char *asked_of(const struct inspector *in)
{
	const uint32_t type = atomic_load(&in->page->type);

	return question_name((enum question_type)type);
}

static void say_death(const struct inspector *in, int status)
{
	static struct log_limit limit;
	char how[96], more[64] = "";
	uint64_t held;

	if (!log_allowed(&limit, SECOND_US, &held))
		return;
	if (WIFSIGNALED(status))
		snprintf(how, sizeof(how), "died of signal %d (%s)%s", WTERMSIG(status),
			 strsignal(WTERMSIG(status)), in->hung ? " by the watchdog" : "");
	else
		snprintf(how, sizeof(how), "ended with status %d", WEXITSTATUS(status));
	if (held > 0)
		snprintf(more, sizeof(more), "; %llu more deaths since the last line",
			 (unsigned long long)held);
	log_error("inspector (pid %d) %s, question: %s%s", (int)in->pid, how, asked_of(in), more);
}

static void bury(struct zygote *z, struct inspector *in, int status, int64_t now_us)
{
	const bool clean = WIFEXITED(status) && WEXITSTATUS(status) == 0;

	if (!clean) {
		say_death(in, status);
		atomic_fetch_add(&z->status->deaths, 1);
	}
	if (in->hung)
		atomic_fetch_add(&z->status->hung, 1);
	atomic_fetch_sub(&z->status->inspectors, 1);
	in->pid = 0;
	if (z->o->scan)
		scratch_clean_room((unsigned)(in - z->inspectors));
	plan_restart(in, now_us, clean);
}

static void stop_hung(struct inspector *in)
{
	in->hung = true;
	kill(in->pid, SIGKILL);
}

static void reap(struct zygote *z, int64_t now_us)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG | WUNTRACED)) > 0) {
		for (unsigned i = 0; i < INSPECTORS_MAX; i++) {
			struct inspector *in = &z->inspectors[i];

			if (in->pid != pid)
				continue;
			/* Nobody has a reason to stop one, and stopped it holds a question. */
			if (WIFSTOPPED(status))
				stop_hung(in);
			else
				bury(z, in, status, now_us);
			break;
		}
	}
}

/* How long this one may take. */
static int64_t most_us(const struct zygote *z, enum question_type type)
{
	if (type == QUESTION_ANTIVIRUS && z->o->scan)
		return z->o->scan->time_ms * 1000LL;
	return TIME_FACTOR * 1000LL * (type ? question_time_ms(type) : 1000);
}

static void watch_over(struct zygote *z, int64_t now_us)
{
	for (unsigned i = 0; i < z->o->inspectors; i++) {
		struct inspector *in = &z->inspectors[i];

		if (in->pid == 0)
			continue;
		const int64_t since = atomic_load(&in->page->busy_since_mono_us);
		const uint32_t type = atomic_load(&in->page->type);

		if (since != 0 && now_us - since > most_us(z, (enum question_type)type))
			stop_hung(in);
	}
}

/* ---- Ending */

static void signal_all(const struct zygote *z, int signal_number)
{
	for (unsigned i = 0; i < z->o->inspectors; i++) {
		if (z->inspectors[i].pid > 0)
			kill(z->inspectors[i].pid, signal_number);
	}
}

static void begin_end(struct zygote *z, int64_t now_us)
{
	if (z->kill_at_us != 0)
		return;
	z->kill_at_us = now_us + END_GRACE_US;
	if (z->o->scan)
		z->kill_at_us += z->o->scan->time_ms * 1000LL;
}

/* ---- The loop */

static bool take_signals(struct zygote *z)
{
	struct signalfd_siginfo info;
	bool told_to_end = false;

	while (read(z->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		told_to_end = told_to_end || info.ssi_signo == SIGTERM;
	return told_to_end;
}

static void serve(struct zygote *z)
{
	do {
		/* A hang-up of the pair: master and workers all are gone. */
		struct pollfd fds[] = {{.fd = z->signal_fd, .events = POLLIN},
				       {.fd = z->o->serve_fd}};

		poll(fds, 2, TICK_MS);
		const int64_t now_us = clock_mono_us();
		if (take_signals(z) || (fds[1].revents & (POLLHUP | POLLERR)))
			begin_end(z, now_us);
		reap(z, now_us);
		start_due(z, now_us);
		watch_over(z, now_us);
		atomic_store(&z->status->heartbeat_boot_us, clock_boot_us());
		atomic_store(&z->status->ready, z->kill_at_us == 0);
		/* Again and again: one that was just about to wait has missed it. */
		if (z->kill_at_us != 0)
			signal_all(z, now_us > z->kill_at_us ? SIGKILL : SIGTERM);
	} while (z->kill_at_us == 0 || atomic_load(&z->status->inspectors) > 0);
}

static bool open_signals(struct zygote *z)
{
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	z->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	return z->signal_fd >= 0;
}

static bool open_pages(struct zygote *z)
{
	z->status = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, z->o->status_fd, 0);
	if (z->status == MAP_FAILED)
		return false;
	atomic_store(&z->status->inspectors, 0);
	atomic_store(&z->status->ready, 0);
	for (unsigned i = 0; i < z->o->inspectors; i++) {
		struct inspector_page *page = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE,
						   MAP_SHARED | MAP_ANONYMOUS, -1, 0);

		if (page == MAP_FAILED)
			return false;
		z->inspectors[i].page = page;
	}
	return true;
}

/* ---- With an engine */

/* While it loads: alive, and told to end it ends. */
static void on_progress(void *arg)
{
	struct zygote *z = arg;

	atomic_store(&z->status->heartbeat_boot_us, clock_boot_us());
	if (take_signals(z))
		_exit(0);
}

/* 0, or the exit status: want of time or of processes says nothing of the database. */
static int prove(struct zygote *z)
{
	const pid_t self = getpid(), pid = fork();
	const int64_t until_us = clock_mono_us() + TIME_FACTOR * 10 * SECOND_US;
	bool late = false;
	int status = -1;

	if (pid == 0)
		become_proof(z, self);
	while (pid > 0 && waitpid(pid, &status, WNOHANG) == 0) {
		struct pollfd fd = {.fd = z->signal_fd, .events = POLLIN};

		if (clock_mono_us() > until_us) {
			late = true;
			kill(pid, SIGKILL);
		}
		poll(&fd, 1, TICK_MS);
		on_progress(z);
	}
	scratch_clean_room(0);
	if (pid < 0 || WIFSIGNALED(status))
		log_error("the proof of the anti-virus engine did not end in good order");
	else if (status != 0)
		log_error("%s", engine_proof_text((enum engine_proof)WEXITSTATUS(status)));
	if (pid > 0 && status == 0)
		return 0;
	return pid < 0 || late ? 1 : ZYGOTE_EXIT_DATABASE;
}

/* 0, or the exit status. */
static int enter_with_engine(struct zygote *z, const struct zygote_scan *o)
{
	char message[512];
	struct buf err = buf_over(message, sizeof(message));
	struct zygote_scan mine = *o;

	mine.engine.progress = on_progress;
	mine.engine.progress_arg = z;
	if (!zygote_scan_load(&mine, &z->status->engine, &err)) {
		log_error("%s", message);
		return engine_is_loaded() ? 1 : ZYGOTE_EXIT_DATABASE;
	}
	return prove(z);
}

static int enter_jail(const struct zygote *z)
{
	char message[512];
	struct buf err = buf_over(message, sizeof(message));

	if (jail_enter(z->o->user, &err))
		return 0;
	log_error("cannot start: %s", message);
	return 1;
}

/* Files are read for the last time, and libraries loaded what they load at their first use. */
static void prepare(void)
{
	archives_prepare();
	if (!dkim_prepare())
		log_error("libopendkim does not verify what it must: DKIM stays undecided");
}

int zygote_run(const struct zygote_options *o)
{
	static struct zygote z;
	int status;

	z = (struct zygote){.o = o};
	if (!open_signals(&z) || !open_pages(&z)) {
		log_error("cannot start: %s", strerrordesc_np(errno));
		return 1;
	}
	if (!o->scan)
		prepare();
	status = o->scan ? enter_with_engine(&z, o->scan) : enter_jail(&z);
	if (status == 0)
		serve(&z);
	return status;
}
