/* Bans: entries without a scope. */
#include "shm/entries.h"

#include <errno.h>
#include <stdlib.h>

static const char no_scope[] = "";

enum answer bans_find(struct store *st, enum list_key kind, const struct ip *ip, struct text key,
		      int64_t now_wall_us, struct list_entry *out)
{
	static const char *const scopes[] = {no_scope, NULL};

	return entries_find(st, DB_BANS, scopes, kind, ip, key, now_wall_us, out);
}

int bans_put(struct store *st, const struct list_entry *e)
{
	return entries_put(st, DB_BANS, no_scope, e);
}

int bans_del(struct store *st, enum list_key kind, const char *key)
{
	return entries_del(st, DB_BANS, no_scope, kind, key);
}

/* ---- many ---- */

enum { BATCH = 2500 }; /* some 10,000 puts */

struct batch {
	struct list_entry entries[BATCH];
	unsigned n;
};

static int put_batch(MDB_txn *txn, void *arg)
{
	const struct batch *b = arg;
	int rc = 0;

	for (unsigned i = 0; i < b->n && rc == 0; i++)
		rc = entry_put(txn, DB_BANS, no_scope, &b->entries[i]);
	return rc;
}

int bans_put_all(struct store *st, bool (*next)(struct list_entry *e, void *arg), void *arg,
		 uint64_t *put)
{
	struct batch *b = malloc(sizeof(*b));
	int rc = b ? 0 : ENOMEM;
	uint64_t n = 0;

	while (rc == 0) {
		for (b->n = 0; b->n < BATCH && next(&b->entries[b->n], arg);)
			b->n++;
		if (b->n == 0)
			break;
		rc = store_write(st, put_batch, b);
		n += rc == 0 ? b->n : 0;
	}
	if (put)
		*put = n;
	free(b);
	return rc;
}

struct each {
	int (*fn)(const struct list_entry *e, void *arg);
	void *arg;
};

static int each_ban(const char *scope, const struct list_entry *e, void *arg)
{
	const struct each *each = arg;

	(void)scope;
	return each->fn(e, each->arg);
}

int bans_each(struct store *st, int (*fn)(const struct list_entry *e, void *arg), void *arg)
{
	struct each each = {fn, arg};

	return entries_each(st, DB_BANS, each_ban, &each);
}
