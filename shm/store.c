/* LMDB: opening an environment, transactions that follow a growing map, keys and values as texts.
 */
#include "shm/store.h"

#include "shm/store_guard.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	FORMAT = 1,         /* of all that stands in the databases */
	READERS_MAX = 1024, /* two generations of workers, and tools */
	SWAP_TRIES = 8,     /* a map that others grow again and again */
};

/* Address space, not memory or disk: grown as needed. */
static const size_t map_start = (size_t)16 << 20;
static const size_t events_map_max = (size_t)2 << 30;

static const char *const store_names[] = {
    [STORE_LISTS] = "lists", [STORE_EVENTS] = "events", [STORE_USERS] = "users"};

static const struct {
	enum store_name store;
	const char *name;
} dbs[STORE_DBS] = {
    [DB_SUMMARY] = {STORE_LISTS, "summary"},
    [DB_BANS] = {STORE_LISTS, "bans"},
    [DB_EXEMPTIONS] = {STORE_LISTS, "exemptions"},
    [DB_EXPIRIES] = {STORE_LISTS, "expiries"},
    [DB_RECIPIENTS] = {STORE_LISTS, "recipients"},
    [DB_RECIPIENT_LISTS] = {STORE_LISTS, "recipient-lists"},
    [DB_RECIPIENT_GARBAGE] = {STORE_LISTS, "recipient-garbage"},
    [DB_INCIDENTS] = {STORE_EVENTS, "incidents"},
    [DB_INCIDENT_IDS] = {STORE_EVENTS, "incident-ids"},
    [DB_HITS] = {STORE_EVENTS, "hits"},
    [DB_LIMITS] = {STORE_EVENTS, "limits"},
    [DB_BLOCKS] = {STORE_EVENTS, "blocks"},
    [DB_BLOCK_ENDS] = {STORE_EVENTS, "block-ends"},
    [DB_POSITIONS] = {STORE_EVENTS, "positions"},
    [DB_REQUESTS] = {STORE_EVENTS, "requests"},
    [DB_VERIFIED] = {STORE_EVENTS, "verified"},
    [DB_VERIFIED_ENDS] = {STORE_EVENTS, "verified-ends"},
    [DB_USERS] = {STORE_USERS, "users"},
};

const char *store_error(int rc)
{
	return mdb_strerror(rc);
}

/* ---- a map that grows ---- */

static int set_map(struct store *st, size_t size)
{
	int rc = mdb_env_set_mapsize(st->env, size);

	if (rc != 0 && rc != EINVAL)
		st->broken = true; /* the old mapping has gone already */
	return rc;
}

static size_t map_size(struct store *st)
{
	MDB_envinfo info;

	mdb_env_info(st->env, &info);
	return info.me_mapsize;
}

/* For a write that found the map full: takes over what another process made of it, else doubles it.
 */
static int grow(struct store *st)
{
	size_t before = map_size(st), wanted = 2 * before;
	int rc = set_map(st, 0);

	if (rc != 0 || map_size(st) > before)
		return rc;
	if (st->map_max > 0 && wanted > st->map_max)
		wanted = st->map_max;
	if (wanted <= before) {
		rc = set_map(st, before);
		return rc != 0 ? rc : MDB_MAP_FULL;
	}
	return set_map(st, wanted);
}

/* ---- transactions ---- */

static int begin_once(struct store *st, unsigned flags, MDB_txn **txn)
{
	if (*txn)
		return mdb_txn_renew(*txn);
	return mdb_txn_begin(st->env, NULL, flags, txn);
}

static int begin(struct store *st, unsigned flags, MDB_txn **txn)
{
	int rc = st->broken ? ENOMEM : begin_once(st, flags, txn);

	for (int i = 0; i < SWAP_TRIES && rc == MDB_MAP_RESIZED; i++) {
		rc = set_map(st, 0);
		if (rc == 0)
			rc = begin_once(st, flags, txn);
	}
	if (rc == MDB_READERS_FULL && store_clear_dead_readers(st) > 0)
		rc = begin_once(st, flags, txn);
	return rc;
}

MDB_txn *store_read_begin(struct store *st)
{
	assert(!st->reading);
	if (begin(st, MDB_RDONLY, &st->reader) != 0)
		return NULL;
	st->reading = true;
	return st->reader;
}

void store_read_end(struct store *st)
{
	assert(st->reading);
	mdb_txn_reset(st->reader);
	st->reading = false;
}

size_t store_last_change(struct store *st)
{
	MDB_envinfo info;

	if (st->broken)
		return 0;
	mdb_env_info(st->env, &info);
	return info.me_last_txnid;
}

static int write_once(struct store *st, int (*change)(MDB_txn *txn, void *arg), void *arg)
{
	MDB_txn *txn = NULL;
	int rc = begin(st, 0, &txn);

	if (rc != 0)
		return rc;
	rc = change(txn, arg);
	if (rc != 0) {
		mdb_txn_abort(txn);
		return rc;
	}
	return mdb_txn_commit(txn);
}

int store_write(struct store *st, int (*change)(MDB_txn *txn, void *arg), void *arg)
{
	int rc;

	assert(!st->reading && st->access == STORE_WRITE);
	do
		rc = write_once(st, change, arg);
	while (rc == MDB_MAP_FULL && (rc = grow(st)) == 0);
	return rc;
}

