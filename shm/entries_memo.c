/* How many entries of which kind and length a list has, and remembering that until the store
 * changes. */
#include "shm/entries.h"

#include <errno.h>
#include <stdlib.h>

static struct text counts_name(enum store_db db)
{
	return db == DB_BANS ? LIT("bans") : LIT("exemptions");
}

static int counts_get(MDB_txn *txn, enum store_db db, struct entry_counts *out)
{
	struct text value;
	int rc = store_get(txn, DB_SUMMARY, counts_name(db), &value);

	memset(out, 0, sizeof(*out));
	if (rc == 0 && value.n <= sizeof(*out))
		memcpy(out, value.p, value.n);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

int entries_count(MDB_txn *txn, enum store_db db, struct text key, int delta)
{
	struct entry_counts c;
	struct list_entry e;
	int rc = counts_get(txn, db, &c);

	if (rc != 0)
		return rc;
	if (!entry_key_read(key, NULL, &e))
		return EINVAL;
	*entry_count_of(&c, e.kind) += (uint64_t)delta;
	if (e.kind == LIST_CLIENT && e.net.bits >= 96 && ip_is4(&e.net.ip))
		c.length4[e.net.bits - 96] += (uint64_t)delta;
	else if (e.kind == LIST_CLIENT)
		c.length6[e.net.bits] += (uint64_t)delta;
	return store_put(txn, DB_SUMMARY, counts_name(db), text_make((const char *)&c, sizeof(c)));
}

static void memo_make(struct entry_memo *m)
{
	m->n4 = m->n6 = 0;
	for (unsigned i = 33; i-- > 0;) {
		if (m->counts.length4[i] > 0)
			m->bits4[m->n4++] = (uint8_t)(i + 96);
	}
	for (unsigned i = 129; i-- > 0;) {
		if (m->counts.length6[i] > 0)
			m->bits6[m->n6++] = (uint8_t)i;
	}
}

struct memo {
	size_t change; /* as of which */
	struct entry_memo bans, exemptions;
};

/* Brings what is remembered to the state that txn sees. */
static const struct memo *memo_follow(struct store *st, MDB_txn *txn)
{
	struct memo *m = st->memo;

	if (m && m->change == mdb_txn_id(txn))
		return m;
	if (!m)
		m = st->memo = calloc(1, sizeof(*m));
	if (!m)
		return NULL;
	m->change = 0;
	if (counts_get(txn, DB_BANS, &m->bans.counts) != 0 ||
	    counts_get(txn, DB_EXEMPTIONS, &m->exemptions.counts) != 0)
		return NULL;
	memo_make(&m->bans);
	memo_make(&m->exemptions);
	m->change = mdb_txn_id(txn);
	return m;
}

static const struct entry_memo *memo_of(const struct memo *m, enum store_db db)
{
	if (!m)
		return NULL;
	return db == DB_BANS ? &m->bans : &m->exemptions;
}

const struct entry_memo *entries_memo_in(MDB_txn *txn, enum store_db db)
{
	return memo_of(memo_follow(store_of(txn), txn), db);
}

const struct entry_memo *entries_memo(struct store *st, enum store_db db)
{
	const struct memo *m = st->memo;

	if (m && m->change != 0 && m->change == store_last_change(st))
		return memo_of(m, db);
	MDB_txn *txn = store_read_begin(st);

	if (!txn)
		return NULL;
	m = memo_follow(st, txn);
	store_read_end(st);
	return memo_of(m, db);
}
