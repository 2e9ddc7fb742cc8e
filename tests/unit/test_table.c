/* The counter table: alone against a plain model, shared by processes, and with its writers killed.
 */
#include "shm/table.h"

#include "shm/base/clock.h"
#include "shm/table_value.h"

#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static void *shared(size_t n)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	ck_assert_ptr_ne(p, MAP_FAILED);
	return p;
}

static struct table new_table(uint64_t entries)
{
	return (struct table){shared(entries * sizeof(struct table_entry)), entries / 4, {1, 2}};
}

static void drop_table(struct table *t)
{
	munmap(t->buckets, t->bucket_count * sizeof(struct table_bucket));
}

static uint64_t tag_of(const struct table *t, enum table_kind kind, uint64_t n)
{
	return table_tag(t, kind, LIT("test"), &n, sizeof(n));
}

static uint64_t set(uint64_t old, void *arg)
{
	(void)old;
	return *(uint64_t *)arg;
}

static void put(struct table *t, uint64_t tag, uint64_t value, int64_t now_us)
{
	table_update(t, tag, set, &value, now_us);
}

/* In how many places a tag stands: never more than one. */
static unsigned places_of(const struct table *t, uint64_t tag)
{
	unsigned n = 0;

	for (uint64_t b = 0; b < t->bucket_count; b++) {
		for (int e = 0; e < 4; e++)
			n += atomic_load(&t->buckets[b].entries[e].tag) == tag;
	}
	return n;
}

START_TEST(tags_tell_keys_apart)
{
	struct table t = new_table(8);
	char long_key[2000];

	memset(long_key, 'x', sizeof(long_key));
	ck_assert_uint_eq(table_tag(&t, TABLE_MARK, LIT("a"), "k", 1) >> 62, TABLE_MARK);
	ck_assert_uint_ne(table_tag(&t, TABLE_GCRA, LIT("a"), "bc", 2),
			  table_tag(&t, TABLE_GCRA, LIT("ab"), "c", 1));
	ck_assert_uint_ne(table_tag(&t, TABLE_GCRA, LIT("a"), "k", 1),
			  table_tag(&t, TABLE_COUNT, LIT("a"), "k", 1));
	ck_assert_uint_ne(table_tag(&t, TABLE_GCRA, LIT(""), "", 0), 0);
	uint64_t tag = table_tag(&t, TABLE_GCRA, LIT("a"), long_key, sizeof(long_key));
	ck_assert_uint_ne(tag, table_tag(&t, TABLE_GCRA, LIT("a"), long_key, 1999));
	struct text long_space = text_make(long_key, 300);
	ck_assert_uint_ne(table_tag(&t, TABLE_GCRA, long_space, "k", 1),
			  table_tag(&t, TABLE_GCRA, text_make(long_key, 299), "k", 1));
	long_key[1999] = 'y';
	ck_assert_uint_ne(tag, table_tag(&t, TABLE_GCRA, LIT("a"), long_key, sizeof(long_key)));
	drop_table(&t);
}
END_TEST

struct model {
	uint64_t live;
	uint32_t count;
	int64_t count_end_ms;
	uint64_t mark;
	int64_t mark_end_min;
};

static void check_model(struct table *t, uint64_t key, const struct model *m, int64_t now_us)
{
	bool counting = m->count_end_ms > now_us / 1000;
	bool marked = m->mark_end_min * MINUTE_US > now_us;

	ck_assert_uint_eq(table_read(t, tag_of(t, TABLE_LIVE, key)), m->live);
	ck_assert_uint_eq(table_count_read(t, tag_of(t, TABLE_COUNT, key), now_us),
			  counting ? m->count : 0);
	ck_assert_uint_eq(table_mark_read(t, tag_of(t, TABLE_MARK, key), now_us),
			  marked ? m->mark : 0);
}

