/* Within a transaction: keys and values as texts. */
#include "shm/store.h"

static MDB_val val_of(struct text t)
{
	return (MDB_val){t.n, (void *)(uintptr_t)t.p};
}

static struct text text_of_val(const MDB_val *v)
{
	return text_make(v->mv_data, v->mv_size);
}

struct store *store_of(MDB_txn *txn)
{
	return mdb_env_get_userctx(mdb_txn_env(txn));
}

int store_get(MDB_txn *txn, enum store_db db, struct text key, struct text *value)
{
	MDB_val k = val_of(key), v;
	int rc = mdb_get(txn, store_of(txn)->dbs[db], &k, &v);

	if (rc == 0)
		*value = text_of_val(&v);
	return rc;
}

static int put(MDB_txn *txn, enum store_db db, struct text key, struct text value, unsigned flags)
{
	MDB_val k = val_of(key), v = val_of(value);

	return mdb_put(txn, store_of(txn)->dbs[db], &k, &v, flags);
}

int store_put(MDB_txn *txn, enum store_db db, struct text key, struct text value)
{
	return put(txn, db, key, value, 0);
}

int store_add(MDB_txn *txn, enum store_db db, struct text key, struct text value)
{
	return put(txn, db, key, value, MDB_NOOVERWRITE);
}

int store_del(MDB_txn *txn, enum store_db db, struct text key)
{
	MDB_val k = val_of(key);

	return mdb_del(txn, store_of(txn)->dbs[db], &k, NULL);
}

int store_cursor(MDB_txn *txn, enum store_db db, MDB_cursor **out)
{
	return mdb_cursor_open(txn, store_of(txn)->dbs[db], out);
}

int store_first(MDB_txn *txn, enum store_db db, struct text from, struct text *key,
		struct text *value)
{
	MDB_val k = val_of(from), v;
	MDB_cursor *cursor;
	int rc = store_cursor(txn, db, &cursor);

	if (rc != 0)
		return rc;
	rc = mdb_cursor_get(cursor, &k, &v, from.n > 0 ? MDB_SET_RANGE : MDB_FIRST);
	if (rc == 0) {
		*key = text_of_val(&k);
		*value = text_of_val(&v);
	}
	mdb_cursor_close(cursor);
	return rc;
}

size_t store_count(MDB_txn *txn, enum store_db db)
{
	MDB_stat s;

	return mdb_stat(txn, store_of(txn)->dbs[db], &s) == 0 ? s.ms_entries : 0;
}

size_t store_used_bytes(MDB_txn *txn)
{
	const struct store *st = store_of(txn);
	size_t bytes = 0;

	for (int i = 0; i < STORE_DBS; i++) {
		MDB_stat s;

		/* 0 is LMDB's own: that database is of another environment */
		if (st->dbs[i] != 0 && mdb_stat(txn, st->dbs[i], &s) == 0)
			bytes += (s.ms_branch_pages + s.ms_leaf_pages + s.ms_overflow_pages) *
				 s.ms_psize;
	}
	return bytes;
}
