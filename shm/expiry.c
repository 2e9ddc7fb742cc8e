/* Removing the entries whose time is over; look-ups pass over them anyway. */
#include "shm/entries.h"

enum { STAMP = 8, EXPIRY_HEAD = STAMP + 1 };

struct expire {
	int64_t now_wall_us;
	unsigned max, done;
};

/* The entry that expires first, if its time has come. */
static int next_expired(MDB_txn *txn, int64_t now_wall_us, struct text *key)
{
	struct text value;
	int rc = store_first(txn, DB_EXPIRIES, text_make(NULL, 0), key, &value);

	if (rc != 0)
		return rc;
	return key_get_u64(key->p) > (uint64_t)now_wall_us ? MDB_NOTFOUND : 0;
}

static int expire_one(MDB_txn *txn, struct text key)
{
	char copy[EXPIRY_HEAD + ENTRY_KEY_MAX];
	size_t n = key.n < sizeof(copy) ? key.n : sizeof(copy);

	memcpy(copy, key.p, n);
	int rc = entry_del(txn, (enum store_db)copy[STAMP],
			   text_make(copy + EXPIRY_HEAD, n - EXPIRY_HEAD));

	/* entry_del took this record away as well, unless there was no such entry */
	return rc == MDB_NOTFOUND ? store_del(txn, DB_EXPIRIES, text_make(copy, n)) : rc;
}

static int expire(MDB_txn *txn, void *arg)
{
	struct expire *x = arg;
	struct text key;
	int rc = 0;

	for (x->done = 0; x->done < x->max; x->done++) {
		rc = next_expired(txn, x->now_wall_us, &key);
		if (rc == 0)
			rc = expire_one(txn, key);
		if (rc != 0)
			break;
	}
	return rc == MDB_NOTFOUND ? 0 : rc;
}

int lists_expire(struct store *st, int64_t now_wall_us, unsigned max)
{
	struct expire x = {.now_wall_us = now_wall_us, .max = max};
	struct text key;
	MDB_txn *txn = store_read_begin(st);

	if (!txn)
		return -1;
	/* mostly there is nothing to do, and then the writers' lock is left alone */
	int rc = next_expired(txn, now_wall_us, &key);

	store_read_end(st);
	if (rc == 0)
		rc = store_write(st, expire, &x);
	if (rc == MDB_NOTFOUND)
		return 0;
	return rc == 0 ? (int)x.done : -1;
}
