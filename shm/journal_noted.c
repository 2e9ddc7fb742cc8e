/* Limits that fired and blocks in force: the newest event of each, and how often. */
#include "shm/base/clock.h"
#include "shm/journal_parts.h"
#include "shm/walk.h"

#include <errno.h>

enum { STAMP = 8, HOURS_KEPT = 24 };

#define HOUR_US (3600 * SECOND_US)

struct noted_key {
	size_t n;
	char b[STAMP + NOTED_KEY_MAX];
};

struct noted_value {
	size_t n;
	char b[sizeof(struct noted_head) + EVENT_MAX];
};

static struct text noted_key_text(const struct noted_key *k)
{
	return text_make(k->b, k->n);
}

static void key_begin(struct noted_key *k, uint64_t stamp)
{
	key_put_u64((unsigned char *)k->b, stamp);
	k->n = STAMP;
}

/* What does not fit is cut; how much stands there. */
static size_t key_add(struct noted_key *k, struct text t)
{
	size_t n = t.n < sizeof(k->b) - k->n ? t.n : sizeof(k->b) - k->n;

	if (n > 0)
		memcpy(k->b + k->n, t.p, n);
	k->n += n;
	return n;
}

static struct text noted_value_text(struct noted_value *value, const struct noted_head *head,
				    struct text bytes)
{
	size_t n = bytes.n < EVENT_MAX ? bytes.n : EVENT_MAX;

	memcpy(value->b, head, sizeof(*head));
	memcpy(value->b + sizeof(*head), bytes.p, n);
	value->n = sizeof(*head) + n;
	return text_make(value->b, value->n);
}

static bool head_read(struct text value, struct noted_head *head)
{
	if (value.n < sizeof(*head))
		return false;
	memcpy(head, value.p, sizeof(*head));
	return true;
}

/* Zero if there is none. */
static int head_get(MDB_txn *txn, enum store_db db, struct text key, struct noted_head *head)
{
	struct text value;
	int rc = store_get(txn, db, key, &value);

	if (rc != 0 || !head_read(value, head))
		*head = (struct noted_head){0};
	return rc == MDB_NOTFOUND ? 0 : rc;
}

static struct text field_text(const struct event_view *v, enum event_field f)
{
	struct field_view field;

	return event_get(v, f, &field) ? field.text : text_make("", 0);
}

/* fn with what a record holds. */
static int show(struct text key, struct text value, uint64_t count,
		int (*fn)(const struct noted *n, void *arg), void *arg)
{
	struct noted_head head;
	struct noted n = {.count = count};

	if (!head_read(value, &head) || head.key_n > key.n ||
	    !event_parse(value.p + sizeof(head), value.n - sizeof(head), &n.event))
		return 0;
	n.key = text_make(key.p + key.n - head.key_n, head.key_n);
	return fn(&n, arg);
}

/* ---- limits ---- */

int limits_apply(MDB_txn *txn, const struct event_view *v, struct text bytes)
{
	struct noted_value value;
	struct noted_head head;
	struct noted_key key;

	key_begin(&key, (uint64_t)(v->wall_us / HOUR_US));
	key_add(&key, field_text(v, FIELD_limit));
	key_add(&key, text_make("", 1));
	key_add(&key, field_text(v, FIELD_unit));
	key_add(&key, text_make("", 1));
	size_t key_n = key_add(&key, field_text(v, FIELD_key));
	int rc = head_get(txn, DB_LIMITS, noted_key_text(&key), &head);

	if (rc != 0)
		return rc;
	head.count++;
	head.key_n = (uint32_t)key_n;
	return store_put(txn, DB_LIMITS, noted_key_text(&key),
			 noted_value_text(&value, &head, bytes));
}

int limits_expire(MDB_txn *txn, int64_t before_wall_us, unsigned max, unsigned *done)
{
	struct text key, value;
	int rc = 0;

	for (unsigned i = 0; i < max && rc == 0; i++) {
		char copy[STAMP + NOTED_KEY_MAX];

		rc = store_first(txn, DB_LIMITS, text_make(NULL, 0), &key, &value);
		if (rc != 0 || key.n < STAMP || key.n > sizeof(copy) ||
		    (int64_t)key_get_u64(key.p) >= before_wall_us / HOUR_US)
			break;
		memcpy(copy, key.p, key.n);
		rc = store_del(txn, DB_LIMITS, text_make(copy, key.n));
		++*done;
	}
	return rc == MDB_NOTFOUND ? 0 : rc;
}

struct each {
	struct store *st;
	int (*fn)(const struct noted *n, void *arg);
	void *arg;
	uint64_t newest_hour;
	int64_t now_wall_us;
};

