/* What the commands share: opening the stores, reading what people typed. */
#include "master/admin/tool.h"

#include "shm/base/clock.h"
#include "shm/base/ip.h"

#include <errno.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int tool_fail(enum exit_status status, const char *fmt, ...)
{
	va_list ap;
	fflush(stdout);
	fputs("gatepost: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return status;
}

static bool open_store(struct store *st, bool *open, enum store_name name, enum store_access access)
{
	char message[512];
	struct buf err = buf_over(message, sizeof(message));
	if (*open && st->access >= access)
		return true;
	if (*open)
		store_close(st);
	*open = store_open(st, ".", name, access, &err) == 0;
	if (!*open)
		tool_fail(EXIT_STORE, "%s", message);
	return *open;
}

bool tool_open_lists(struct tool *t, enum store_access access)
{
	return open_store(&t->lists, &t->lists_open, STORE_LISTS, access);
}

bool tool_open_events(struct tool *t, enum store_access access)
{
	return open_store(&t->events, &t->events_open, STORE_EVENTS, access);
}

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

static enum list_key guess_kind(struct text t)
{
	struct net net;
	if (net_parse(t, &net) || text_find(t, '/') < t.n)
		return LIST_CLIENT;
	if (t.n && t.p[0] == '@')
		return LIST_DOMAIN;
	return text_find(t, '@') < t.n ? LIST_ADDRESS : LIST_DOMAIN;
}

bool tool_parse_key(const char *typed, struct list_entry *e)
{
	char message[256];
	struct buf err = buf_over(message, sizeof(message));
	struct text t = text_of(typed), kind, rest;
	if (text_split(t, ':', &kind, &rest) && text_eq(kind, LIT("sender")))
		e->kind =
		    text_find(rest, '@') < rest.n && rest.p[0] != '@' ? LIST_ADDRESS : LIST_DOMAIN;
	else if (!text_split(t, ':', &kind, &rest) || !list_key_find(kind, &e->kind)) {
		rest = t;
		e->kind = guess_kind(t);
	}
	if (e->kind == LIST_DOMAIN && rest.n && rest.p[0] == '@')
		rest = text_make(rest.p + 1, rest.n - 1);
	if (!list_key_normalize(e->kind, rest, e->key, &err)) {
		tool_fail(EXIT_WRONG, "\"%s\": %s", typed, message);
		return false;
	}
	if (e->kind == LIST_CLIENT)
		net_parse(text_of(e->key), &e->net);
	return true;
}

bool tool_fill_entry(const struct tool *t, struct list_entry *e)
{
	int64_t life;
	e->added_wall_us = t->now_wall_us;
	e->at_connect = t->options.at_connect;
	snprintf(e->by, sizeof(e->by), "%s", tool_user(t));
	snprintf(e->reason, sizeof(e->reason), "%s", t->options.reason ? t->options.reason : "");
	if (!t->options.expires)
		return true;
	if (!duration_parse(text_of(t->options.expires), &life) || life <= 0) {
		tool_fail(EXIT_WRONG, "--expires \"%s\": not a time such as 90s, 10m, 12h, 7d, 2w",
			  t->options.expires);
		return false;
	}
	e->expires_wall_us = t->now_wall_us + life;
	return true;
}
