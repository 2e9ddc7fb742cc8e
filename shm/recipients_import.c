/* A domain's recipients as a whole: a new version beside the one in force, put in force by one
 * small transaction, and back.
 *
 * Until that transaction the new version is listed as garbage, so an import that is killed changes
 * nothing and the next one removes what it left.  One import runs at a time (a lock on the data
 * file, which ends with its process): what is being written must not be taken for garbage. */
#include "shm/recipients.h"

#include "shm/base/clock.h"
#include "shm/walk.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/file.h>

enum {
	BATCH = 10000, /* longest that an import holds other writers up */
	/* What is read, sorted and then written in one go: neighbours share pages, so a sorted
	 * million costs a fifth of an unsorted one.  Memory that isn't used isn't touched. */
	WINDOW = 1000000,
	WINDOW_BYTES = 64 << 20,
};

struct import {
	struct domain_key domain;
	struct recipient_list list; /* as it was when the import began */
	uint32_t generation;
	struct text *locals; /* of this window */
	char *bytes;
	unsigned n, batch, batch_n;
	bool ended;
	unsigned max_removed_percent;
	struct recipients_change change, before_batch;
};

static int lock(struct store *st, int operation)
{
	int fd, rc = mdb_env_get_fd(st->env, &fd);

	if (rc == 0 && flock(fd, operation | LOCK_NB) < 0)
		rc = errno == EWOULDBLOCK ? EBUSY : errno;
	return rc;
}

/* ---- garbage ---- */

static struct text generation_text(struct recipient_key *k, uint32_t generation)
{
	recipient_key_make(k, generation, text_make("", 0));
	return recipient_key_text(k);
}

static int delete_prefix(MDB_cursor *c, struct text prefix, unsigned *deleted)
{
	MDB_val key = {prefix.n, (void *)(uintptr_t)prefix.p}, value;
	int rc = mdb_cursor_get(c, &key, &value, MDB_SET_RANGE);

	for (*deleted = 0; rc == 0 && *deleted < BATCH; ++*deleted) {
		if (memcmp(key.mv_data, prefix.p, prefix.n) != 0)
			return MDB_NOTFOUND;
		rc = mdb_cursor_del(c, 0);
		if (rc == 0)
			rc = mdb_cursor_get(c, &key, &value, MDB_NEXT);
	}
	return rc;
}

/* One piece of the first version that is in force nowhere; MDB_NOTFOUND: there is none. */
static int sweep_some(MDB_txn *txn, void *arg)
{
	char prefix[GENERATION_BYTES];
	struct text key, value, generation;
	MDB_cursor *cursor;
	unsigned deleted;
	int rc = store_first(txn, DB_RECIPIENT_GARBAGE, text_make(NULL, 0), &key, &value);

	(void)arg;
	if (rc != 0 || key.n != sizeof(prefix))
		return rc != 0 ? rc : MDB_CORRUPTED;
	memcpy(prefix, key.p, sizeof(prefix));
	generation = text_make(prefix, sizeof(prefix));
	rc = store_cursor(txn, DB_RECIPIENTS, &cursor);
	if (rc != 0)
		return rc;
	rc = delete_prefix(cursor, generation, &deleted);
	mdb_cursor_close(cursor);
	return rc == MDB_NOTFOUND ? store_del(txn, DB_RECIPIENT_GARBAGE, generation) : rc;
}

