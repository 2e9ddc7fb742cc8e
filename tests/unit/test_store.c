/* The store: a map that grows under a following reader, writers killed at any point, errors that
 * people can read, and the guard of the environment without sync. */
#include "shm/store.h"

#include "shm/walk.h"
#include "tests/unit/temp_dir.h"

#include <check.h>
#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

static char dir[64];
static char message[512];
static struct buf err;

static void setup(void)
{
	temp_dir_make(dir);
	err = buf_over(message, sizeof(message));
}

static void teardown(void)
{
	temp_dir_remove(dir);
}

static void must_open(struct store *st, enum store_name name, enum store_access access)
{
	ck_assert_msg(store_open(st, dir, name, access, &err) == 0, "%s", message);
}

struct record {
	uint64_t from, n;
	size_t size;
};

/* n records of one size, each filled with its own number. */
static int put_records(MDB_txn *txn, void *arg)
{
	const struct record *r = arg;
	unsigned char key[8];
	int rc = 0;
	char *value = malloc(r->size);

	for (uint64_t i = r->from; i < r->from + r->n && rc == 0; i++) {
		key_put_u64(key, i);
		memset(value, (int)(i & 0xff), r->size);
		rc = store_put(txn, DB_BANS, text_make((char *)key, 8), text_make(value, r->size));
	}
	free(value);
	return rc;
}

static bool record_stands(struct store *st, uint64_t i, size_t size)
{
	unsigned char key[8];
	struct text value;
	MDB_txn *txn = store_read_begin(st);

	ck_assert_ptr_nonnull(txn);
	key_put_u64(key, i);
	int rc = store_get(txn, DB_BANS, text_make((char *)key, 8), &value);
	bool good = rc == 0 && value.n == size && (unsigned char)value.p[size - 1] == (i & 0xff);

	store_read_end(st);
	return good;
}

static int wait_for(pid_t pid)
{
	int status;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status;
}

START_TEST(grows_and_is_followed)
{
	struct record first = {0, 1, 100}, many = {1, 40, 1 << 20};
	struct store st;
	int go[2], ready[2];
	char c = 'x';

	ck_assert_int_eq(pipe(go), 0);
	ck_assert_int_eq(pipe(ready), 0);
	must_open(&st, STORE_LISTS, STORE_WRITE);
	ck_assert_int_eq(store_write(&st, put_records, &first), 0);
	store_close(&st);

	pid_t reader = fork();

	if (reader == 0) {
		struct store mine;

		must_open(&mine, STORE_LISTS, STORE_READ);
		if (!record_stands(&mine, 0, 100) || record_stands(&mine, 1, 1 << 20))
			_exit(1);
		if (write(ready[1], &c, 1) != 1 || read(go[0], &c, 1) != 1)
			_exit(2);
		/* the map that this process knows ends long before these */
		for (uint64_t i = 1; i <= 40; i++) {
			if (!record_stands(&mine, i, 1 << 20))
				_exit(3);
		}
		store_close(&mine);
		_exit(0);
	}
	ck_assert_int_eq((int)read(ready[0], &c, 1), 1);
	must_open(&st, STORE_LISTS, STORE_WRITE);
	ck_assert_int_eq(store_write(&st, put_records, &many), 0);
	ck_assert_int_eq((int)write(go[1], &c, 1), 1);
	ck_assert_int_eq(wait_for(reader), 0);
	store_close(&st);
}
END_TEST

START_TEST(writer_follows_another)
{
	struct record here = {0, 1, 100}, there = {1, 40, 1 << 20}, again = {41, 40, 1 << 20};
	struct store st;

	must_open(&st, STORE_LISTS, STORE_WRITE);
	ck_assert_int_eq(store_write(&st, put_records, &here), 0);
	pid_t other = fork();

	if (other == 0) {
		struct store mine;

		must_open(&mine, STORE_LISTS, STORE_WRITE);
		int rc = store_write(&mine, put_records, &there);

		store_close(&mine);
		_exit(rc != 0);
	}
	ck_assert_int_eq(wait_for(other), 0);
	ck_assert(record_stands(&st, 40, 1 << 20));
	ck_assert_int_eq(store_write(&st, put_records, &again), 0);
	ck_assert(record_stands(&st, 80, 1 << 20));
	store_close(&st);
}
END_TEST

