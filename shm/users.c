/* Local users: a record is a head of fixed size and three texts behind it.
 *
 *   DB_USERS  login -> struct head, by, hash, senders
 *             "\0secret" (no login) -> USERS_SECRET_BYTES */
#include "shm/users.h"

#include <errno.h>
#include <sys/random.h>

struct head {
	int64_t added_wall_us, changed_wall_us;
	struct scram_verifier scram;
	uint16_t by_n, hash_n, senders_n, unused;
};

static const struct text secret_key = {"\0secret", 7};

enum { RECORD_MAX = sizeof(struct head) + LIST_BY_MAX + USER_HASH_MAX + USER_SENDERS_MAX };

static bool decode(struct text value, struct user *out)
{
	struct head h;

	if (value.n < sizeof(h))
		return false;
	memcpy(&h, value.p, sizeof(h));
	const char *p = value.p + sizeof(h);

	if (h.by_n > LIST_BY_MAX || h.hash_n > USER_HASH_MAX || h.senders_n > USER_SENDERS_MAX ||
	    value.n != sizeof(h) + h.by_n + h.hash_n + h.senders_n)
		return false;
	*out = (struct user){.added_wall_us = h.added_wall_us,
			     .changed_wall_us = h.changed_wall_us,
			     .scram = h.scram};
	memcpy(out->by, p, h.by_n);
	memcpy(out->hash, p + h.by_n, h.hash_n);
	memcpy(out->senders, p + h.by_n + h.hash_n, h.senders_n);
	return true;
}

static struct text encode(const struct user *u, char room[RECORD_MAX + 1])
{
	struct head h = {.added_wall_us = u->added_wall_us,
			 .changed_wall_us = u->changed_wall_us,
			 .scram = u->scram,
			 .by_n = (uint16_t)strlen(u->by),
			 .hash_n = (uint16_t)strlen(u->hash),
			 .senders_n = (uint16_t)strlen(u->senders)};
	struct buf b = buf_over(room, RECORD_MAX + 1);

	buf_put(&b, &h, sizeof(h));
	buf_put(&b, u->by, h.by_n);
	buf_put(&b, u->hash, h.hash_n);
	buf_put(&b, u->senders, h.senders_n);
	return buf_view(&b);
}

int users_get(struct store *st, struct text login, struct user *out)
{
	MDB_txn *txn = store_read_begin(st);
	struct text value;

	if (!txn)
		return ENOMEM;
	int rc = login.n > 0 && login.n <= LIST_KEY_MAX ? store_get(txn, DB_USERS, login, &value)
							: MDB_NOTFOUND;

	if (rc == 0 && !decode(value, out))
		rc = MDB_CORRUPTED;
	store_read_end(st);
	return rc;
}

struct change {
	struct text login, record;
};

static int put(MDB_txn *txn, void *arg)
{
	const struct change *c = arg;

	return store_put(txn, DB_USERS, c->login, c->record);
}

int users_put(struct store *st, struct text login, const struct user *u)
{
	char room[RECORD_MAX + 1];
	struct change c = {login, encode(u, room)};

	return store_write(st, put, &c);
}

static int del(MDB_txn *txn, void *arg)
{
	return store_del(txn, DB_USERS, ((const struct change *)arg)->login);
}

int users_del(struct store *st, struct text login)
{
	struct change c = {.login = login};

	return store_write(st, del, &c);
}

int users_each(struct store *st, int (*fn)(struct text login, const struct user *u, void *arg),
	       void *arg)
{
	MDB_txn *txn = store_read_begin(st);
	MDB_cursor *cursor = NULL;
	MDB_val k, v;
	struct user u;

	if (!txn)
		return ENOMEM;
	int rc = store_cursor(txn, DB_USERS, &cursor);

	while (rc == 0 && (rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT)) == 0) {
		const struct text login = text_make(k.mv_data, k.mv_size);

		if (text_eq(login, secret_key))
			continue;
		rc = decode(text_make(v.mv_data, v.mv_size), &u) ? fn(login, &u, arg)
								 : MDB_CORRUPTED;
	}
	if (cursor)
		mdb_cursor_close(cursor);
	store_read_end(st);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

static int make_secret(MDB_txn *txn, void *arg)
{
	unsigned char *out = arg;
	struct text value;
	int rc = store_get(txn, DB_USERS, secret_key, &value);

	if (rc == 0 && value.n == USERS_SECRET_BYTES) {
		memcpy(out, value.p, USERS_SECRET_BYTES);
		return 0;
	}
	if (rc != MDB_NOTFOUND)
		return rc ? rc : MDB_CORRUPTED;
	if (getrandom(out, USERS_SECRET_BYTES, 0) != USERS_SECRET_BYTES)
		return errno;
	return store_put(txn, DB_USERS, secret_key, text_make((char *)out, USERS_SECRET_BYTES));
}

int users_secret(struct store *st, unsigned char out[USERS_SECRET_BYTES])
{
	return store_write(st, make_secret, out);
}
