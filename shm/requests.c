/* Requests of the tool to the keeper.
 *
 *   DB_REQUESTS   number (8 bytes, big-endian) -> struct request */
#include "shm/requests.h"

#include "shm/base/clock.h"
#include "shm/base/log.h"

#include <errno.h>

struct request {
	uint32_t tag_count, unused;
	uint64_t tags[REQUEST_TAGS_MAX];
	char note[REQUEST_NOTE_MAX + 1];
};

enum { ID_BYTES = 8, AT_ONCE = 64 };

static struct text id_key(unsigned char key[ID_BYTES], uint64_t id)
{
	key_put_u64(key, id);
	return text_make((const char *)key, ID_BYTES);
}

/* ---- the tool's side ---- */

struct put {
	const struct request *request;
	uint64_t id;
};

/* By the clock, so that no number is ever used again, and in order. */
static int put_request(MDB_txn *txn, void *arg)
{
	struct put *p = arg;
	unsigned char key[ID_BYTES];
	MDB_val last, value;
	MDB_cursor *cursor;
	int rc = store_cursor(txn, DB_REQUESTS, &cursor);

	if (rc != 0)
		return rc;
	p->id = (uint64_t)clock_wall_us();
	rc = mdb_cursor_get(cursor, &last, &value, MDB_LAST);
	if (rc == 0 && last.mv_size == ID_BYTES && key_get_u64(last.mv_data) >= p->id)
		p->id = key_get_u64(last.mv_data) + 1;
	mdb_cursor_close(cursor);
	if (rc != 0 && rc != MDB_NOTFOUND)
		return rc;
	return store_put(txn, DB_REQUESTS, id_key(key, p->id),
			 text_make((const char *)p->request, sizeof(*p->request)));
}

int requests_put(struct store *events, const uint64_t *tags, size_t n, const char *note,
		 uint64_t *id)
{
	struct request r = {.tag_count = (uint32_t)n};
	struct put p = {.request = &r};

	if (n > REQUEST_TAGS_MAX)
		return EINVAL;
	if (n > 0)
		memcpy(r.tags, tags, n * sizeof(*tags));
	text_cstr(text_of(note), r.note, sizeof(r.note));
	int rc = store_write(events, put_request, &p);

	*id = p.id;
	return rc;
}

enum answer requests_waiting(struct store *events, uint64_t id)
{
	unsigned char key[ID_BYTES];
	struct text value;
	MDB_txn *txn = store_read_begin(events);

	if (!txn)
		return ANSWER_UNKNOWN;
	int rc = store_get(txn, DB_REQUESTS, id_key(key, id), &value);

	store_read_end(events);
	if (rc == MDB_NOTFOUND)
		return ANSWER_NO;
	return rc == 0 ? ANSWER_YES : ANSWER_UNKNOWN;
}

static int remove_request(MDB_txn *txn, void *arg)
{
	unsigned char key[ID_BYTES];

	return store_del(txn, DB_REQUESTS, id_key(key, *(const uint64_t *)arg));
}

int requests_withdraw(struct store *events, uint64_t id)
{
	return store_write(events, remove_request, &id);
}

/* ---- the keeper's side ---- */

/* The oldest; false if there is none. */
static bool read_oldest(struct store *events, uint64_t *id, struct request *out)
{
	struct text key, value;
	MDB_txn *txn = store_read_begin(events);

	if (!txn)
		return false;
	bool found = store_first(txn, DB_REQUESTS, text_make(NULL, 0), &key, &value) == 0 &&
		     key.n == ID_BYTES;

	*out = (struct request){0};
	if (found) {
		*id = key_get_u64(key.p);
		/* of another make: removed, and nothing else */
		if (value.n == sizeof(*out))
			memcpy(out, value.p, sizeof(*out));
	}
	store_read_end(events);
	return found;
}

int requests_apply(struct store *events, struct table *table)
{
	struct request r;
	uint64_t id;
	int done = 0;

	/* Done first and removed after: what was removed has been done. */
	while (done < AT_ONCE && read_oldest(events, &id, &r)) {
		for (uint32_t i = 0; i < r.tag_count && i < REQUEST_TAGS_MAX; i++)
			table_forget(table, r.tags[i]);
		r.note[REQUEST_NOTE_MAX] = '\0';
		if (requests_withdraw(events, id) != 0)
			return -1;
		if (r.note[0])
			log_info("by the tool: %s", r.note);
		done++;
	}
	return done;
}
