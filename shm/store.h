/* LMDB, opened and kept well: three environments below state-dir.
 *
 *   lists/   durable: bans, exemptions, recipients, changes by the tool
 *   events/  not synced, capped: incidents, hits, blocks, ring positions; the oldest go first
 *   users/   password hashes (opened only by the `auth` process)
 *
 * Opened after the fork and never across it.  No read transaction is held across a wait: a reader
 * renews it for each look-up and resets it after.  A full map is grown by the writer (abort, double,
 * again); readers follow by themselves (MDB_MAP_RESIZED). */
#ifndef SHM_STORE_H
#define SHM_STORE_H

#include "shm/base/text.h"

#include <lmdb.h>

enum store_name { STORE_LISTS, STORE_EVENTS, STORE_USERS };
enum store_access { STORE_READ, STORE_WRITE };

#define STORE_DBS_MAX 16

struct store {
	MDB_env *env;
	MDB_txn *reader; /* renewed and reset */
	enum store_name name;
	enum store_access access;
	size_t map_max;  /* STORE_EVENTS: the cap; 0: none */
};

/* Opens state_dir/<name>, made (0700, owned by the caller) if access is WRITE and it isn't there.
 * 0, or -1 with a message for people in err ("cannot open state-dir/lists: Permission denied ..."). */
int store_open(struct store *st, const char *state_dir, enum store_name name,
	       enum store_access access, struct buf *err);
void store_close(struct store *st);

/* A read transaction for one look-up; NULL: the store cannot be read now (the answer is unknown). */
MDB_txn *store_read_begin(struct store *st);
void store_read_end(struct store *st);

/* Runs `change` in a write transaction and commits it; on MDB_MAP_FULL the map is grown and it is run
 * again (so it must be idempotent).  0, an LMDB or errno code, or what change returned. */
int store_write(struct store *st, int (*change)(MDB_txn *txn, void *arg), void *arg);

/* Clears readers that died; how many. */
int store_clear_dead_readers(struct store *st);

const char *store_error(int rc);

#endif
