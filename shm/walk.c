/* A walk in steps: copy as many records as a buffer takes, end the transaction, show them, go on
 * after the last one. */
#include "shm/walk.h"

#include <errno.h>
#include <stdlib.h>

enum { STEP_BYTES = 64 * 1024 };

struct step {
	char *bytes; /* {u32 key, u32 value, key, value} ... */
	size_t n;
	char last[STORE_KEY_MAX];
	size_t last_n;
	bool started, ended;
};

static bool step_add(struct step *s, const MDB_val *key, const MDB_val *value)
{
	uint32_t sizes[2] = {(uint32_t)key->mv_size, (uint32_t)value->mv_size};
	size_t need = sizeof(sizes) + key->mv_size + value->mv_size;

	if (need > STEP_BYTES - s->n)
		return false;
	char *at = s->bytes + s->n;

	memcpy(at, sizes, sizeof(sizes));
	at += sizeof(sizes);
	memcpy(at, key->mv_data, key->mv_size);
	if (value->mv_size > 0)
		memcpy(at + key->mv_size, value->mv_data, value->mv_size);
	memcpy(s->last, key->mv_data, key->mv_size);
	s->last_n = key->mv_size;
	s->n += need;
	return true;
}

static bool same(const MDB_val *key, const struct step *s)
{
	return key->mv_size == s->last_n && memcmp(key->mv_data, s->last, s->last_n) == 0;
}

/* To the first record that has not been shown. */
static int step_seek(MDB_cursor *c, const struct walk *w, const struct step *s, MDB_val *key,
		     MDB_val *value)
{
	struct text from = s->started ? text_make(s->last, s->last_n) : w->prefix;
	int rc;

	if (from.n == 0)
		return mdb_cursor_get(c, key, value, w->backwards ? MDB_LAST : MDB_FIRST);
	*key = (MDB_val){from.n, (void *)(uintptr_t)from.p};
	rc = mdb_cursor_get(c, key, value, MDB_SET_RANGE);
	if (w->backwards)
		return mdb_cursor_get(c, key, value, rc == 0 ? MDB_PREV : MDB_LAST);
	if (rc == 0 && s->started && same(key, s))
		rc = mdb_cursor_get(c, key, value, MDB_NEXT);
	return rc;
}

static bool within(const struct walk *w, const MDB_val *key)
{
	return key->mv_size >= w->prefix.n &&
	       (w->prefix.n == 0 || memcmp(key->mv_data, w->prefix.p, w->prefix.n) == 0);
}

static int step_fill(MDB_cursor *c, const struct walk *w, struct step *s)
{
	MDB_val key, value;
	int rc = step_seek(c, w, s, &key, &value);

	s->n = 0;
	while (rc == 0 && within(w, &key)) {
		if (!step_add(s, &key, &value))
			return s->n > 0 ? 0 : EMSGSIZE;
		rc = mdb_cursor_get(c, &key, &value, w->backwards ? MDB_PREV : MDB_NEXT);
	}
	s->ended = true;
	return rc == MDB_NOTFOUND ? 0 : rc;
}

static int step_read(struct store *st, const struct walk *w, struct step *s)
{
	MDB_txn *txn = store_read_begin(st);
	MDB_cursor *cursor;

	if (!txn)
		return EIO;
	int rc = store_cursor(txn, w->db, &cursor);

	if (rc == 0) {
		rc = step_fill(cursor, w, s);
		mdb_cursor_close(cursor);
	}
	store_read_end(st);
	s->started = true;
	return rc;
}

static int step_show(const struct step *s, int (*fn)(struct text, struct text, void *), void *arg)
{
	for (size_t at = 0; at < s->n;) {
		uint32_t sizes[2];

		memcpy(sizes, s->bytes + at, sizeof(sizes));
		const char *key = s->bytes + at + sizeof(sizes);
		int rc = fn(text_make(key, sizes[0]), text_make(key + sizes[0], sizes[1]), arg);

		if (rc != 0)
			return rc;
		at += sizeof(sizes) + sizes[0] + sizes[1];
	}
	return 0;
}

int store_walk(struct store *st, const struct walk *w,
	       int (*fn)(struct text key, struct text value, void *arg), void *arg)
{
	struct step s = {.bytes = malloc(STEP_BYTES)};
	int rc = s.bytes ? 0 : ENOMEM;

	while (rc == 0 && !s.ended) {
		rc = step_read(st, w, &s);
		if (rc == 0)
			rc = step_show(&s, fn, arg);
	}
	free(s.bytes);
	return rc;
}
