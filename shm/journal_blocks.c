/* Blocks in force: of one client by one check, the newest event of each, and how often. */
#include "shm/journal_parts.h"
#include "shm/walk.h"

/* As it stands in DB_BLOCKS: without a time before it.  *key_n is how much of it is the client's.
 */
static struct text block_key(struct noted_key *k, struct text check, struct text key, size_t *key_n)
{
	k->n = 0;
	noted_key_add(k, check);
	noted_key_add(k, text_make("", 1));
	*key_n = noted_key_add(
	    k, text_make(key.p, key.n < NOTED_KEY_MAX - k->n ? key.n : NOTED_KEY_MAX - k->n));
	return noted_key_text(k);
}

static struct text end_key(struct noted_key *k, int64_t until, struct text key)
{
	noted_key_begin(k, (uint64_t)until);
	noted_key_add(k, key);
	return noted_key_text(k);
}

static int end_del(MDB_txn *txn, int64_t until, struct text key)
{
	struct noted_key k;
	int rc = store_del(txn, DB_BLOCK_ENDS, end_key(&k, until, key));

	return rc == MDB_NOTFOUND ? 0 : rc;
}

int blocks_apply(MDB_txn *txn, const struct event_view *v, struct text bytes)
{
	int64_t until = journal_number(v, FIELD_until, 0);
	struct noted_key room, end;
	struct noted_value value;
	struct noted_head head;
	size_t key_n;
	struct text key =
	    block_key(&room, noted_text(v, FIELD_check), noted_text(v, FIELD_key), &key_n);

	if (key_n == 0 || until <= 0)
		return 0;
	int rc = noted_head_get(txn, DB_BLOCKS, key, &head);

	if (rc == 0 && head.until_wall_us != 0)
		rc = end_del(txn, head.until_wall_us, key);
	/* the same end: the same event once more */
	head.count += head.until_wall_us != until;
	head.until_wall_us = until;
	head.key_n = (uint32_t)key_n;
	if (rc == 0)
		rc = store_put(txn, DB_BLOCK_ENDS, end_key(&end, until, key), text_make(NULL, 0));
	return rc == 0 ? store_put(txn, DB_BLOCKS, key, noted_value_text(&value, &head, bytes))
		       : rc;
}

int blocks_expire(MDB_txn *txn, int64_t before_wall_us, unsigned max, unsigned *done)
{
	return journal_forget(txn, DB_BLOCK_ENDS, DB_BLOCKS, before_wall_us, max, done);
}

struct each {
	int (*fn)(const struct noted *n, void *arg);
	void *arg;
	int64_t now_wall_us;
};

static int each_block(struct text key, struct text value, void *arg)
{
	const struct each *each = arg;
	struct noted_head head;

	if (!noted_head_read(value, &head) || head.until_wall_us <= each->now_wall_us)
		return 0;
	return noted_show(key, value, head.count, each->fn, each->arg);
}

int blocks_each(struct store *st, int64_t now_wall_us, int (*fn)(const struct noted *n, void *arg),
		void *arg)
{
	struct walk w = {.db = DB_BLOCKS};
	struct each each = {.fn = fn, .arg = arg, .now_wall_us = now_wall_us};

	return store_walk(st, &w, each_block, &each);
}

enum answer blocks_find(struct store *st, struct text check, struct text key, int64_t now_wall_us)
{
	struct noted_key room;
	struct noted_head head;
	size_t key_n;
	MDB_txn *txn = store_read_begin(st);

	if (!txn)
		return ANSWER_UNKNOWN;
	int rc = noted_head_get(txn, DB_BLOCKS, block_key(&room, check, key, &key_n), &head);

	store_read_end(st);
	if (rc != 0)
		return ANSWER_UNKNOWN;
	return head.until_wall_us > now_wall_us ? ANSWER_YES : ANSWER_NO;
}

static int block_del(MDB_txn *txn, void *arg)
{
	const struct text *key = arg;
	struct noted_head head;
	int rc = noted_head_get(txn, DB_BLOCKS, *key, &head);

	if (rc == 0)
		rc = end_del(txn, head.until_wall_us, *key);
	return rc == 0 ? store_del(txn, DB_BLOCKS, *key) : rc;
}

int blocks_del(struct store *st, struct text check, struct text key)
{
	struct noted_key room;
	size_t key_n;
	struct text k = block_key(&room, check, key, &key_n);

	return key_n > 0 ? store_write(st, block_del, &k) : MDB_NOTFOUND;
}
