/* Final delivery into Maildirs (worker/delivery/maildir.h). */
#include "worker/delivery/maildir.h"

#include "shm/base/clock.h"
#include "worker/delivery/host.h"
#include "worker/delivery/maildir_file.h"
#include "worker/delivery/maildir_path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOG_EVERY_US (60 * SECOND_US)

struct maildir {
	struct routes *routes;
	struct text name;   /* as configured, for the log */
	struct text rest;   /* of the template, behind the base */
	int base_fd;        /* O_PATH */
	char hostname[128]; /* as it stands in file names */
	unsigned counter;
	struct log_limit log;
};

/* ---- Opening */

/* A directory that root makes is for the user whom the worker becomes. */
static void give_to_user(const char *path, struct text user)
{
	char name[64];
	const struct passwd *pw;

	if (geteuid() != 0 || text_cstr(user, name, sizeof(name)) == 0)
		return;
	pw = getpwnam(name);
	if (pw && chown(path, pw->pw_uid, pw->pw_gid) != 0)
		log_warn("maildir %s: cannot give it to %s: %s", path, name,
			 strerrordesc_np(errno));
}

/* mkdir -p; only what is missing is touched. */
static bool make_base(char *path, struct text user)
{
	for (char *p = path + 1;; p++) {
		char c = *p;

		if (c != '/' && c != '\0')
			continue;
		*p = '\0';
		if (mkdir(path, 0700) == 0)
			give_to_user(path, user);
		else if (errno != EEXIST)
			return false;
		*p = c;
		if (c == '\0')
			return true;
	}
}

/* In a file name '/' and ':' have a meaning. */
static void name_host(struct maildir *m)
{
	struct buf b = buf_over(m->hostname, sizeof(m->hostname));

	for (const char *p = m->routes->hostname; *p; p++) {
		if (*p == '/' || *p == ':')
			buf_printf(&b, "\\%03o", (unsigned)*p);
		else
			buf_char(&b, *p);
	}
}

struct maildir *maildir_open(struct routes *r, const struct route *route, struct buf *err)
{
	const struct hop_address *address = &route->hosts[0];
	struct maildir *m = calloc(1, sizeof(*m));
	char base[PATH_MAX];
	bool made;

	if (!m) {
		buf_printf(err, "route %.*s: out of memory", TEXT(route->set.name));
		return NULL;
	}
	m->routes = r;
	m->name = address->name;
	text_cstr(maildir_base(address->path, &m->rest), base, sizeof(base));
	name_host(m);
	made = base[0] && make_base(base, r->config->global.user);
	m->base_fd = made ? open(base, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
	if (m->base_fd < 0) {
		buf_printf(err, "route %.*s: cannot open %s: %s", TEXT(route->set.name), base,
			   strerrordesc_np(errno));
		free(m);
		return NULL;
	}
	return m;
}

void maildir_close(struct maildir *m)
{
	if (!m)
		return;
	close(m->base_fd);
	free(m);
}

/* ---- Answers */

static void answer(const struct maildir *m, struct arena *arena, struct hop_reply *out, short code,
		   const char *enhanced, const char *text)
{
	*out = (struct hop_reply){.code = code, .hop = m->name};
	snprintf(out->enhanced, sizeof(out->enhanced), "%s", enhanced);
	out->text = arena_text(arena, text_of(text));
}

/* What went wrong is ours: never a 5xx. */
static void answer_error(struct maildir *m, struct arena *arena, struct hop_reply *out, int error)
{
	uint64_t held;

	if (log_allowed(&m->log, LOG_EVERY_US, &held))
		log_warn("%.*s: cannot deliver: %s (%llu more since the last line)", TEXT(m->name),
			 strerrordesc_np(error), (unsigned long long)held);
	if (error == ENOSPC || error == EDQUOT || error == EFBIG)
		answer(m, arena, out, 452, "4.3.1", "No space for the message");
	else
		answer(m, arena, out, 451, "4.3.0", "The mailbox cannot be written");
}

static void answer_no_mailbox(struct maildir *m, struct arena *arena, struct hop_reply *out)
{
	answer(m, arena, out, 550, "5.1.1", "No such mailbox");
}

/* <Postmaster> has no domain: it is ours. */
static bool recipient_path(const struct maildir *m, const struct recipient *r,
			   char dst[MAILDIR_PATH_MAX])
{
	struct mailbox mailbox = r->mailbox;

	if (text_empty(mailbox.domain))
		mailbox.domain = text_of(m->routes->hostname);
	return maildir_path(m->rest, &mailbox, m->routes->config->global.recipient_delimiter, dst);
}

struct ask_job {
	int base_fd, error;
	char path[MAILDIR_PATH_MAX];
};

static void ask_run(void *arg)
{
	struct ask_job *j = arg;

	j->error = maildir_file_try(j->base_fd, j->path);
}

enum answer maildir_ask(struct maildir *m, struct arena *arena, const struct recipient *r,
			struct hop_reply *out)
{
	struct ask_job j = {.base_fd = m->base_fd};