int store_sync(struct store *st)
{
	return st->broken ? ENOMEM : mdb_env_sync(st->env, 1);
}

int store_clear_dead_readers(struct store *st)
{
	int dead = 0;

	if (!st->broken)
		mdb_reader_check(st->env, &dead);
	return dead;
}

/* ---- opening ---- */

/* The format stands in the unnamed database, beside the names of the others. */
static int check_format(MDB_txn *txn, bool make)
{
	uint32_t format = FORMAT;
	MDB_val key = {sizeof("format") - 1, (void *)(uintptr_t) "format"};
	MDB_val value = {sizeof(format), &format};
	MDB_dbi unnamed;
	int rc = mdb_dbi_open(txn, NULL, 0, &unnamed);

	if (rc != 0)
		return rc;
	rc = mdb_get(txn, unnamed, &key, &value);
	if (rc == MDB_NOTFOUND)
		return make ? mdb_put(txn, unnamed, &key, &value, 0) : rc;
	if (rc != 0)
		return rc;
	if (value.mv_size != sizeof(format) || memcmp(value.mv_data, &format, sizeof(format)) != 0)
		return MDB_VERSION_MISMATCH;
	return 0;
}

static int open_dbs(struct store *st, MDB_txn *txn)
{
	bool make = st->access == STORE_WRITE;
	int rc = check_format(txn, make);

	for (int i = 0; i < STORE_DBS && rc == 0; i++) {
		if (dbs[i].store == st->name)
			rc = mdb_dbi_open(txn, dbs[i].name, make ? MDB_CREATE : 0, &st->dbs[i]);
	}
	return rc;
}

/* Handles outlive the transaction that opened them only if it commits. */
static int open_dbs_in_txn(struct store *st)
{
	MDB_txn *txn = NULL;
	int rc = begin(st, st->access == STORE_WRITE ? 0 : MDB_RDONLY, &txn);

	if (rc != 0)
		return rc;
	rc = open_dbs(st, txn);
	if (rc != 0) {
		mdb_txn_abort(txn);
		return rc;
	}
	return mdb_txn_commit(txn);
}

static unsigned env_flags(const struct store *st)
{
	unsigned flags = MDB_NOTLS; /* a reader belongs to its txn: any coroutine, any thread */

	if (st->access == STORE_READ)
		flags |= MDB_RDONLY;
	if (st->name == STORE_EVENTS)
		flags |= MDB_NOSYNC;
	return flags;
}

static int open_env(struct store *st, const char *path)
{
	int fd, rc = mdb_env_create(&st->env);

	if (rc != 0)
		return rc;
	mdb_env_set_maxdbs(st->env, STORE_DBS_MAX);
	mdb_env_set_maxreaders(st->env, READERS_MAX);
	mdb_env_set_userctx(st->env, st);
	rc = mdb_env_open(st->env, path, env_flags(st), 0600);
	if (rc != 0)
		return rc;
	if (mdb_env_get_fd(st->env, &fd) == 0)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
	/* (an environment that is there already may have a larger map) */
	if (st->access == STORE_WRITE && map_size(st) < map_start)
		rc = set_map(st, map_start);
	return rc != 0 ? rc : open_dbs_in_txn(st);
}

static int make_dir(const char *path)
{
	return mkdir(path, 0700) == 0 || errno == EEXIST ? 0 : errno;
}

static int open_path(struct store *st, const char *state_dir, const char *path)
{
	int rc = 0;

	if (st->access == STORE_WRITE) {
		rc = make_dir(state_dir);
		if (rc == 0)
			rc = make_dir(path);
	}
	if (rc == 0 && st->access == STORE_WRITE && st->name == STORE_EVENTS)
		rc = store_guard_enter(path, &st->guard_fd);
	return rc != 0 ? rc : open_env(st, path);
}

static void explain(int rc, const char *path, struct buf *err)
{
	buf_printf(err, "cannot open %s: %s", path, store_error(rc));
	if (rc == MDB_VERSION_MISMATCH)
		buf_printf(err, " (made by another version of Gatepost)");
	else if (rc == EACCES)
		buf_printf(err, " (it belongs to another user)");
	else if (rc == ENOENT || rc == MDB_NOTFOUND)
		buf_printf(err, " (nothing has been stored there yet)");
}

int store_open(struct store *st, const char *state_dir, enum store_name name,
	       enum store_access access, struct buf *err)
{
	char path[PATH_MAX];
	int rc = ENAMETOOLONG;

	*st = (struct store){.name = name, .access = access, .guard_fd = -1};
	if (name == STORE_EVENTS)
		st->map_max = events_map_max;
	if (snprintf(path, sizeof(path), "%s/%s", state_dir, store_names[name]) < (int)sizeof(path))
		rc = open_path(st, state_dir, path);
	if (rc == 0)
		return 0;
	explain(rc, path, err);
	store_close(st);
	return -1;
}

void store_close(struct store *st)
{
	if (st->reader)
		mdb_txn_abort(st->reader);
	if (st->guard_fd >= 0)
		store_guard_leave(st->guard_fd, st->env && store_sync(st) == 0);
	if (st->env)
		mdb_env_close(st->env);
	free(st->memo);
	*st = (struct store){.guard_fd = -1};
}
