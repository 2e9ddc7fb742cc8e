/* Incidents: each refusal as it was told, found by its id or from the newest on. */
#include "shm/journal_parts.h"
#include "shm/walk.h"

struct incident_record {
	int64_t wall_us; /* with the id: the key of the event */
	uint64_t repeats;
	int64_t last_wall_us;
};

enum { ID_BYTES = 8, KEY_BYTES = 16 };

static struct text id_key(unsigned char key[ID_BYTES], uint64_t id)
{
	key_put_u64(key, id);
	return text_make((const char *)key, ID_BYTES);
}

static struct text time_key(unsigned char key[KEY_BYTES], int64_t wall_us, uint64_t id)
{
	key_put_u64(key, (uint64_t)wall_us);
	key_put_u64(key + 8, id);
	return text_make((const char *)key, KEY_BYTES);
}

static int record_get(MDB_txn *txn, uint64_t id, struct incident_record *out)
{
	unsigned char key[ID_BYTES];
	struct text value;
	int rc = store_get(txn, DB_INCIDENT_IDS, id_key(key, id), &value);

	if (rc == 0 && value.n != sizeof(*out))
		return MDB_CORRUPTED;
	if (rc == 0)
		memcpy(out, value.p, sizeof(*out));
	return rc;
}

static int record_put(MDB_txn *txn, uint64_t id, const struct incident_record *r)
{
	unsigned char key[ID_BYTES];

	return store_put(txn, DB_INCIDENT_IDS, id_key(key, id),
			 text_make((const char *)r, sizeof(*r)));
}

/* ---- the keeper's side ---- */

int incidents_apply(MDB_txn *txn, const struct event_view *v, struct text bytes)
{
	struct incident_record record;
	unsigned char key[KEY_BYTES];
	struct field_view field;

	if (!event_get(v, FIELD_incident, &field))
		return 0;
	uint64_t id = (uint64_t)field.number;
	int rc = record_get(txn, id, &record);

	if (rc != 0 && rc != MDB_NOTFOUND)
		return rc;
	/* 40 bits come round again; and an event that is replayed keeps its repeats */
	if (rc == 0 && record.wall_us != v->wall_us) {
		rc = store_del(txn, DB_INCIDENTS, time_key(key, record.wall_us, id));
		if (rc == 0)
			rc = MDB_NOTFOUND;
	}
	if (rc == MDB_NOTFOUND) {
		record = (struct incident_record){.wall_us = v->wall_us};
		rc = record_put(txn, id, &record);
	}
	return rc == 0 ? store_put(txn, DB_INCIDENTS, time_key(key, v->wall_us, id), bytes) : rc;
}

int incidents_apply_repeat(MDB_txn *txn, const struct event_view *v)
{
	struct incident_record record;
	struct field_view field;

	if (!event_get(v, FIELD_incident, &field))
		return 0;
	uint64_t id = (uint64_t)field.number;
	int rc = record_get(txn, id, &record);

	if (rc != 0)
		return rc == MDB_NOTFOUND ? 0 : rc;
	record.repeats += (uint64_t)journal_number(v, FIELD_count, 1);
	record.last_wall_us = v->wall_us;
	return record_put(txn, id, &record);
}

int incidents_expire(MDB_txn *txn, int64_t before_wall_us, unsigned max, unsigned *done)
{
	return journal_forget(txn, DB_INCIDENTS, DB_INCIDENT_IDS, before_wall_us - 1, max, done);
}

/* ---- the reader's side ---- */

static bool fill(struct incident *out, uint64_t id, const struct incident_record *r,
		 struct text bytes)
{
	if (bytes.n > sizeof(out->bytes))
		return false;
	out->id = id;
	out->repeats = r->repeats;
	out->last_wall_us = r->last_wall_us;
	out->n = bytes.n;
	memcpy(out->bytes, bytes.p, bytes.n);
	return true;
}

static int find(MDB_txn *txn, uint64_t id, struct incident *out)
{
	struct incident_record record;
	unsigned char key[KEY_BYTES];
	struct text bytes;
	int rc = record_get(txn, id, &record);

	if (rc == 0)
		rc = store_get(txn, DB_INCIDENTS, time_key(key, record.wall_us, id), &bytes);
	if (rc == 0 && !fill(out, id, &record, bytes))
		rc = MDB_CORRUPTED;
	return rc;
}

enum answer incident_find(struct store *st, uint64_t id, struct incident *out)
{
	MDB_txn *txn = store_read_begin(st);

	if (!txn)
		return ANSWER_UNKNOWN;
	int rc = find(txn, id, out);

	store_read_end(st);
	if (rc == MDB_NOTFOUND)
		return ANSWER_NO;
	return rc == 0 ? ANSWER_YES : ANSWER_UNKNOWN;
}

struct each {
	struct store *st;
	int (*fn)(const struct incident *i, void *arg);
	void *arg;
};

static int each_incident(struct text key, struct text value, void *arg)
{
	struct incident_record record = {0};
	const struct each *each = arg;
	struct incident incident;

	if (key.n != KEY_BYTES)
		return 0;
	uint64_t id = key_get_u64(key.p + 8);
	MDB_txn *txn = store_read_begin(each->st);

	if (txn) {
		/* an incident that went meanwhile has no record any more: it is shown without */
		record_get(txn, id, &record);
		store_read_end(each->st);
	}
	return fill(&incident, id, &record, value) ? each->fn(&incident, each->arg) : 0;
}

int incident_each(struct store *st, int (*fn)(const struct incident *i, void *arg), void *arg)
{
	struct walk w = {.db = DB_INCIDENTS, .backwards = true};
	struct each each = {st, fn, arg};

	return store_walk(st, &w, each_incident, &each);
}