	if (!recipient_path(m, r, j.path)) {
		answer_no_mailbox(m, arena, out);
		return ANSWER_NO;
	}
	offload_run(m->routes->offload, ask_run, &j);
	if (j.error) {
		answer_error(m, arena, out, j.error);
		return ANSWER_UNKNOWN;
	}
	answer(m, arena, out, 250, "2.1.5", "");
	return ANSWER_YES;
}

/* ---- Delivering */

static void name_file(struct maildir *m, uint64_t size, char *dst, size_t n)
{
	int64_t now_us = clock_wall_us();

	snprintf(dst, n, "%lld.M%dP%dQ%u.%s,S=%llu", (long long)(now_us / SECOND_US),
		 (int)(now_us % SECOND_US), (int)getpid(), ++m->counter, m->hostname,
		 (unsigned long long)size);
}

/* In the transaction's arena: nothing to free. */
static struct maildir_file *make_files(struct maildir *m, const struct transaction *tx,
				       uint64_t size)
{
	struct arena *arena = (struct arena *)&tx->arena;
	struct maildir_file *files = arena_alloc(arena, tx->recipient_count * sizeof(*files));

	for (size_t i = 0; i < tx->recipient_count; i++) {
		char path[MAILDIR_PATH_MAX], name[NAME_MAX];

		if (!recipient_path(m, &tx->recipients[i], path))
			return NULL;
		name_file(m, size, name, sizeof(name));
		maildir_file_init(&files[i], arena_text(arena, text_of(path)).p,
				  arena_text(arena, text_of(name)).p);
	}
	return files;
}

/* The message in batches, each written by a thread; the first opens the files, the last syncs and
 * renames, so that a message in memory is one trip. */
static int write_message(struct maildir *m, struct maildir_job *j, const struct payload *p,
			 struct text return_path)
{
	struct payload_place at = payload_begin(p);

	j->pieces[j->n++] = (struct iovec){(char *)return_path.p, return_path.n};
	j->pieces[j->n++] = (struct iovec){(char *)p->fields.p, p->fields.n};
	while (!j->error && !j->finish) {
		int n = MAILDIR_PIECES - j->n;

		if (payload_pieces(p, &at, j->pieces + j->n, &n) != SPOOL_OK)
			return spool_errno(p->message) ? spool_errno(p->message) : ENOMEM;
		j->n += n;
		j->finish = payload_ended(p, &at);
		offload_run(m->routes->offload, maildir_job_run, j);
		j->n = 0;
	}
	return j->error;
}

void maildir_deliver(struct maildir *m, const struct transaction *tx, const struct payload *p,
		     struct hop_reply *out)
{
	struct arena *arena = (struct arena *)&tx->arena;
	/* Final delivery: RFC 5321 4.4. */
	struct text return_path =
	    arena_printf(arena, "Return-Path: <%.*s>\r\n", TEXT(tx->from.whole));
	uint64_t size = return_path.n + payload_size(p);
	struct maildir_job j = {.base_fd = m->base_fd, .count = tx->recipient_count};
	int error;

	j.files = make_files(m, tx, size);
	if (!j.files) {
		answer_no_mailbox(m, arena, out);
		return;
	}
	error = write_message(m, &j, p, return_path);
	if (error) {
		offload_run(m->routes->offload, maildir_job_undo, &j);
		answer_error(m, arena, out, error);
		return;
	}
	answer(m, arena, out, 250, "2.0.0", j.files[0].name);
}