/* A hundred thousand random operations give what a plain array gives. */
START_TEST(behaves_like_a_plain_model)
{
	enum { KEYS = 60, PERIOD_MS = 5000 };
	struct table t = new_table(2048);
	struct model models[KEYS] = {0};
	int64_t now_us = 77 * SECOND_US;

	srand(4711);
	for (int i = 0; i < 100000; i++) {
		uint64_t key = (uint64_t)rand() % KEYS;
		struct model *m = &models[key];
		uint32_t n = (uint32_t)rand() % 3;
		now_us += rand() % 20000;
		switch (rand() % 4) {
		case 0:
			m->live++;
			ck_assert_uint_eq(
			    table_live_add(&t, tag_of(&t, TABLE_LIVE, key), 1, now_us), m->live);
			break;
		case 1:
			m->live -= m->live > 0;
			ck_assert_uint_eq(
			    table_live_add(&t, tag_of(&t, TABLE_LIVE, key), -1, now_us), m->live);
			break;
		case 2:
			if (m->count_end_ms <= now_us / 1000) {
				m->count = 0;
				m->count_end_ms = now_us / 1000 + PERIOD_MS;
			}
			m->count += n;
			ck_assert_uint_eq(table_count_add(&t, tag_of(&t, TABLE_COUNT, key), n,
							  PERIOD_MS * 1000, now_us),
					  m->count);
			break;
		case 3:
			m->mark = (uint64_t)rand();
			m->mark_end_min = (now_us + 90 * SECOND_US + MINUTE_US - 1) / MINUTE_US;
			table_mark_set(&t, tag_of(&t, TABLE_MARK, key), m->mark, 90 * SECOND_US,
				       now_us);
			break;
		}
		key = (uint64_t)rand() % KEYS;
		check_model(&t, key, &models[key], now_us);
	}
	drop_table(&t);
}
END_TEST

START_TEST(counts_saturate)
{
	struct table t = new_table(8);
	uint64_t tag = tag_of(&t, TABLE_COUNT, 1);

	ck_assert_uint_eq(table_count_add(&t, tag, 1048574, SECOND_US, 1), 1048574);
	ck_assert_uint_eq(table_count_add(&t, tag, 1, SECOND_US, 1), 1048575);
	ck_assert_uint_eq(table_count_add(&t, tag, UINT32_MAX, SECOND_US, 1), 1048575);
	ck_assert_uint_eq(table_count_read(&t, tag, SECOND_US - 1), 1048575);
	ck_assert_uint_eq(table_count_read(&t, tag, SECOND_US), 0);
	/* Values stay below bit 63, which is the table's. */
	put(&t, tag_of(&t, TABLE_GCRA, 1), UINT64_MAX, 1);
	ck_assert_uint_eq(table_read(&t, tag_of(&t, TABLE_GCRA, 1)), INT64_MAX);
	table_mark_set(&t, tag_of(&t, TABLE_MARK, 1), UINT64_MAX, INT64_MAX / 2, 1);
	ck_assert_uint_eq(table_mark_read(&t, tag_of(&t, TABLE_MARK, 1), 1), MARK_MAX);
	drop_table(&t);
}
END_TEST

START_TEST(zero_and_forget_free_the_entry)
{
	struct table t = new_table(8);
	uint64_t live = tag_of(&t, TABLE_LIVE, 1), gcra = tag_of(&t, TABLE_GCRA, 1);

	ck_assert_uint_eq(table_live_add(&t, live, -1, 1), 0);
	ck_assert_uint_eq(places_of(&t, live), 0);
	table_live_add(&t, live, 1, 1);
	ck_assert_uint_eq(places_of(&t, live), 1);
	table_live_add(&t, live, -1, 1);
	ck_assert_uint_eq(places_of(&t, live), 0);
	put(&t, gcra, 5, 1);
	table_forget(&t, gcra);
	ck_assert_uint_eq(table_read(&t, gcra), 0);
	ck_assert_uint_eq(places_of(&t, 0), 8);
	drop_table(&t);
}
END_TEST