START_TEST(cap_is_kept)
{
	struct record some = {0, 100, 1000}, much = {100, 64, 1 << 20};
	struct store st;

	must_open(&st, STORE_LISTS, STORE_WRITE);
	st.map_max = 32 << 20;
	ck_assert_int_eq(store_write(&st, put_records, &some), 0);
	ck_assert_int_eq(store_write(&st, put_records, &much), MDB_MAP_FULL);
	/* nothing of it stands, and the store works on */
	ck_assert(!record_stands(&st, 100, 1 << 20));
	some.from = 1000;
	ck_assert_int_eq(store_write(&st, put_records, &some), 0);
	ck_assert(record_stands(&st, 1099, 1000));
	store_close(&st);
}
END_TEST

static int refuse(MDB_txn *txn, void *arg)
{
	struct record r = {7, 1, 10};

	(void)arg;
	put_records(txn, &r);
	return ECANCELED;
}

START_TEST(a_change_that_fails_changes_nothing)
{
	struct store st;

	must_open(&st, STORE_LISTS, STORE_WRITE);
	size_t before = store_last_change(&st);

	ck_assert_int_eq(store_write(&st, refuse, NULL), ECANCELED);
	ck_assert(!record_stands(&st, 7, 10));
	ck_assert_uint_eq(store_last_change(&st), before);
	store_close(&st);
}
END_TEST

/* Pairs that are only ever written together. */
static int put_pair(MDB_txn *txn, void *arg)
{
	uint64_t *n = arg;
	unsigned char key[8];
	int rc = 0;

	++*n;
	for (uint64_t i = 1; i <= 2 && rc == 0; i++) {
		key_put_u64(key, i);
		rc = store_put(txn, DB_BANS, text_make((char *)key, 8), text_make((char *)n, 8));
	}
	return rc;
}

static bool pair_is_equal(struct store *st)
{
	unsigned char key[8];
	uint64_t n[2] = {0, 0};
	MDB_txn *txn = store_read_begin(st);

	ck_assert_ptr_nonnull(txn);
	for (uint64_t i = 1; i <= 2; i++) {
		struct text value;

		key_put_u64(key, i);
		if (store_get(txn, DB_BANS, text_make((char *)key, 8), &value) == 0 && value.n == 8)
			memcpy(&n[i - 1], value.p, 8);
	}
	store_read_end(st);
	return n[0] == n[1];
}

START_TEST(killed_writers)
{
	for (int round = 0; round < 40; round++) {
		struct timespec pause = {.tv_nsec = 1000000L + round * 150000L};
		struct store st;
		pid_t writer = fork();

		if (writer == 0) {
			uint64_t n = 0;

			if (store_open(&st, dir, STORE_LISTS, STORE_WRITE, &err) == 0)
				while (store_write(&st, put_pair, &n) == 0)
					;
			_exit(1);
		}
		nanosleep(&pause, NULL);
		kill(writer, SIGKILL);
		ck_assert(WIFSIGNALED(wait_for(writer)));
		must_open(&st, STORE_LISTS, STORE_WRITE);
		ck_assert(pair_is_equal(&st));
		/* its lock is not left behind */
		uint64_t n = 1000000;

		ck_assert_int_eq(store_write(&st, put_pair, &n), 0);
		ck_assert(pair_is_equal(&st));
		store_close(&st);
	}
}
END_TEST

START_TEST(dead_readers_are_cleared)
{
	struct store st;
	int ready[2];
	char c;

	ck_assert_int_eq(pipe(ready), 0);
	must_open(&st, STORE_LISTS, STORE_WRITE);
	store_close(&st);
	pid_t reader = fork();

	if (reader == 0) {
		must_open(&st, STORE_LISTS, STORE_READ);
		store_read_begin(&st);
		if (write(ready[1], "r", 1) == 1)
			pause();
		_exit(1);
	}
	ck_assert_int_eq((int)read(ready[0], &c, 1), 1);
	must_open(&st, STORE_LISTS, STORE_WRITE);
	ck_assert_int_eq(store_clear_dead_readers(&st), 0);
	kill(reader, SIGKILL);
	wait_for(reader);
	ck_assert_int_eq(store_clear_dead_readers(&st), 1);
	ck_assert_int_eq(store_clear_dead_readers(&st), 0);
	store_close(&st);
}
END_TEST

START_TEST(errors_for_people)
{
	struct store st;

	ck_assert_int_eq(store_open(&st, dir, STORE_LISTS, STORE_READ, &err), -1);
	ck_assert_ptr_nonnull(strstr(message, "/lists: No such file or directory"));
	err = buf_over(message, sizeof(message));
	ck_assert_int_eq(store_open(&st, "/proc/nowhere", STORE_LISTS, STORE_WRITE, &err), -1);
	ck_assert_ptr_nonnull(strstr(message, "cannot open /proc/nowhere/lists: "));
}
END_TEST

