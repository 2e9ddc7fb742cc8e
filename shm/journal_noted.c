/* What is noted with its newest event and a count: the keys and values of that, and the limits that
 * fired (blocks in force: journal_blocks.c). */
#include "shm/base/clock.h"
#include "shm/journal_parts.h"
#include "shm/walk.h"

#include <errno.h>

enum { HOURS_KEPT = 24 };

#define HOUR_US (3600 * SECOND_US)

struct text noted_key_text(const struct noted_key *k)
{
	return text_make(k->b, k->n);
}

void noted_key_begin(struct noted_key *k, uint64_t stamp)
{
	key_put_u64((unsigned char *)k->b, stamp);
	k->n = NOTED_STAMP;
}

size_t noted_key_add(struct noted_key *k, struct text t)
{
	size_t n = t.n < sizeof(k->b) - k->n ? t.n : sizeof(k->b) - k->n;

	if (n > 0)
		memcpy(k->b + k->n, t.p, n);
	k->n += n;
	return n;
}

struct text noted_value_text(struct noted_value *value, const struct noted_head *head,
			     struct text bytes)
{
	size_t n = bytes.n < EVENT_MAX ? bytes.n : EVENT_MAX;

	memcpy(value->b, head, sizeof(*head));
	memcpy(value->b + sizeof(*head), bytes.p, n);
	value->n = sizeof(*head) + n;
	return text_make(value->b, value->n);
}

bool noted_head_read(struct text value, struct noted_head *head)
{
	if (value.n < sizeof(*head))
		return false;
	memcpy(head, value.p, sizeof(*head));
	return true;
}

int noted_head_get(MDB_txn *txn, enum store_db db, struct text key, struct noted_head *head)
{
	struct text value;
	int rc = store_get(txn, db, key, &value);

	if (rc != 0 || !noted_head_read(value, head))
		*head = (struct noted_head){0};
	return rc == MDB_NOTFOUND ? 0 : rc;
}

struct text noted_text(const struct event_view *v, enum event_field f)
{
	struct field_view field;

	return event_get(v, f, &field) ? field.text : text_make("", 0);
}

int noted_show(struct text key, struct text value, uint64_t count,
	       int (*fn)(const struct noted *n, void *arg), void *arg)
{
	struct noted_head head;
	struct noted n = {.count = count};

	if (!noted_head_read(value, &head) || head.key_n > key.n ||
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

	noted_key_begin(&key, (uint64_t)(v->wall_us / HOUR_US));
	noted_key_add(&key, noted_text(v, FIELD_limit));
	noted_key_add(&key, text_make("", 1));
	noted_key_add(&key, noted_text(v, FIELD_unit));
	noted_key_add(&key, text_make("", 1));
	size_t key_n = noted_key_add(&key, noted_text(v, FIELD_key));
	int rc = noted_head_get(txn, DB_LIMITS, noted_key_text(&key), &head);

	if (rc != 0)
		return rc;
	head.count++;
	head.key_n = (uint32_t)key_n;
	return store_put(txn, DB_LIMITS, noted_key_text(&key),
			 noted_value_text(&value, &head, bytes));
}

int limits_expire(MDB_txn *txn, int64_t before_wall_us, unsigned max, unsigned *done)
{
	return journal_forget(txn, DB_LIMITS, STORE_DBS, before_wall_us / HOUR_US - 1, max, done);
}

struct each {
	struct store *st;
	int (*fn)(const struct noted *n, void *arg);
	void *arg;
	uint64_t newest_hour;
};

/* Of one key, over the hours: false if a later hour has it, and shows it; else the sum of all. */
static bool limits_sum(MDB_txn *txn, struct text key, uint64_t newest_hour, uint64_t *sum)
{
	uint64_t hour = key_get_u64(key.p);
	struct noted_key other;

	*sum = 0;
	for (uint64_t h = newest_hour; h + HOURS_KEPT > newest_hour && h > 0; h--) {
		struct noted_head head;

		noted_key_begin(&other, h);
		noted_key_add(&other, text_make(key.p + NOTED_STAMP, key.n - NOTED_STAMP));
		if (noted_head_get(txn, DB_LIMITS, noted_key_text(&other), &head) != 0)
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

	if (key.n < NOTED_STAMP)
		return 0;
	if (each->newest_hour == 0)
		each->newest_hour = key_get_u64(key.p);
	MDB_txn *txn = store_read_begin(each->st);

	if (!txn)
		return EIO;
	bool newest = limits_sum(txn, key, each->newest_hour, &sum);

	store_read_end(each->st);
	return newest ? noted_show(key, value, sum, each->fn, each->arg) : 0;
}

int limits_each(struct store *st, int (*fn)(const struct noted *n, void *arg), void *arg)
{
	struct walk w = {.db = DB_LIMITS, .backwards = true};
	struct each each = {.st = st, .fn = fn, .arg = arg};

	return store_walk(st, &w, each_limit, &each);
}