/* Two buckets, so each key may stand anywhere. */
START_TEST(evicts_what_expires_first)
{
	struct table t = new_table(8);

	for (uint64_t k = 1; k <= 8; k++)
		put(&t, tag_of(&t, TABLE_GCRA, k), 1000 + (k ^ 5), 1);
	put(&t, tag_of(&t, TABLE_GCRA, 9), 5000, 1);
	for (uint64_t k = 1; k <= 9; k++)
		ck_assert_int_eq(table_read(&t, tag_of(&t, TABLE_GCRA, k)) != 0, k != 5);
	/* At 1003 three are over; they go before any other, in whatever order. */
	for (uint64_t k = 10; k <= 12; k++)
		put(&t, tag_of(&t, TABLE_GCRA, k), 1004, 1003);
	for (uint64_t k = 1; k <= 12; k++) {
		bool over = k <= 8 && 1000 + (k ^ 5) <= 1003;
		ck_assert_int_eq(table_read(&t, tag_of(&t, TABLE_GCRA, k)) != 0, !over);
	}
	drop_table(&t);
}
END_TEST

START_TEST(live_counts_are_never_evicted)
{
	struct table t = new_table(8);

	for (uint64_t k = 1; k <= 8; k++)
		table_live_add(&t, tag_of(&t, TABLE_LIVE, k), 1, 1);
	ck_assert_uint_eq(table_live_add(&t, tag_of(&t, TABLE_LIVE, 9), 1, INT64_MAX), 1);
	put(&t, tag_of(&t, TABLE_GCRA, 9), 500, INT64_MAX);
	ck_assert_uint_eq(table_read(&t, tag_of(&t, TABLE_GCRA, 9)), 0);
	for (uint64_t k = 1; k <= 8; k++)
		ck_assert_uint_eq(table_read(&t, tag_of(&t, TABLE_LIVE, k)), 1);
	ck_assert_uint_eq(table_read(&t, tag_of(&t, TABLE_LIVE, 9)), 0);
	table_live_add(&t, tag_of(&t, TABLE_LIVE, 3), -1, 1);
	ck_assert_uint_eq(table_live_add(&t, tag_of(&t, TABLE_LIVE, 9), 1, 1), 1);
	ck_assert_uint_eq(table_read(&t, tag_of(&t, TABLE_LIVE, 9)), 1);
	drop_table(&t);
}
END_TEST

static void put_raw(struct table *t, unsigned place, uint64_t tag, uint64_t value)
{
	atomic_store(&t->buckets[place / 4].entries[place % 4].tag, tag);
	atomic_store(&t->buckets[place / 4].entries[place % 4].value, value);
}

/* What a writer that was killed within a claim leaves behind. */
START_TEST(a_dead_claim_is_finished_or_freed)
{
	struct table t = new_table(8);
	int64_t now_us = 1000 * SECOND_US;
	uint64_t tag = tag_of(&t, TABLE_LIVE, 1);

	put_raw(&t, 6, tag, value_pending(now_us, 1));
	ck_assert_uint_eq(table_read(&t, tag), 0);
	ck_assert_uint_eq(table_live_add(&t, tag, 1, now_us), 1);
	ck_assert_uint_eq(table_read(&t, tag), 1);
	ck_assert_uint_eq(places_of(&t, tag), 1);
	table_forget(&t, tag);

	/* Two of the same key: one goes, the other is finished. */
	put_raw(&t, 1, tag, value_pending(now_us, 1));
	put_raw(&t, 5, tag, value_pending(now_us, 2));
	ck_assert_uint_eq(table_live_add(&t, tag, 1, now_us), 1);
	ck_assert_uint_eq(places_of(&t, tag), 1);
	table_forget(&t, tag);

	/* Other keys leave a young one alone and take an old one. */
	for (uint64_t k = 1; k <= 7; k++)
		table_live_add(&t, tag_of(&t, TABLE_LIVE, k + 1), 1, now_us);
	for (unsigned place = 0; place < 8; place++) {
		if (atomic_load(&t.buckets[place / 4].entries[place % 4].tag) == 0)
			put_raw(&t, place, tag, value_pending(now_us, 3));
	}
	put(&t, tag_of(&t, TABLE_GCRA, 1), INT64_MAX, now_us + SECOND_US);
	ck_assert_uint_eq(places_of(&t, tag), 1);
	put(&t, tag_of(&t, TABLE_GCRA, 1), INT64_MAX, now_us + 2 * SECOND_US);
	ck_assert_uint_eq(places_of(&t, tag), 0);
	ck_assert_uint_eq(table_read(&t, tag_of(&t, TABLE_GCRA, 1)), INT64_MAX);
	drop_table(&t);
}
END_TEST

