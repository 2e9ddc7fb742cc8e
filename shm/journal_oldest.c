/* Forgetting what is oldest. */
#include "shm/journal_parts.h"

static int remove_both(MDB_txn *txn, enum store_db db, enum store_db beside, struct text key)
{
	char copy[STORE_KEY_MAX]; /* the record's own goes with the record */

	memcpy(copy, key.p, key.n);
	int rc = store_del(txn, db, text_make(copy, key.n));

	if (rc == 0 && beside != STORE_DBS)
		rc = store_del(txn, beside, text_make(copy + NOTED_STAMP, key.n - NOTED_STAMP));
	return rc == MDB_NOTFOUND ? 0 : rc;
}

int journal_forget(MDB_txn *txn, enum store_db db, enum store_db beside, int64_t last, unsigned max,
		   unsigned *done)
{
	struct text key, unused;
	int rc = 0;

	for (unsigned i = 0; i < max; i++) {
		rc = store_first(txn, db, text_make(NULL, 0), &key, &unused);
		if (rc == 0 && (key.n < NOTED_STAMP || key.n > STORE_KEY_MAX))
			rc = MDB_CORRUPTED;
		if (rc != 0 || (int64_t)key_get_u64(key.p) > last)
			break;
		rc = remove_both(txn, db, beside, key);
		if (rc != 0)
			break;
		++*done;
	}
	return rc == MDB_NOTFOUND ? 0 : rc;
}
