/* LMDB, opened and kept well: three environments below state-dir.
 *
 *   lists/   durable: bans, exemptions, recipients, changes by the tool
 *   events/  not synced, capped: incidents, hits, blocks, requests; the oldest go first
 *   users/   password hashes (opened only by the `auth` process)
 *
 * Opened after the fork and never across it, and never twice in one process (the locks by which
 * LMDB knows living readers belong to the process: closing one handle would give up the other's).
 * No read transaction is held across a wait: a reader renews it for each look-up and resets it
 * after.  A full map is grown by the writer (abort, double, again); readers follow by themselves
 * (MDB_MAP_RESIZED). */
#ifndef SHM_STORE_H
#define SHM_STORE_H

#include "shm/base/text.h"

#include <lmdb.h>

enum store_name { STORE_LISTS, STORE_EVENTS, STORE_USERS };
enum store_access { STORE_READ, STORE_WRITE };

#define STORE_DBS_MAX 16
#define STORE_KEY_MAX 511 /* bytes that LMDB takes for a key */

/* The databases.  What a key and a value are stands in the file named. */
enum store_db {
	/* lists/ */
	DB_SUMMARY,           /* counts and the next numbers (entries.c, recipients.c) */
	DB_BANS,              /* entries.c */
	DB_EXEMPTIONS,        /* entries.c */
	DB_EXPIRIES,          /* entries.c */
	DB_RECIPIENTS,        /* recipients.c */
	DB_RECIPIENT_LISTS,   /* recipients.c */
	DB_RECIPIENT_GARBAGE, /* recipients_import.c */
	/* events/ */
	DB_INCIDENTS,     /* journal_incidents.c */
	DB_INCIDENT_IDS,  /* journal_incidents.c */
	DB_HITS,          /* journal.c */
	DB_LIMITS,        /* journal_noted.c */
	DB_BLOCKS,        /* journal_blocks.c */
	DB_BLOCK_ENDS,    /* journal_blocks.c */
	DB_POSITIONS,     /* journal.c */
	DB_REQUESTS,      /* requests.c */
	DB_VERIFIED,      /* verified.c */
	DB_VERIFIED_ENDS, /* verified.c */
	/* users/ */
	DB_USERS,
	STORE_DBS
};

/* Owned by whoever opened it, and not moved while it is open. */
struct store {
	MDB_env *env;
	MDB_txn *reader; /* renewed and reset */
	bool reading;
	bool broken; /* the map is gone: nothing works but store_close */
	enum store_name name;
	enum store_access access;
	size_t map_max; /* STORE_EVENTS: the cap, which may be lowered after the opening; 0: none */
	MDB_dbi dbs[STORE_DBS];
	void *memo;   /* what shm/entries.c remembers of an unchanged store; freed by store_close */
	int guard_fd; /* STORE_EVENTS, WRITE (shm/store_guard.h); else -1 */
};

/* Opens state_dir/<name>, made (0700, owned by the caller) if access is WRITE and it isn't there.
 * READ needs an environment that somebody has opened for writing before, and a lock
 * file that it may write.  0, or -1 with a message for people in err ("cannot open state-dir/lists:
 * Permission denied ..."), and *st is then only good for another store_open. */
int store_open(struct store *st, const char *state_dir, enum store_name name,
	       enum store_access access, struct buf *err);
void store_close(struct store *st);

/* A read transaction for one look-up; NULL: the store cannot be read now (the answer is unknown).
 * One at a time. */
MDB_txn *store_read_begin(struct store *st);
void store_read_end(struct store *st);

/* The number of the last change that was committed by anybody: as long as it stays, so does all
 * that was read.  Costs a few nanoseconds. */
size_t store_last_change(struct store *st);

/* Runs `change` in a write transaction and commits it; on MDB_MAP_FULL the map is grown and it is
 * run again (so it must be idempotent).  0, an LMDB or errno code, or what change returned (nothing
 * is changed then).  Never between store_read_begin and store_read_end. */
int store_write(struct store *st, int (*change)(MDB_txn *txn, void *arg), void *arg);

/* Within a transaction: the store that it belongs to, and keys and values as texts.  A text that
 * was read lives until the transaction ends or writes. */
struct store *store_of(MDB_txn *txn);
int store_get(MDB_txn *txn, enum store_db db, struct text key, struct text *value);
int store_put(MDB_txn *txn, enum store_db db, struct text key, struct text value);
int store_add(MDB_txn *txn, enum store_db db, struct text key,
	      struct text value);                               /* MDB_KEYEXIST */
int store_del(MDB_txn *txn, enum store_db db, struct text key); /* MDB_NOTFOUND */
int store_cursor(MDB_txn *txn, enum store_db db, MDB_cursor **out);

/* The first record whose key is `from` or comes after it. */
int store_first(MDB_txn *txn, enum store_db db, struct text from, struct text *key,
		struct text *value);

/* How many records a database has. */
size_t store_count(MDB_txn *txn, enum store_db db);

/* Bytes that the databases of this environment use now. */
size_t store_used_bytes(MDB_txn *txn);

/* What was committed without sync reaches the disk (STORE_EVENTS). */
int store_sync(struct store *st);

/* Clears readers that died; how many. */
int store_clear_dead_readers(struct store *st);

const char *store_error(int rc);

/* Numbers in keys: big-endian, so that their order is that of the keys. */
static inline void key_put_u64(unsigned char dst[8], uint64_t v)
{
	for (int i = 7; i >= 0; i--, v >>= 8)
		dst[i] = (unsigned char)v;
}

static inline uint64_t key_get_u64(const void *p)
{
	const unsigned char *b = p;
	uint64_t v = 0;

	for (int i = 0; i < 8; i++)
		v = v << 8 | b[i];
	return v;
}

#endif