/* Of one key, over the hours: false if a later hour has it, and shows it; else the sum of all. */
static bool limits_sum(MDB_txn *txn, struct text key, uint64_t newest_hour, uint64_t *sum)
{
	uint64_t hour = key_get_u64(key.p);
	struct noted_key other;

	*sum = 0;
	for (uint64_t h = newest_hour; h + HOURS_KEPT > newest_hour && h > 0; h--) {
		struct noted_head head;

		key_begin(&other, h);
		key_add(&other, text_make(key.p + STAMP, key.n - STAMP));
		if (head_get(txn, DB_LIMITS, noted_key_text(&other), &head) != 0)
			return false;
		if (h > hour && head.count > 0)
			return false;
		*sum += head.count;
	}
	return true;
}

static int each_limit(struct text key, struct text value, void *arg)
{
	struct each *each = arg;
	uint64_t sum;

	if (key.n < STAMP)
		return 0;
	if (each->newest_hour == 0)
		each->newest_hour = key_get_u64(key.p);
	MDB_txn *txn = store_read_begin(each->st);

	if (!txn)
		return EIO;
	bool newest = limits_sum(txn, key, each->newest_hour, &sum);

	store_read_end(each->st);
	return newest ? show(key, value, sum, each->fn, each->arg) : 0;
}

int limits_each(struct store *st, int (*fn)(const struct noted *n, void *arg), void *arg)
{
	struct walk w = {.db = DB_LIMITS, .backwards = true};
	struct each each = {.st = st, .fn = fn, .arg = arg};

	return store_walk(st, &w, each_limit, &each);
}

/* ---- blocks ---- */

/* As it stands in DB_BLOCKS: the text alone. */
static struct text block_key(struct text key)
{
	return text_make(key.p, key.n < NOTED_KEY_MAX ? key.n : NOTED_KEY_MAX);
}

static struct text end_key(struct noted_key *k, int64_t until, struct text key)
{
	key_begin(k, (uint64_t)until);
	key_add(k, key);
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
	struct text key = block_key(field_text(v, FIELD_key));
	int64_t until = journal_number(v, FIELD_until, 0);
	struct noted_value value;
	struct noted_head head;
	struct noted_key end;

	if (key.n == 0 || until <= 0)
		return 0;
	int rc = head_get(txn, DB_BLOCKS, key, &head);

	if (rc == 0 && head.until_wall_us != 0)
		rc = end_del(txn, head.until_wall_us, key);
	/* the same end: the same event once more */
	head.count += head.until_wall_us != until;
	head.until_wall_us = until;
	head.key_n = (uint32_t)key.n;
	if (rc == 0)
		rc = store_put(txn, DB_BLOCK_ENDS, end_key(&end, until, key), text_make(NULL, 0));
	return rc == 0 ? store_put(txn, DB_BLOCKS, key, noted_value_text(&value, &head, bytes))
		       : rc;
}

int blocks_expire(MDB_txn *txn, int64_t before_wall_us, unsigned max, unsigned *done)
{
	struct text key, value;
	int rc = 0;

	for (unsigned i = 0; i < max && rc == 0; i++) {
		char copy[STAMP + NOTED_KEY_MAX];

		rc = store_first(txn, DB_BLOCK_ENDS, text_make(NULL, 0), &key, &value);
		if (rc != 0 || key.n < STAMP || key.n > sizeof(copy) ||
		    (int64_t)key_get_u64(key.p) > before_wall_us)
			break;
		memcpy(copy, key.p, key.n);
		size_t n = key.n;

		rc = store_del(txn, DB_BLOCK_ENDS, text_make(copy, n));
		if (rc == 0)
			rc = store_del(txn, DB_BLOCKS, text_make(copy + STAMP, n - STAMP));
		++*done;
	}
	return rc == MDB_NOTFOUND ? 0 : rc;
}

static int each_block(struct text key, struct text value, void *arg)
{
	const struct each *each = arg;
	struct noted_head head;

	if (!head_read(value, &head) || head.until_wall_us <= each->now_wall_us)
		return 0;
	return show(key, value, head.count, each->fn, each->arg);
}

int blocks_each(struct store *st, int64_t now_wall_us, int (*fn)(const struct noted *n, void *arg),
		void *arg)
{
	struct walk w = {.db = DB_BLOCKS};
	struct each each = {.fn = fn, .arg = arg, .now_wall_us = now_wall_us};

	return store_walk(st, &w, each_block, &each);
}

static int block_del(MDB_txn *txn, void *arg)
{
	const struct text *key = arg;
	struct noted_head head;
	int rc = head_get(txn, DB_BLOCKS, *key, &head);

	if (rc == 0)
		rc = end_del(txn, head.until_wall_us, *key);
	return rc == 0 ? store_del(txn, DB_BLOCKS, *key) : rc;
}

int blocks_del(struct store *st, struct text key)
{
	struct text k = block_key(key);

	return k.n > 0 ? store_write(st, block_del, &k) : MDB_NOTFOUND;
}
