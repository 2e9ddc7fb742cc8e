/* The process log.
 *
 * syslog(3) and sd_journal_send(3) block when their daemon is stopped; so both targets are written
 * here, as datagrams that are sent or dropped: RFC 3164 to /dev/log, the journal's native protocol
 * (a list of NAME=value lines, https://systemd.io/JOURNAL_NATIVE_PROTOCOL/) to its socket. */
#include "shm/base/log.h"

#include "shm/base/clock.h"
#include "shm/base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

enum {
	LOG_LINE_MAX = 16384, /* of a finished line; the rest is cut */
	LOG_WAIT_MS = 50,     /* for a reader of stderr that is behind */
};

static struct {
	enum log_to to;
	enum log_level most;
	char role[32];
	const char *path; /* of syslog's or the journal's socket */
	int socket;       /* connected to it, or -1 */
	bool stderr_is_journal, stderr_is_socket;
	_Atomic uint64_t lost;
	_Atomic bool behind; /* stderr's reader: don't wait for it again until it reads */
} state = {.most = LOG_LEVEL_INFO, .socket = -1};

/* Threads of a worker log as well; and on a coroutine's stack there is no room for a line. */
static _Thread_local char message_bytes[LOG_LINE_MAX];
static _Thread_local char line_bytes[LOG_LINE_MAX + 512];

/* ---- stderr
 * -------------------------------------------------------------------------------------- */

/* Whether stderr is the journal's: systemd names its device and inode. */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	uintmax_t dev, ino;
	struct stat st;

	return stream && sscanf(stream, "%" SCNuMAX ":%" SCNuMAX, &dev, &ino) == 2 &&
	       fstat(STDERR_FILENO, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
}

/* A pipe or terminal that nobody reads must not stop a worker.  O_NONBLOCK on the descriptor as it
 * is would be seen by the shell that shares it, so it is opened anew.  Where that is not allowed
 * (another user's terminal), write_stderr's poll has to do. */
static void own_stderr(void)
{
	struct stat st;
	int fd;

	if (fstat(STDERR_FILENO, &st) < 0 || (!S_ISFIFO(st.st_mode) && !S_ISCHR(st.st_mode)))
		return;
	fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (fd != STDERR_FILENO) {
		dup2(fd, STDERR_FILENO);
		close(fd);
	}
}

static bool stderr_ready(void)
{
	struct pollfd p = {.fd = STDERR_FILENO, .events = POLLOUT};

	/* a pipe without a reader shows POLLERR: writing would only raise SIGPIPE */
	return poll(&p, 1, state.behind ? 0 : LOG_WAIT_MS) == 1 && p.revents == POLLOUT;
}

static ssize_t write_stderr_some(const char *p, size_t n)
{
	if (state.stderr_is_socket)
		return send(STDERR_FILENO, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	return write(STDERR_FILENO, p, n);
}

static bool write_stderr(const char *p, size_t n)
{
	while (n > 0) {
		bool ready = stderr_ready();

		state.behind = !ready;
		if (!ready)
			return false;
		ssize_t done = write_stderr_some(p, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return false;
		p += done;
		n -= (size_t)done;
	}
	return true;
}

static const char *level_word(enum log_level level)
{
	switch (level) {
	case LOG_LEVEL_ERROR:
		return "error: ";
	case LOG_LEVEL_WARN:
		return "warning: ";
	case LOG_LEVEL_DEBUG:
		return "debug: ";
	default:
		return "";
	}
}

static bool send_stderr(enum log_level level, struct text message, bool plain)
{
	struct buf b = buf_over(line_bytes, sizeof(line_bytes) - 1);
	const char *gap = state.role[0] ? " " : "";

	if (state.stderr_is_journal)
		buf_printf(&b, "<%d>", (int)level);
	if (!plain && state.stderr_is_journal)
		buf_printf(&b, "%s%s", state.role, state.role[0] ? ": " : "");
	else if (!plain)
		buf_printf(&b, "gatepostd[%d]%s%s: %s", (int)getpid(), gap, state.role,
			   level_word(level));
	buf_text(&b, message);
	b.p[b.n++] = '\n'; /* the byte kept back above */
	return write_stderr(b.p, b.n);
}

/* ---- syslog and the journal
 * ---------------------------------------------------------------------- */

static void socket_open(void)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};

	if (state.socket >= 0)
		close(state.socket);
	state.socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (state.socket < 0)
		return;
	text_cstr(text_of(state.path), un.sun_path, sizeof(un.sun_path));
	if (connect(state.socket, (const void *)&un, sizeof(un)) < 0) {
		close(state.socket);
		state.socket = -1;
	}
}

