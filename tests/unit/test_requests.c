/* What the tool asks of the keeper: done, seen to be done, done once more after a kill. */
#include "shm/requests.h"
#include "shm/table_value.h"
#include "tests/unit/temp_dir.h"

#include <check.h>
#include <errno.h>

static char dir[64];
static struct store st;
static struct table table;
static _Alignas(64) struct table_bucket buckets[16];

static void setup(void)
{
	char message[256];
	struct buf err = buf_over(message, sizeof(message));

	temp_dir_make(dir);
	ck_assert_msg(store_open(&st, dir, STORE_EVENTS, STORE_WRITE, &err) == 0, "%s", message);
	memset(buckets, 0, sizeof(buckets));
	table = (struct table){buckets, 16, {1, 2}};
}

static void teardown(void)
{
	store_close(&st);
	temp_dir_remove(dir);
}

static uint64_t counted(uint64_t n)
{
	uint64_t tag = table_tag(&table, TABLE_COUNT, LIT("test"), &n, sizeof(n));

	table_count_add(&table, tag, 5, MINUTE_US, 1000000);
	ck_assert_uint_eq(table_count_read(&table, tag, 1000000), 5);
	return tag;
}

START_TEST(forgets_what_was_named)
{
	uint64_t tags[] = {counted(1), counted(2)}, other = counted(3), id, second;

	ck_assert_int_eq(requests_apply(&st, &table), 0);
	ck_assert_int_eq(requests_put(&st, tags, 2, "limits reset client", &id), 0);
	ck_assert_int_eq(requests_put(&st, NULL, 0, "nothing", &second), 0);
	ck_assert_uint_gt(second, id);
	ck_assert_int_eq(requests_waiting(&st, id), ANSWER_YES);
	ck_assert_uint_ne(table_read(&table, tags[0]), 0);
	ck_assert_int_eq(requests_apply(&st, &table), 2);
	ck_assert_int_eq(requests_waiting(&st, id), ANSWER_NO);
	ck_assert_int_eq(requests_waiting(&st, second), ANSWER_NO);
	ck_assert_uint_eq(table_read(&table, tags[0]), 0);
	ck_assert_uint_eq(table_read(&table, tags[1]), 0);
	ck_assert_uint_eq(table_count_read(&table, other, 1000000), 5);
	ck_assert_int_eq(requests_apply(&st, &table), 0);
}
END_TEST

START_TEST(taken_back)
{
	uint64_t tag = counted(1), id;

	ck_assert_int_eq(requests_put(&st, &tag, 1, "x", &id), 0);
	ck_assert_int_eq(requests_withdraw(&st, id), 0);
	ck_assert_int_eq(requests_withdraw(&st, id), MDB_NOTFOUND);
	ck_assert_int_eq(requests_apply(&st, &table), 0);
	ck_assert_uint_ne(table_read(&table, tag), 0);
}
END_TEST

START_TEST(too_many)
{
	uint64_t tags[REQUEST_TAGS_MAX + 1] = {0}, id;

	ck_assert_int_eq(requests_put(&st, tags, REQUEST_TAGS_MAX + 1, "x", &id), EINVAL);
	ck_assert_int_eq(requests_put(&st, tags, REQUEST_TAGS_MAX, "x", &id), 0);
}
END_TEST

static int put_nonsense(MDB_txn *txn, void *arg)
{
	(void)arg;
	return store_put(txn, DB_REQUESTS, LIT("12345678"), LIT("nonsense"));
}

/* Of another version: gone, and nothing was done. */
START_TEST(of_another_make)
{
	uint64_t tag = counted(1);

	ck_assert_int_eq(store_write(&st, put_nonsense, NULL), 0);
	ck_assert_int_eq(requests_apply(&st, &table), 1);
	ck_assert_int_eq(requests_apply(&st, &table), 0);
	ck_assert_uint_ne(table_read(&table, tag), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("requests");
	TCase *tc = tcase_create("requests");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, forgets_what_was_named);
	tcase_add_test(tc, taken_back);
	tcase_add_test(tc, too_many);
	tcase_add_test(tc, of_another_make);
	suite_add_tcase(s, tc);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