/* ---- walking ---- */

struct seen {
	uint64_t n, last, stop_after;
	struct store *st;
	bool backwards;
};

static int see(struct text key, struct text value, void *arg)
{
	struct seen *s = arg;
	uint64_t k = key_get_u64(key.p);

	ck_assert(s->n == 0 || (s->backwards ? k < s->last : k > s->last));
	ck_assert_int_eq(value.p[0], (char)(k & 0xff));
	s->last = k;
	if (s->st && s->n % 100 == 0) {
		/* a caller may write while it walks */
		struct record r = {k, 1, 100};

		ck_assert_int_eq(store_write(s->st, put_records, &r), 0);
	}
	return ++s->n == s->stop_after ? 77 : 0;
}

START_TEST(walks)
{
	struct record r = {1, 3000, 100};
	struct walk forth = {.db = DB_BANS}, back = {.db = DB_BANS, .backwards = true};
	struct walk some = {.db = DB_BANS, .prefix = text_make("\0\0\0\0\0\0\1", 7)};
	struct seen s = {0}, b = {.backwards = true}, w = {0}, p = {0};
	struct store st;

	must_open(&st, STORE_LISTS, STORE_WRITE);
	ck_assert_int_eq(store_walk(&st, &forth, see, &s), 0);
	ck_assert_uint_eq(s.n, 0);
	ck_assert_int_eq(store_write(&st, put_records, &r), 0);
	ck_assert_int_eq(store_walk(&st, &forth, see, &s), 0);
	ck_assert_uint_eq(s.n, 3000);
	ck_assert_int_eq(store_walk(&st, &back, see, &b), 0);
	ck_assert_uint_eq(b.n, 3000);
	ck_assert_uint_eq(b.last, 1);
	w.st = &st;
	w.stop_after = 2000;
	ck_assert_int_eq(store_walk(&st, &forth, see, &w), 77);
	ck_assert_uint_eq(w.n, 2000);
	ck_assert_int_eq(store_walk(&st, &some, see, &p), 0);
	ck_assert_uint_eq(p.n, 256);
	ck_assert_uint_eq(p.last, 511);
	store_close(&st);
}
END_TEST

/* ---- the guard ---- */

static void write_note(const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/events/written", dir);
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
}

static int put_hit(MDB_txn *txn, void *arg)
{
	(void)arg;
	return store_put(txn, DB_HITS, LIT("hit"), LIT("1"));
}

static bool has_hit(void)
{
	struct store st;
	struct text value;

	must_open(&st, STORE_EVENTS, STORE_WRITE);
	MDB_txn *txn = store_read_begin(&st);
	int rc = store_get(txn, DB_HITS, LIT("hit"), &value);

	store_read_end(&st);
	store_close(&st);
	return rc == 0;
}

START_TEST(unsynced_is_not_trusted_after_a_crash)
{
	struct store st;

	must_open(&st, STORE_EVENTS, STORE_WRITE);
	ck_assert_int_eq(store_write(&st, put_hit, NULL), 0);
	store_close(&st);
	ck_assert(has_hit());
	/* closed well in another boot, left open in this one: both are good */
	write_note("00000000-0000-0000-0000-000000000000 closed\n");
	ck_assert(has_hit());
	pid_t writer = fork();

	if (writer == 0) {
		must_open(&st, STORE_EVENTS, STORE_WRITE);
		kill(getpid(), SIGKILL);
	}
	wait_for(writer);
	ck_assert(has_hit());
	/* left open in another boot */
	write_note("00000000-0000-0000-0000-000000000000 open  \n");
	ck_assert(!has_hit());
	char aside[128];
	struct stat sb;

	snprintf(aside, sizeof(aside), "%s/events/data.mdb.unsynced", dir);
	ck_assert_int_eq(stat(aside, &sb), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("store");
	TCase *tc = tcase_create("store");
	SRunner *sr = srunner_create(s);

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, grows_and_is_followed);
	tcase_add_test(tc, writer_follows_another);
	tcase_add_test(tc, cap_is_kept);
	tcase_add_test(tc, a_change_that_fails_changes_nothing);
	tcase_add_test(tc, killed_writers);
	tcase_add_test(tc, dead_readers_are_cleared);
	tcase_add_test(tc, errors_for_people);
	tcase_add_test(tc, walks);
	tcase_add_test(tc, unsynced_is_not_trusted_after_a_crash);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