enum sent { SENT, SENT_NOT, SENT_NOBODY };

static enum sent socket_send(const struct buf *b)
{
	/* a daemon that was restarted has a new socket behind the same name */
	for (int attempt = 0; attempt < 2; attempt++) {
		if (state.socket >= 0 &&
		    send(state.socket, b->p, b->n, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
			return SENT;
		if (state.socket >= 0 && (errno == EAGAIN || errno == ENOBUFS || errno == EMSGSIZE))
			return SENT_NOT;
		if (attempt == 0)
			socket_open();
	}
	return SENT_NOBODY;
}

static enum sent send_syslog(enum log_level level, struct text message, bool plain)
{
	struct buf b = buf_over(line_bytes, sizeof(line_bytes));
	time_t now = time(NULL);
	char stamp[32];
	struct tm tm;

	/* in the C locale, which is what these programs run in */
	if (!localtime_r(&now, &tm) || strftime(stamp, sizeof(stamp), "%b %e %H:%M:%S", &tm) == 0)
		stamp[0] = '\0';
	buf_printf(&b, "<%d>%s gatepostd[%d]: ", LOG_MAIL | (int)level, stamp, (int)getpid());
	if (!plain && state.role[0])
		buf_printf(&b, "%s: ", state.role);
	buf_text(&b, message);
	return socket_send(&b);
}

static enum sent send_journal(enum log_level level, struct text message)
{
	struct buf b = buf_over(line_bytes, sizeof(line_bytes));

	buf_printf(&b,
		   "PRIORITY=%d\nSYSLOG_IDENTIFIER=gatepostd\nSYSLOG_FACILITY=%d\n"
		   "GATEPOST_ROLE=%s\nMESSAGE=",
		   (int)level, LOG_MAIL >> 3, state.role);
	buf_text(&b, message);
	b.p[b.n < b.cap - 1 ? b.n++ : b.n - 1] = '\n';
	return socket_send(&b);
}

/* ---- all
 * ----------------------------------------------------------------------------------------- */

static bool deliver(enum log_level level, struct text message, bool plain)
{
	enum sent sent = SENT_NOBODY;

	if (state.to == LOG_TO_SYSLOG)
		sent = send_syslog(level, message, plain);
	else if (state.to == LOG_TO_JOURNAL)
		sent = send_journal(level, message);
	return sent == SENT_NOBODY ? send_stderr(level, message, plain) : sent == SENT;
}

static bool is_control(char c)
{
	return (unsigned char)c < 0x20 || c == 0x7f;
}

/* Changes p: controls in it become '?'. */
static void emit(enum log_level level, char *p, size_t n, bool plain)
{
	uint64_t lost = atomic_exchange(&state.lost, 0);

	if (lost > 0) {
		char note[64];
		struct buf b = buf_over(note, sizeof(note));

		buf_printf(&b, "%" PRIu64 " lines of this log were lost", lost);
		if (!deliver(LOG_LEVEL_WARN, buf_view(&b), false)) {
			atomic_fetch_add(&state.lost, lost + 1);
			return;
		}
	}
	for (size_t i = 0; i < n; i++) {
		if (is_control(p[i]))
			p[i] = '?';
	}
	if (!deliver(level, text_make(p, n), plain))
		atomic_fetch_add(&state.lost, 1);
}

static void log_message(enum log_level level, const char *fmt, va_list ap)
{
	int saved = errno;

	if (level <= state.most) {
		int n = vsnprintf(message_bytes, sizeof(message_bytes), fmt, ap);

		if (n >= LOG_LINE_MAX)
			n = LOG_LINE_MAX - 1;
		if (n >= 0)
			emit(level, message_bytes, (size_t)n, false);
	}
	errno = saved;
}

void log_line(enum log_level level, const char *line, int length)
{
	int saved = errno;

	if (level <= state.most && length >= 0) {
		size_t n = text_cstr(text_make(line, (size_t)length), message_bytes,
				     sizeof(message_bytes));

		emit(level, message_bytes, n, true);
	}
	errno = saved;
}

/* As many whole lines as a pipe takes at once or not at all, copied without other controls. */
static size_t take_lines(const char *p, size_t n, struct buf *chunk)
{
	size_t taken = 0;

	while (taken < n) {
		size_t line = text_find(text_make(p + taken, n - taken), '\n');
		size_t end = taken + line < n ? taken + line + 1 : n;

		if (end > PIPE_BUF && taken > 0)
			break;
		taken = end;
		if (end > PIPE_BUF)
			break;
	}
	*chunk = buf_over(message_bytes, sizeof(message_bytes));
	buf_put(chunk, p, taken);
	if (chunk->cut)
		chunk->p[chunk->n - 1] = '\n';
	for (size_t i = 0; i < chunk->n; i++) {
		if (chunk->p[i] != '\n' && is_control(chunk->p[i]))
			chunk->p[i] = '?';
	}
	return taken;
}

static uint64_t count_lines(const struct buf *b)
{
	uint64_t n = 0;

	for (size_t i = 0; i < b->n; i++)
		n += b->p[i] == '\n';
	return n;
}

void log_lines(enum log_level level, const char *lines, size_t n)
{
	bool whole = state.to == LOG_TO_STDERR && !state.stderr_is_journal;
	int saved = errno;

	if (level > state.most)
		return;
	while (n > 0) {
		size_t line = text_find(text_make(lines, n), '\n');
		size_t taken = line < n ? line + 1 : n;
		struct buf chunk;

		/* the first line of a batch also tells what was lost before it */
		if (!whole || atomic_load(&state.lost) > 0) {
			log_line(level, lines, (int)line);
		} else {
			taken = take_lines(lines, n, &chunk);
			if (!write_stderr(chunk.p, chunk.n))
				atomic_fetch_add(&state.lost, count_lines(&chunk));
		}
		lines += taken;
		n -= taken;
	}
	errno = saved;
}

void log_open(enum log_to to, const char *role)
{
	int saved = errno;
	struct stat st;

	text_cstr(text_of(role), state.role, sizeof(state.role));
	state.to = to;
	state.path = to == LOG_TO_SYSLOG ? "/dev/log" : "/run/systemd/journal/socket";
	state.stderr_is_journal = stderr_is_journal();
	state.stderr_is_socket = fstat(STDERR_FILENO, &st) == 0 && S_ISSOCK(st.st_mode);
	own_stderr();
	if (to != LOG_TO_STDERR)
		socket_open();
	errno = saved;
}

void log_set_level(enum log_level most)
{
	state.most = most;
}

void log_error(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_message(LOG_LEVEL_ERROR, fmt, ap);
	va_end(ap);
}

void log_warn(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_message(LOG_LEVEL_WARN, fmt, ap);
	va_end(ap);
}

void log_info(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_message(LOG_LEVEL_INFO, fmt, ap);
	va_end(ap);
}

void log_debug(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_message(LOG_LEVEL_DEBUG, fmt, ap);
	va_end(ap);
}

bool log_allowed(struct log_limit *l, int64_t period_us, uint64_t *held_back)
{
	int64_t now = clock_mono_us();

	if (now < l->next_us) {
		l->held++;
		return false;
	}
	*held_back = l->held;
	l->held = 0;
	l->next_us = now + period_us;
	return true;
}
