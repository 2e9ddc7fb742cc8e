/* Changing the entries of bans and exemptions, and walking over them. */
#include "shm/entries.h"

#include "shm/base/clock.h"
#include "shm/walk.h"

#include <errno.h>

/* The key in DB_EXPIRIES. */
struct expiry_key {
	size_t n;
	unsigned char b[9 + ENTRY_KEY_MAX];
};

static struct text expiry_key(struct expiry_key *x, int64_t expires, enum store_db db,
			      struct text key)
{
	key_put_u64(x->b, (uint64_t)expires);
	x->b[8] = (unsigned char)db;
	memcpy(x->b + 9, key.p, key.n);
	x->n = 9 + key.n;
	return text_make((const char *)x->b, x->n);
}

static int expiry_change(MDB_txn *txn, enum store_db db, struct text key, int64_t expires, bool put)
{
	struct expiry_key x;
	int rc;

	if (expires == 0)
		return 0;
	struct text k = expiry_key(&x, expires, db, key);

	rc = put ? store_put(txn, DB_EXPIRIES, k, text_make(NULL, 0))
		 : store_del(txn, DB_EXPIRIES, k);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

/* Ids are never used again, not even after the lists were made anew: hits are counted under them.
 */
static int next_id(MDB_txn *txn, uint64_t *id)
{
	static const struct text name = LIT("next-id");
	struct text value;
	int rc = store_get(txn, DB_SUMMARY, name, &value);

	*id = (uint64_t)clock_wall_us();
	if (rc == 0 && value.n == sizeof(*id))
		memcpy(id, value.p, sizeof(*id));
	else if (rc != 0 && rc != MDB_NOTFOUND)
		return rc;
	uint64_t next = *id + 1;

	return store_put(txn, DB_SUMMARY, name, text_make((const char *)&next, sizeof(next)));
}

static int put_at(MDB_txn *txn, enum store_db db, struct text key, const struct list_entry *e)
{
	unsigned char bytes[ENTRY_VALUE_MAX];
	struct entry_head old;
	struct text value;
	uint64_t id = 0;
	int rc = store_get(txn, db, key, &value);

	if (rc == 0 && entry_value_head(value, &old)) {
		id = old.id;
		rc = expiry_change(txn, db, key, old.expires, false);
	} else if (rc == MDB_NOTFOUND) {
		rc = next_id(txn, &id);
		if (rc == 0)
			rc = entries_count(txn, db, key, 1);
	}
	if (rc == 0)
		rc = expiry_change(txn, db, key, e->expires_wall_us, true);
	if (rc != 0)
		return rc;
	size_t n = entry_value_make(bytes, e, id);

	return store_put(txn, db, key, text_make((const char *)bytes, n));
}

int entry_put(MDB_txn *txn, enum store_db db, const char *scope, const struct list_entry *e)
{
	struct entry_key k;

	if (!entry_key_of(&k, scope, e->kind, e->key))
		return EINVAL;
	return put_at(txn, db, entry_key_text(&k), e);
}

int entry_del(MDB_txn *txn, enum store_db db, struct text key)
{
	struct entry_head head;
	struct text value;
	int rc = store_get(txn, db, key, &value);

	if (rc == 0 && entry_value_head(value, &head))
		rc = expiry_change(txn, db, key, head.expires, false);
	if (rc == 0)
		rc = entries_count(txn, db, key, -1);
	return rc == 0 ? store_del(txn, db, key) : rc;
}

struct change {
	enum store_db db;
	const char *scope;
	const struct list_entry *entry;
	const struct entry_key *key;
};

static int change_put(MDB_txn *txn, void *arg)
{
	const struct change *c = arg;

	return entry_put(txn, c->db, c->scope, c->entry);
}

static int change_del(MDB_txn *txn, void *arg)
{
	const struct change *c = arg;

	return entry_del(txn, c->db, entry_key_text(c->key));
}

int entries_put(struct store *st, enum store_db db, const char *scope, const struct list_entry *e)
{
	struct change c = {.db = db, .scope = scope, .entry = e};

	return store_write(st, change_put, &c);
}

int entries_del(struct store *st, enum store_db db, const char *scope, enum list_key kind,
		const char *key)
{
	struct entry_key k;
	struct change c = {.db = db, .key = &k};

	if (!entry_key_of(&k, scope, kind, key))
		return EINVAL;
	return store_write(st, change_del, &c);
}

struct each {
	int (*fn)(const char *scope, const struct list_entry *e, void *arg);
	void *arg;
};

static int each_entry(struct text key, struct text value, void *arg)
{
	const struct each *each = arg;
	struct list_entry e;
	const char *scope;

	return entry_read(key, value, &scope, &e) ? each->fn(scope, &e, each->arg) : 0;
}

int entries_each(struct store *st, enum store_db db,
		 int (*fn)(const char *scope, const struct list_entry *e, void *arg), void *arg)
{
	struct walk w = {.db = db};
	struct each each = {fn, arg};

	return store_walk(st, &w, each_entry, &each);
}