static int sweep(struct store *st)
{
	int rc;

	do
		rc = store_write(st, sweep_some, NULL);
	while (rc == 0);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

/* ---- import ---- */

static int begin(MDB_txn *txn, void *arg)
{
	struct import *im = arg;
	struct recipient_key k;
	int rc = recipient_list_get(txn, &im->domain, &im->list);

	if (rc == 0)
		rc = recipient_generation_new(txn, &im->generation);
	if (rc == 0)
		rc = store_put(txn, DB_RECIPIENT_GARBAGE, generation_text(&k, im->generation),
			       text_make(NULL, 0));
	return rc;
}

static int put_one(MDB_txn *txn, struct import *im, struct text local)
{
	struct recipient_key k;
	struct text value;

	recipient_key_make(&k, im->generation, local);
	int rc = store_add(txn, DB_RECIPIENTS, recipient_key_text(&k), text_make(NULL, 0));

	if (rc == MDB_KEYEXIST) {
		im->change.repeated++;
		return 0;
	}
	if (rc != 0)
		return rc;
	recipient_key_make(&k, im->list.current.generation, local);
	rc = store_get(txn, DB_RECIPIENTS, recipient_key_text(&k), &value);
	if (rc == 0)
		im->change.kept++;
	else if (rc == MDB_NOTFOUND)
		im->change.added++;
	return rc == MDB_NOTFOUND ? 0 : rc;
}

static int put_batch(MDB_txn *txn, void *arg)
{
	struct import *im = arg;
	int rc = 0;

	im->change = im->before_batch; /* this may be the second try */
	for (unsigned i = 0; i < im->batch_n && rc == 0; i++)
		rc = put_one(txn, im, im->locals[im->batch + i]);
	return rc;
}

static int compare(const void *a, const void *b)
{
	const struct text *x = a, *y = b;
	int order = memcmp(x->p, y->p, x->n < y->n ? x->n : y->n);

	if (order != 0)
		return order;
	return (x->n > y->n) - (x->n < y->n);
}

static int read_window(struct import *im, bool (*next)(struct text *local, void *arg), void *arg)
{
	size_t used = 0;
	struct text local;

	for (im->n = 0; im->n < WINDOW && WINDOW_BYTES - used >= RECIPIENT_LOCAL_MAX; im->n++) {
		im->ended = !next(&local, arg);
		if (im->ended)
			break;
		if (local.n > RECIPIENT_LOCAL_MAX)
			return EINVAL;
		text_lower(local, im->bytes + used);
		im->locals[im->n] = text_make(im->bytes + used, local.n);
		used += local.n;
	}
	qsort(im->locals, im->n, sizeof(im->locals[0]), compare);
	return 0;
}

static int write_window(struct store *st, struct import *im)
{
	int rc = 0;

	for (im->batch = 0; im->batch < im->n && rc == 0; im->batch += im->batch_n) {
		im->batch_n = im->n - im->batch < BATCH ? im->n - im->batch : BATCH;
		im->before_batch = im->change;
		rc = store_write(st, put_batch, im);
	}
	return rc;
}

static int read_all(struct store *st, struct import *im,
		    bool (*next)(struct text *local, void *arg), void *arg)
{
	int rc = 0;

	while (rc == 0 && !im->ended) {
		rc = read_window(im, next, arg);
		if (rc == 0)
			rc = write_window(st, im);
	}
	return rc;
}

/* The version before the one in force is dropped, the one in force becomes that. */
static int put_in_force(MDB_txn *txn, void *arg)
{
	struct import *im = arg;
	struct recipient_list list;
	struct recipient_key k;
	int rc = recipient_list_get(txn, &im->domain, &list);

	if (rc != 0)
		return rc;
	uint64_t was = list.current.count, kept = im->change.kept < was ? im->change.kept : was;

	im->change.removed = was - kept;
	if (im->change.removed * 100 > was * im->max_removed_percent)
		return ECANCELED;
	if (list.previous.generation != 0)
		rc = store_put(txn, DB_RECIPIENT_GARBAGE,
			       generation_text(&k, list.previous.generation), text_make(NULL, 0));
	if (rc == 0)
		rc = store_del(txn, DB_RECIPIENT_GARBAGE, generation_text(&k, im->generation));
	list.previous = list.current;
	list.undoable = true;
	list.current = (struct recipient_version){.generation = im->generation,
						  .count = im->change.added + im->change.kept,
						  .loaded_wall_us = clock_wall_us()};
	return rc == 0 ? recipient_list_put(txn, &im->domain, &list) : rc;
}

static int import(struct store *st, struct import *im, bool (*next)(struct text *local, void *arg),
		  void *arg)
{
	int rc = sweep(st);

	if (rc == 0)
		rc = store_write(st, begin, im);
	if (rc == 0)
		rc = read_all(st, im, next, arg);
	if (rc == 0)
		rc = store_write(st, put_in_force, im);
	/* what is left over does no harm: the next import will remove it */
	sweep(st);
	return rc;
}

int recipients_import(struct store *st, struct text domain,
		      bool (*next)(struct text *local, void *arg), void *arg,
		      unsigned max_removed_percent, struct recipients_change *out)
{
	struct import im = {.max_removed_percent = max_removed_percent};
	int rc;

	if (!domain_key_make(&im.domain, domain))
		return EINVAL;
	rc = lock(st, LOCK_EX);
	if (rc != 0)
		return rc;
	im.locals = malloc(WINDOW * sizeof(im.locals[0]));
	im.bytes = malloc(WINDOW_BYTES);
	rc = im.locals && im.bytes ? import(st, &im, next, arg) : ENOMEM;
	free(im.locals);
	free(im.bytes);
	lock(st, LOCK_UN);
	*out = im.change;
	return rc;
}

/* ---- undo ---- */

struct compare_to {
	struct store *st;
	uint32_t generation;
	struct recipients_change *change;
};

static int compare_one(struct text key, struct text value, void *arg)
{
	const struct compare_to *c = arg;
	struct text local = text_make(key.p + GENERATION_BYTES, key.n - GENERATION_BYTES);
	struct recipient_key k;
	MDB_txn *txn = store_read_begin(c->st);

	if (!txn)
		return EIO;
	recipient_key_make(&k, c->generation, local);
	int rc = store_get(txn, DB_RECIPIENTS, recipient_key_text(&k), &value);

	store_read_end(c->st);
	if (rc == 0)
		c->change->kept++;
	else if (rc == MDB_NOTFOUND)
		c->change->added++;
	return rc == MDB_NOTFOUND ? 0 : rc;
}

static int swap(MDB_txn *txn, void *arg)
{
	const struct import *im = arg;
	struct recipient_list list;
	int rc = recipient_list_get(txn, &im->domain, &list);

	if (rc == 0 && !list.undoable)
		rc = MDB_NOTFOUND;
	struct recipient_version was = list.current;

	list.current = list.previous;
	list.previous = was;
	return rc == 0 ? recipient_list_put(txn, &im->domain, &list) : rc;
}

static int read_list(struct store *st, struct import *im)
{
	MDB_txn *txn = store_read_begin(st);

	if (!txn)
		return EIO;
	int rc = recipient_list_get(txn, &im->domain, &im->list);

	store_read_end(st);
	return rc == 0 && !im->list.undoable ? MDB_NOTFOUND : rc;
}

static int undo(struct store *st, struct import *im)
{
	struct compare_to c = {st, 0, &im->change};
	struct recipient_key k;
	int rc = read_list(st, im);

	if (rc != 0)
		return rc;
	c.generation = im->list.current.generation;
	struct walk w = {.db = DB_RECIPIENTS,
			 .prefix = generation_text(&k, im->list.previous.generation)};

	rc = store_walk(st, &w, compare_one, &c);
	im->change.removed = im->list.current.count - im->change.kept;
	return rc == 0 ? store_write(st, swap, im) : rc;
}

int recipients_undo(struct store *st, struct text domain, struct recipients_change *out)
{
	struct import im = {0};
	int rc;

	if (!domain_key_make(&im.domain, domain))
		return EINVAL;
	rc = lock(st, LOCK_EX);
	if (rc != 0)
		return rc;
	rc = undo(st, &im);
	lock(st, LOCK_UN);
	*out = im.change;
	return rc;
}