/* Addresses that differ in their last bits spread like any others: no bucket is the first choice of
 * many (for 65,536 keys on as many buckets chance alone gives 8 or 9 at most). */
START_TEST(neighbours_do_not_crowd)
{
	enum { BUCKETS = 65536 };
	struct table t = {NULL, BUCKETS, {1, 2}};
	unsigned char *hits = calloc(BUCKETS, 1);
	unsigned most = 0;

	for (uint32_t k = 0; k < BUCKETS; k++) {
		unsigned char address[16] = {0x20, 0x01, 0x0d, 0xb8, [14] = k >> 8, k & 255};
		uint64_t tag = table_tag(&t, TABLE_GCRA, LIT("client"), address, sizeof(address));
		unsigned char n = ++hits[tag % BUCKETS];
		most = n > most ? n : most;
	}
	ck_assert_uint_le(most, 11);
	free(hits);
}
END_TEST

/* Two choices keep the buckets even: a table that is a third full still holds every key. */
START_TEST(holds_what_it_has_room_for)
{
	enum { ENTRIES = 16384, KEYS = ENTRIES / 3 };
	struct table t = new_table(ENTRIES);
	unsigned missing = 0;

	for (uint64_t k = 0; k < KEYS; k++)
		table_live_add(&t, tag_of(&t, TABLE_LIVE, k), 1, 1);
	for (uint64_t k = 0; k < KEYS; k++)
		missing += table_read(&t, tag_of(&t, TABLE_LIVE, k)) != 1;
	ck_assert_uint_eq(missing, 0);
	drop_table(&t);
}
END_TEST

static void wait_all(int n)
{
	for (int p = 0; p < n; p++) {
		int status;
		ck_assert_int_gt(wait(&status), 0);
		ck_assert_int_eq(status, 0);
	}
}

/* All claim the same keys in the same order: every count arrives, no key stands twice. */
START_TEST(processes_claim_the_same_keys)
{
	enum { PROCESSES = 4, KEYS = 20000 };
	struct table t = new_table(262144);
	_Atomic int *ready = shared(sizeof(*ready));

	for (int p = 0; p < PROCESSES; p++) {
		if (fork() != 0)
			continue;
		atomic_fetch_add(ready, 1);
		while (atomic_load(ready) < PROCESSES)
			usleep(10);
		for (uint64_t k = 0; k < KEYS; k++)
			table_live_add(&t, tag_of(&t, TABLE_LIVE, k), 1, 1);
		_exit(0);
	}
	wait_all(PROCESSES);
	unsigned taken = 0;
	for (uint64_t k = 0; k < KEYS; k++)
		ck_assert_uint_eq(table_read(&t, tag_of(&t, TABLE_LIVE, k)), PROCESSES);
	for (uint64_t b = 0; b < t.bucket_count; b++) {
		for (int e = 0; e < 4; e++)
			taken += atomic_load(&t.buckets[b].entries[e].tag) != 0;
	}
	ck_assert_uint_eq(taken, KEYS);
	munmap(ready, sizeof(*ready));
	drop_table(&t);
}
END_TEST

