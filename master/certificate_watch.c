/* Looking at certificates (master/certificate_watch.h). */
#include "master/certificate_watch.h"

#include "master/master.h"
#include "shm/base/clock.h"
#include "shm/base/log.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define LOOK_US  (2 * SECOND_US)
#define AGAIN_US (24 * 3600 * SECOND_US)
/* A file that has just been written is on its way into force: what renewed it will reload us. */
#define SETTLE_US (60 * SECOND_US)
#define DAY_S     86400

/* When the log was told last; 0: it was not. */
struct watched_pair {
	int64_t expiring_told_us, outdated_told_us;
};

struct look {
	struct master *master;
	struct certificate_note *note;
	int64_t now_us, now_wall_s;
	unsigned expiring, outdated, alarms;
	int64_t first_ends_s;
};

static bool file_changed(struct text path, int64_t loaded_ns)
{
	char name[PATH_MAX];
	struct stat st;

	text_cstr(path, name, sizeof(name));
	if (stat(name, &st) != 0)
		return false;
	const int64_t written_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;

	return written_ns != loaded_ns && clock_wall_us() - written_ns / 1000 > SETTLE_US;
}

/* Each once, and again each day. */
static bool tells(struct look *l, int64_t *told_us)
{
	if (*told_us && l->now_us - *told_us < AGAIN_US)
		return false;
	if (!*told_us)
		atomic_fetch_add(
		    &l->master->segment.header->dead_metrics[METRIC_certificate_alarms], 1);
	*told_us = l->now_us;
	return true;
}

static void copy_without_quotes(char *dst, size_t size, struct text from)
{
	size_t n = 0;

	for (size_t i = 0; i < from.n && n + 1 < size; i++)
		if (from.p[i] != '"')
			dst[n++] = from.p[i];
	dst[n] = '\0';
}

static void add_alarm(struct look *l, const struct certificate_pair *p, enum certificate_alarm what)
{
	struct certificate_alarm_note *a = &l->note->alarms[l->alarms];

	if (l->alarms == CERTIFICATE_ALARMS)
		return;
	copy_without_quotes(a->name, sizeof(a->name), p->owner);
	atomic_store(&a->what, what);
	atomic_store(&a->ends_wall_s, p->not_after_s);
	l->alarms++;
}

static void look_at_end(struct look *l, const struct certificate_pair *p, struct watched_pair *w)
{
	const int64_t left_s = p->not_after_s - l->now_wall_s;
	const int64_t alarm_s = l->master->current->config->global.certificate_alarm / SECOND_US;

	if (left_s > alarm_s) {
		w->expiring_told_us = 0;
		return;
	}
	l->expiring++;
	add_alarm(l, p, CERTIFICATE_EXPIRING);
	if (!tells(l, &w->expiring_told_us))
		return;
	if (left_s < 0)
		log_error("%.*s: %.*s has expired: clients may go away", TEXT(p->owner),
			  TEXT(p->chain_path));
	else
		log_warn("%.*s: %.*s ends in %lld days", TEXT(p->owner), TEXT(p->chain_path),
			 (long long)(left_s / DAY_S));
}

static void look_at_files(struct look *l, const struct certificate_pair *p, struct watched_pair *w)
{
	const bool chain = file_changed(p->chain_path, p->chain_ns);

	if (!chain && !file_changed(p->key_path, p->key_ns)) {
		w->outdated_told_us = 0;
		return;
	}
	l->outdated++;
	add_alarm(l, p, CERTIFICATE_OUTDATED);
	if (tells(l, &w->outdated_told_us))
		log_warn("%.*s: %.*s has changed and is not in force: reload", TEXT(p->owner),
			 TEXT(chain ? p->chain_path : p->key_path));
}

static void look(struct master *m)
{
	const struct config *c = m->current->config;
	struct look l = {.master = m,
			 .note = &m->segment.header->certificates,
			 .now_us = clock_mono_us(),
			 .now_wall_s = clock_wall_us() / SECOND_US};

	for (size_t i = 0; i < c->pair_count; i++) {
		const struct certificate_pair *p = c->pairs[i];

		if (!l.first_ends_s || p->not_after_s < l.first_ends_s)
			l.first_ends_s = p->not_after_s;
		look_at_end(&l, p, &m->certificates.pairs[i]);
		look_at_files(&l, p, &m->certificates.pairs[i]);
	}
	atomic_store(&l.note->count, (uint32_t)c->pair_count);
	atomic_store(&l.note->expiring, l.expiring);
	atomic_store(&l.note->outdated, l.outdated);
	atomic_store(&l.note->first_ends_wall_s, l.first_ends_s);
	atomic_store(&l.note->alarm_count, l.alarms);
}

void certificates_tick(struct master *m)
{
	struct certificate_watch *w = &m->certificates;
	const int64_t now_us = clock_mono_us();

	if (w->generation != m->current->number) {
		free(w->pairs);
		w->pairs = calloc(m->current->config->pair_count + 1, sizeof(*w->pairs));
		w->generation = w->pairs ? m->current->number : 0;
		w->next_look_mono_us = 0;
	}
	if (!w->pairs || now_us < w->next_look_mono_us)
		return;
	w->next_look_mono_us = now_us + LOOK_US;
	look(m);
}
