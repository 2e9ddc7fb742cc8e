/* The journal: which event goes where, hits, positions, and what goes when it is over. */
#include "shm/journal.h"

#include "shm/base/clock.h"
#include "shm/journal_parts.h"
#include "shm/walk.h"

#include <errno.h>

#define DAY_US (86400 * SECOND_US)

enum {
	POSITION_DAYS = 30,
	/* of the cap, in eighths: the rest is for pages that a transaction copies, and for those
	 * that a slow reader still holds */
	FULL_EIGHTHS = 6,
	ROOM_STEP = 32,  /* incidents removed between two looks at the room */
	ROOM_MAX = 4096, /* in one transaction */
};

int64_t journal_number(const struct event_view *v, enum event_field f, int64_t otherwise)
{
	struct field_view field;

	return event_get(v, f, &field) ? field.number : otherwise;
}

/* ---- hits ---- */

static int hits_apply(MDB_txn *txn, const struct event_view *v)
{
	struct hits hits = {0};
	struct field_view field;
	unsigned char key[8];
	struct text value;

	if (!event_get(v, FIELD_tag, &field))
		return 0;
	key_put_u64(key, (uint64_t)field.number);
	struct text k = text_make((const char *)key, sizeof(key));
	int rc = store_get(txn, DB_HITS, k, &value);

	if (rc != 0 && rc != MDB_NOTFOUND)
		return rc;
	if (rc == 0 && value.n == sizeof(hits))
		memcpy(&hits, value.p, sizeof(hits));
	hits.count += (uint64_t)journal_number(v, FIELD_count, 1);
	hits.last_wall_us = v->wall_us;
	return store_put(txn, DB_HITS, k, text_make((const char *)&hits, sizeof(hits)));
}

enum answer hits_find(struct store *st, uint64_t entry_id, struct hits *out)
{
	unsigned char key[8];
	struct text value;
	MDB_txn *txn = store_read_begin(st);

	if (!txn)
		return ANSWER_UNKNOWN;
	key_put_u64(key, entry_id);
	int rc = store_get(txn, DB_HITS, text_make((const char *)key, sizeof(key)), &value);
	bool good = rc == 0 && value.n == sizeof(*out);

	if (good)
		memcpy(out, value.p, sizeof(*out));
	store_read_end(st);
	if (rc == MDB_NOTFOUND)
		return ANSWER_NO;
	return good ? ANSWER_YES : ANSWER_UNKNOWN;
}

/* ---- one event ---- */

int journal_apply(MDB_txn *txn, const struct event_view *v, const void *bytes, size_t n)
{
	struct text all = text_make(bytes, n);

	switch (v->type) {
	case EVENT_INCIDENT:
		return incidents_apply(txn, v, all);
	case EVENT_REPEAT:
		return incidents_apply_repeat(txn, v);
	case EVENT_HIT:
		return hits_apply(txn, v);
	case EVENT_LIMIT:
		return limits_apply(txn, v, all);
	case EVENT_BLOCK:
		return blocks_apply(txn, v, all);
	case EVENT_VERIFIED:
		return verified_apply(txn, v);
	default:
		return 0;
	}
}

/* ---- positions ---- */

struct position {
	uint64_t position;
	int64_t written_wall_us;
};

enum { POSITION_KEY = 16 };

static struct text position_key(unsigned char key[POSITION_KEY], unsigned p, uint64_t boot_id)
{
	key_put_u64(key, boot_id);
	key_put_u64(key + 8, p);
	return text_make((const char *)key, POSITION_KEY);
}

int journal_position_put(MDB_txn *txn, unsigned p, uint64_t boot_id, uint64_t position)
{
	struct position at = {position, clock_wall_us()};
	unsigned char key[POSITION_KEY];

	return store_put(txn, DB_POSITIONS, position_key(key, p, boot_id),
			 text_make((const char *)&at, sizeof(at)));
}

int journal_position_get(struct store *st, unsigned p, uint64_t boot_id, uint64_t *position)
{
	unsigned char key[POSITION_KEY];
	struct position at;
	struct text value;
	MDB_txn *txn = store_read_begin(st);

	if (!txn)
		return EIO;
	int rc = store_get(txn, DB_POSITIONS, position_key(key, p, boot_id), &value);

	if (rc == 0 && value.n != sizeof(at))
		rc = MDB_CORRUPTED;
	if (rc == 0) {
		memcpy(&at, value.p, sizeof(at));
		*position = at.position;
	}
	store_read_end(st);
	return rc;
}

/* There are few: one for each process slot of each segment. */
static int positions_expire(MDB_txn *txn, int64_t before_wall_us, unsigned max, unsigned *done)
{
	MDB_val key, value;
	MDB_cursor *cursor;
	int rc = store_cursor(txn, DB_POSITIONS, &cursor);

	if (rc != 0)
		return rc;
	for (unsigned i = 0; i < max; i++) {
		struct position at;

		rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
		if (rc != 0 || value.mv_size != sizeof(at))
			break;
		memcpy(&at, value.mv_data, sizeof(at));
		if (at.written_wall_us >= before_wall_us)
			continue;
		rc = mdb_cursor_del(cursor, 0);
		if (rc != 0)
			break;
		++*done;
	}
	mdb_cursor_close(cursor);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

/* ---- what is over ---- */

static bool nearly_full(MDB_txn *txn)
{
	size_t cap = store_of(txn)->map_max;

	return cap > 0 && store_used_bytes(txn) > cap / 8 * FULL_EIGHTHS;
}

int journal_make_room(MDB_txn *txn)
{
	for (unsigned done = 0, before; done < ROOM_MAX && nearly_full(txn);) {
		before = done;
		int rc = incidents_expire(txn, INT64_MAX, ROOM_STEP, &done);

		/* without incidents, it is the limits that fill it, or the answers about addresses
		 */
		if (rc == 0 && done == before)
			rc = limits_expire(txn, INT64_MAX, ROOM_STEP, &done);
		if (rc == 0 && done == before)
			rc = verified_expire(txn, INT64_MAX, ROOM_STEP, &done);
		if (rc != 0 || done == before)
			return rc;
	}
	return 0;
}

struct expire {
	int64_t now_wall_us;
	unsigned incident_days, max, done;
};

static int expire(MDB_txn *txn, void *arg)
{
	struct expire *x = arg;
	int64_t now = x->now_wall_us;
	int rc = 0;

	x->done = 0;
	if (x->incident_days > 0)
		rc = incidents_expire(txn, now - x->incident_days * DAY_US, x->max, &x->done);
	if (rc == 0)
		rc = limits_expire(txn, now - DAY_US, x->max, &x->done);
	if (rc == 0)
		rc = blocks_expire(txn, now, x->max, &x->done);
	if (rc == 0)
		rc = verified_expire(txn, now, x->max, &x->done);
	if (rc == 0)
		rc = positions_expire(txn, now - POSITION_DAYS * DAY_US, x->max, &x->done);
	return rc == 0 ? journal_make_room(txn) : rc;
}

int journal_expire(struct store *st, int64_t now_wall_us, unsigned incident_days, unsigned max)
{
	struct expire x = {.now_wall_us = now_wall_us, .incident_days = incident_days, .max = max};

	return store_write(st, expire, &x) == 0 ? (int)x.done : -1;
}