/* Live counts hold their values while others are claimed and evicted all around them. */
START_TEST(live_counts_survive_a_flood)
{
	enum { PROCESSES = 3, ROUNDS = 30000, LIVE = 6 };
	struct table t = new_table(16);

	for (int p = 0; p < PROCESSES; p++) {
		if (fork() != 0)
			continue;
		srand((unsigned)p);
		for (int i = 0; i < ROUNDS; i++) {
			put(&t, tag_of(&t, TABLE_GCRA, 100 + (uint64_t)rand() % 1000),
			    1000 + (uint64_t)rand() % 100000, i);
			table_live_add(&t, tag_of(&t, TABLE_LIVE, (uint64_t)i % LIVE), 1, i);
		}
		_exit(0);
	}
	wait_all(PROCESSES);
	for (uint64_t k = 0; k < LIVE; k++) {
		uint64_t tag = tag_of(&t, TABLE_LIVE, k);
		ck_assert_uint_eq(table_read(&t, tag), PROCESSES * ROUNDS / LIVE);
		ck_assert_uint_eq(places_of(&t, tag), 1);
	}
	drop_table(&t);
}
END_TEST

enum { KILL_WRITERS = 3, KILL_KEYS = 8 };

/* Counts up and down, noting each step after it was made; a kill leaves one step un-noted at most.
 */
static void write_until_killed(struct table *t, int64_t *noted, unsigned seed)
{
	srand(seed);
	for (int64_t i = 0;; i++) {
		uint64_t k = (uint64_t)rand() % KILL_KEYS;
		int delta = noted[k] > 0 && rand() % 2 ? -1 : 1;
		table_live_add(t, tag_of(t, TABLE_LIVE, k), delta, i);
		*(volatile int64_t *)&noted[k] += delta;
		put(t, tag_of(t, TABLE_GCRA, 100 + (uint64_t)rand() % 64), (uint64_t)i + 500, i);
	}
}

START_TEST(killed_writers_cost_one_count_each)
{
	struct table t = new_table(32);
	int64_t(*noted)[KILL_KEYS] = shared(sizeof(int64_t) * KILL_WRITERS * KILL_KEYS);
	pid_t pids[KILL_WRITERS] = {0};
	int64_t kills = 0, off = 0;
	int64_t end_us = clock_mono_us() + 2 * SECOND_US;

	srand(99);
	while (clock_mono_us() < end_us || kills <= 10) {
		int w = rand() % KILL_WRITERS;
		if (pids[w]) {
			kill(pids[w], SIGKILL);
			waitpid(pids[w], NULL, 0);
			kills++;
		}
		pids[w] = fork();
		if (pids[w] == 0)
			write_until_killed(&t, noted[w], (unsigned)kills);
		usleep((useconds_t)rand() % 3000);
	}
	for (int w = 0; w < KILL_WRITERS; w++) {
		if (pids[w]) {
			kill(pids[w], SIGKILL);
			waitpid(pids[w], NULL, 0);
			kills++;
		}
	}
	for (uint64_t k = 0; k < KILL_KEYS; k++) {
		int64_t sum = 0;
		for (int w = 0; w < KILL_WRITERS; w++)
			sum += noted[w][k];
		off += llabs((int64_t)table_read(&t, tag_of(&t, TABLE_LIVE, k)) - sum);
		ck_assert_uint_le(places_of(&t, tag_of(&t, TABLE_LIVE, k)), 1);
	}
	ck_assert_int_gt(kills, 10);
	ck_assert_int_le(off, kills);
	munmap(noted, sizeof(int64_t) * KILL_WRITERS * KILL_KEYS);
	drop_table(&t);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("table");
	TCase *tc = tcase_create("table");

	tcase_add_test(tc, tags_tell_keys_apart);
	tcase_add_test(tc, behaves_like_a_plain_model);
	tcase_add_test(tc, counts_saturate);
	tcase_add_test(tc, zero_and_forget_free_the_entry);
	tcase_add_test(tc, evicts_what_expires_first);
	tcase_add_test(tc, live_counts_are_never_evicted);
	tcase_add_test(tc, a_dead_claim_is_finished_or_freed);
	tcase_add_test(tc, neighbours_do_not_crowd);
	tcase_add_test(tc, holds_what_it_has_room_for);
	tcase_add_test(tc, processes_claim_the_same_keys);
	tcase_add_test(tc, live_counts_survive_a_flood);
	tcase_add_test(tc, killed_writers_cost_one_count_each);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(s, tc);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
