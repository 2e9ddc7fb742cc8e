/* Starting, changing and ending the zygotes of the anti-virus inspectors. */
#include "master/scanners.h"

#include "master/master.h"
#include "shm/base/clock.h"
#include "shm/base/log.h"
#include "worker/inspect/zygote.h"

#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define LOOK_US      (SECOND_US / 2)
#define SETTLE_US    (SECOND_US / 5)
#define LEAVE_US     (3 * SECOND_US)
#define QUEUE_BYTES  (8 << 20)
#define RETRY_US     (60 * SECOND_US)
#define COMPLAIN_US  (3600 * SECOND_US)
#define BACKOFF_US   (SECOND_US / 2)
#define BACKOFF_MOST 6 /* doublings */

bool scanners_open(struct scanners *s)
{
	const int bytes = QUEUE_BYTES;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s->pair) != 0)
		return false;
	if (setsockopt(s->pair[0], SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)) != 0)
		(void)setsockopt(s->pair[0], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	for (unsigned i = 0; i < SCANNERS_MAX; i++) {
		s->all[i].page_fd = zygote_status_create(&s->all[i].page);
		if (s->all[i].page_fd < 0)
			return false;
	}
	return true;
}

/* ---- What is known of it */

static struct antivirus_note *note_of(struct master *m)
{
	return &m->segment.header->antivirus;
}

static void set_state(struct master *m, enum antivirus_state state)
{
	atomic_store(&note_of(m)->state, state);
}

/* The master has no slot of its own. */
static void count(struct master *m, enum metric metric)
{
	atomic_fetch_add(&m->segment.header->dead_metrics[metric], 1);
}

static bool same(const struct database_look *a, const struct database_look *b)
{
	return a->files == b->files && a->print == b->print;
}

/* Everything of the configuration that an engine is made with. */
static void describe(const struct config *c, struct buf *out)
{
	const struct clamav_settings *set = &c->clamav;

	buf_printf(out, "%.*s|%lld|%llu|%llu|%llu|%lld|%lld|%lld|%.*s", TEXT(set->database),
		   (long long)set->inspectors, (unsigned long long)set->memory,
		   (unsigned long long)config_scan_size(c), (unsigned long long)set->max_scan_size,
		   (long long)set->max_files, (long long)set->max_depth, (long long)set->scan_time,
		   TEXT(c->global.jail_user));
}

/* ---- Starting and ending */

static void tell_to_end(const struct scanner *s)
{
	if (s && s->child.pid > 0)
		kill(s->child.pid, SIGTERM);
}

static struct scanner *find_room(struct scanners *s)
{
	for (unsigned i = 0; i < SCANNERS_MAX; i++) {
		if (s->all[i].child.pid == 0)
			return &s->all[i];
	}
	return NULL;
}

static bool one_is_leaving(const struct scanners *s)
{
	for (unsigned i = 0; i < SCANNERS_MAX; i++) {
		const struct scanner *one = &s->all[i];

		if (one->child.pid != 0 && one != s->serving && one != s->coming)
			return true;
	}
	return false;
}

static void start(struct master *m, const struct database_look *look, const char *options)
{
	struct scanners *s = &m->scanners;
	struct scanner *one = find_room(s);

	if (!one)
		return;
	atomic_store(&one->page->ready, 0);
	one->child = (struct child){.role = ROLE_ANTIVIRUS,
				    .index = (unsigned)(one - s->all),
				    .generation = m->current->number};
	s->loaded = *look;
	text_cstr(text_of(options), s->options, sizeof(s->options));
	supervise_start_child(m, &one->child, m->current);
	if (one->child.pid == 0)
		s->retry_mono_us = clock_mono_us() + SECOND_US;
	else
		s->coming = one;
	if (!s->serving)
		set_state(m, ANTIVIRUS_LOADING);
}

static void begin_service(struct master *m, struct scanner *one)
{
	const struct engine_info *info = &one->page->engine;
	struct antivirus_note *note = note_of(m);
	struct scanners *s = &m->scanners;

	atomic_store(&note->signatures, info->signatures);
	atomic_store(&note->version, info->version);
	atomic_store(&note->built_wall_s,
		     info->built_wall_s ? info->built_wall_s : s->loaded.newest_s);
	atomic_store(&note->loaded_wall_us, clock_wall_us());
	atomic_store(&note->failed_wall_us, 0);
	set_state(m, ANTIVIRUS_READY);
	count(m, METRIC_antivirus_loads);
	log_info("the anti-virus database is in force: %u signatures, version %u", info->signatures,
		 info->version);
}

static void take_over(struct master *m)
{
	struct scanners *s = &m->scanners;

	if (!s->coming || m->stopping || !atomic_load(&s->coming->page->ready))
		return;
	tell_to_end(s->serving);
	s->serving = s->coming;
	s->coming = NULL;
	s->failures = 0;
	s->failed = (struct database_look){0};
	s->announced = false;
	s->took_over_mono_us = clock_mono_us();
}

/* It answers questions since it is ready; in force it is once nobody else does.  Those who leave
 * finish what they are at, which may take long, but take nothing new. */
