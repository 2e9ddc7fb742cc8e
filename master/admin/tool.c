/* What the commands share: opening the stores, reading what people typed. */
#include "master/admin/tool.h"

#include "master/admin/output.h"
#include "shm/base/clock.h"
#include "shm/base/ip.h"
#include "shm/requests.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { KEEPER_SECONDS = 2, FORGET_SECONDS = 5, POLL_MS = 5 };

/* Ten thousand years from now are not a time. */
#define LIFE_MAX (SECOND_US * 86400 * 36525)

static struct {
	const char *name;
	unsigned long line;
	bool quiet;
} reading;

void tool_at(const char *name, unsigned long line, bool quiet)
{
	reading.name = name;
	reading.line = line;
	reading.quiet = quiet;
}

int tool_fail(enum exit_status status, const char *fmt, ...)
{
	char message[2048];
	va_list ap;

	if (reading.quiet)
		return status;

	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	fflush(stdout);
	fputs("gatepost: ", stderr);
	if (reading.name)
		fprintf(stderr, "%s:%lu: ", reading.name, reading.line);
	/* lines of our own making */
	for (struct text line, rest = text_of(message); rest.n;) {
		text_split(rest, '\n', &line, &rest);
		print_clean_text(stderr, line);
		fputc('\n', stderr);
	}
	return status;
}

/* For writing even where a command only reads: a tool may come before the first daemon, and makes
 * what isn't there. */
static bool open_store(struct store *st, bool *open, enum store_name name)
{
	char message[512];
	struct buf err = buf_over(message, sizeof(message));

	if (!*open)
		*open = store_open(st, ".", name, STORE_WRITE, &err) == 0;
	if (!*open)
		tool_fail(EXIT_STORE, "%s", message);
	return *open;
}

bool tool_open_lists(struct tool *t)
{
	return open_store(&t->lists, &t->lists_open, STORE_LISTS);
}

bool tool_open_events(struct tool *t)
{
	return open_store(&t->events, &t->events_open, STORE_EVENTS);
}

bool tool_open_users(struct tool *t)
{
	return open_store(&t->users, &t->users_open, STORE_USERS);
}

/* ---- the running daemon ---- */

static int receive_descriptor(int from)
{
	char byte;
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = {&byte, 1};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control.bytes,
			     .msg_controllen = sizeof(control.bytes)};
	int fd = -1;
	if (recvmsg(from, &msg, MSG_CMSG_CLOEXEC) <= 0)
		return -1;
	const struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

bool tool_attach(struct tool *t)
{
	const struct sockaddr_un sa = {.sun_family = AF_UNIX, .sun_path = "control"};
	const struct timeval patience = {.tv_sec = 5};
	if (t->attached)
		return true;
	int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (s < 0)
		return false;
	setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	int fd =
	    connect(s, (const struct sockaddr *)&sa, sizeof(sa)) == 0 ? receive_descriptor(s) : -1;
	close(s);
	if (fd < 0)
		return false;
	t->attached = segment_attach(fd, false, &t->segment) == 0;
	if (!t->attached && errno == EPROTO)
		tool_fail(
		    EXIT_NO,
		    "the running daemon is of another version: its shared memory can't be read");
	close(fd);
	return t->attached;
}

static void pause_ms(long ms)
{
	const struct timespec pause = {.tv_nsec = ms * 1000000};

	nanosleep(&pause, NULL);
}

bool tool_wait_keeper(struct tool *t)
{
	uint64_t heads[SEGMENT_PROCESSES];
	const int64_t end = clock_mono_us() + KEEPER_SECONDS * SECOND_US;

	if (!tool_attach(t))
		return true;
	for (unsigned p = 0; p < SEGMENT_PROCESSES; p++)
		heads[p] = ring_head(&t->segment.rings[p]);
	for (unsigned p = 0; p < SEGMENT_PROCESSES; p++) {
		while (ring_tail(&t->segment.rings[p]) < heads[p]) {
			if (clock_mono_us() > end)
				return false;
			pause_ms(POLL_MS);
		}
	}
	return true;
}

bool tool_hash_key(struct tool *t, struct siphash_key *key)
{
	if (tool_attach(t)) {
		*key = t->segment.table.key;
		return true;
	}
	const int fd = open("key", O_RDONLY | O_CLOEXEC);
	const ssize_t n = fd < 0 ? -1 : read(fd, key, sizeof(*key));

	if (fd >= 0)
		close(fd);
	if (n != (ssize_t)sizeof(*key))
		tool_fail(EXIT_STORE, "cannot read state-dir/key: %s",
			  n < 0 ? strerror(errno) : "it is cut short");
	return n == (ssize_t)sizeof(*key);
}

int tool_forget(struct tool *t, const uint64_t *tags, size_t n, const char *note)
{
	const int64_t end = clock_mono_us() + FORGET_SECONDS * SECOND_US;
	uint64_t id;

	if (!tool_open_events(t))
		return EXIT_STORE;
	int rc = requests_put(&t->events, tags, n, note, &id);

	if (rc)
		return tool_fail(EXIT_STORE, "cannot ask the keeper: %s", store_error(rc));
	while (tool_attach(t) && requests_waiting(&t->events, id) == ANSWER_YES) {
		if (clock_mono_us() > end && requests_withdraw(&t->events, id) == 0)
			return tool_fail(EXIT_NO, "the keeper does not answer: nothing changed");
		pause_ms(POLL_MS);
	}
	return EXIT_YES;
}

/* ---- what people type ---- */

const char *tool_user(const struct tool *t)
{
	const char *sudo = getenv("SUDO_USER");

	if (t->options.by)
		return t->options.by;
	if (sudo && *sudo)
		return sudo;
	const char *login = getenv("LOGNAME");

	return login && *login ? login : "root";
}

bool tool_parse_expiry(const struct tool *t, const char *option, const char *value,
		       int64_t *expires_wall_us)
{
	int64_t life;

	if (!duration_parse(text_of(value), &life) || life <= 0 || life > LIFE_MAX) {
		tool_fail(EXIT_WRONG, "--%s \"%s\": not a time such as 90s, 10m, 12h, 7d, 2w",
			  option, value);
		return false;
	}
	*expires_wall_us = t->now_wall_us + life;
	return true;
}

bool tool_fill_entry(const struct tool *t, struct list_entry *e)
{
	const char *reason = t->options.reason ? t->options.reason : "";

	if (strlen(reason) > LIST_REASON_MAX) {
		tool_fail(EXIT_WRONG, "--reason: longer than %d bytes", LIST_REASON_MAX);
		return false;
	}
	e->added_wall_us = t->now_wall_us;
	e->at_connect = t->options.at_connect;
	snprintf(e->by, sizeof(e->by), "%s", tool_user(t));
	snprintf(e->reason, sizeof(e->reason), "%s", reason);
	return !t->options.expires ||
	       tool_parse_expiry(t, "expires", t->options.expires, &e->expires_wall_us);
}

void tool_print_facts(const struct list_entry *e)
{
	char time[40];

	if (e->expires_wall_us)
		printf(" until %s", minute_format(e->expires_wall_us, time));
	else
		fputs(", no expiry,", stdout);
	fputs(" by ", stdout);
	print_clean(stdout, e->by);
	if (e->reason[0]) {
		fputs(": ", stdout);
		print_clean(stdout, e->reason);
	}
}