static void announce(struct master *m)
{
	struct scanners *s = &m->scanners;

	if (!s->serving || s->announced || m->stopping)
		return;
	if (one_is_leaving(s) && clock_mono_us() < s->took_over_mono_us + LEAVE_US)
		return;
	s->announced = true;
	begin_service(m, s->serving);
}

void scanners_stop(struct scanners *s)
{
	for (unsigned i = 0; i < SCANNERS_MAX; i++)
		tell_to_end(&s->all[i]);
}

bool scanners_gone(const struct scanners *s)
{
	for (unsigned i = 0; i < SCANNERS_MAX; i++) {
		if (s->all[i].child.pid != 0)
			return false;
	}
	return true;
}

struct child *scanners_find(struct scanners *s, int pid)
{
	for (unsigned i = 0; i < SCANNERS_MAX; i++) {
		if (s->all[i].child.pid == pid)
			return &s->all[i].child;
	}
	return NULL;
}

/* ---- What goes wrong */

static void back_off(struct scanners *s)
{
	s->failures++;
	s->retry_mono_us =
	    clock_mono_us() +
	    (BACKOFF_US << (s->failures < BACKOFF_MOST ? s->failures : BACKOFF_MOST));
}

/* The one that was to take over is gone. */
static void load_failed(struct master *m, int status)
{
	struct scanners *s = &m->scanners;
	const bool database = WIFEXITED(status) && WEXITSTATUS(status) == ZYGOTE_EXIT_DATABASE;

	count(m, METRIC_antivirus_load_failures);
	atomic_store(&note_of(m)->failed_wall_us, clock_wall_us());
	s->failed = s->loaded;
	/* A database that is no good is so the next time; but where there is none, also a directory
	 * that couldn't be read is worth another look. */
	if (!database)
		back_off(s);
	else
		s->retry_mono_us = s->serving ? 0 : clock_mono_us() + RETRY_US;
	if (!s->serving)
		set_state(m, database ? ANTIVIRUS_BROKEN : ANTIVIRUS_LOADING);
	log_error("the anti-virus database in %.*s %s: %s",
		  TEXT(m->current->config->clamav.database),
		  database ? "can't be used" : "could not be loaded",
		  s->serving ? "the one in force stays in force" : "messages are not scanned");
}

void scanners_ended(struct master *m, struct child *c, int status)
{
	struct scanners *s = &m->scanners;
	const struct scanner *one = &s->all[c->index];

	if (one == s->coming) {
		s->coming = NULL;
		if (!m->stopping)
			load_failed(m, status);
	} else if (one == s->serving) {
		s->serving = NULL;
		if (m->stopping)
			return;
		/* What is asked meanwhile waits. */
		set_state(m, ANTIVIRUS_LOADING);
		s->failed = s->loaded;
		back_off(s);
	}
}

/* ---- Looking */

static void end_all(struct master *m)
{
	struct scanners *s = &m->scanners;

	scanners_stop(s);
	s->serving = s->coming = NULL;
	s->options[0] = '\0';
	set_state(m, ANTIVIRUS_UNUSED);
}

static void miss_database(struct master *m, const struct config *c)
{
	static struct log_limit limit;
	struct scanners *s = &m->scanners;
	uint64_t held;

	if (!s->serving && !s->coming)
		set_state(m, ANTIVIRUS_NO_DATABASE);
	if (log_allowed(&limit, COMPLAIN_US, &held))
		log_warn("no anti-virus database in %.*s: %s", TEXT(c->clamav.database),
			 s->serving ? "the one in force stays in force"
				    : "messages are not scanned (install clamav-freshclam, or "
				      "set mode = \"off\" of check \"antivirus\")");
}

static bool is_due(const struct scanners *s, const struct database_look *look, const char *options)
{
	if (s->coming || one_is_leaving(s))
		return false;
	if (strcmp(options, s->options) != 0)
		return true;
	if (same(look, &s->failed))
		return s->retry_mono_us != 0 && clock_mono_us() >= s->retry_mono_us;
	return !same(look, &s->loaded) || !s->serving;
}

static void look(struct master *m)
{
	struct scanners *s = &m->scanners;
	const struct config *c = m->current->config;
	struct database_look found;
	char options[sizeof(s->options)];
	struct buf b = buf_over(options, sizeof(options));

	s->next_look_mono_us = clock_mono_us() + LOOK_US;
	if (!config_wants_engine(c)) {
		end_all(m);
		return;
	}
	found = database_look(c->clamav.database.p);
	if (found.files == 0) {
		miss_database(m, c);
		return;
	}
	describe(c, &b);
	/* What has just changed may change once more: freshclam replaces one file after the other.
	 */
	if (s->looked && !same(&found, &s->seen))
		s->next_look_mono_us = clock_mono_us() + SETTLE_US;
	else if (is_due(s, &found, options))
		start(m, &found, options);
	s->looked = true;
	s->seen = found;
}

void scanners_tick(struct master *m)
{
	if (m->stopping)
		return;
	take_over(m);
	announce(m);
	if (clock_mono_us() >= m->scanners.next_look_mono_us)
		look(m);
}

int64_t scanners_next_mono_us(const struct scanners *s)
{
	return s->next_look_mono_us;
}
