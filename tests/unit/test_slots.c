/* Session slots: taken, given, and given back for a process that was killed with them. */
#include "shm/slots.h"

#include "shm/base/clock.h"

#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static struct segment seg;
static int fd;

static void set_up(void)
{
	fd = segment_create(4096, 64 * 1024, &(struct siphash_key){1, 2}, &seg);
	ck_assert_int_ge(fd, 0);
}

static void tear_down(void)
{
	segment_detach(&seg);
	close(fd);
}

static uint64_t tag_of(uint64_t n)
{
	return table_tag(&seg.table, TABLE_LIVE, LIT("sessions"), &n, sizeof(n));
}

static uint64_t count_of(uint64_t n)
{
	return table_read(&seg.table, tag_of(n));
}

START_TEST(counts_while_it_is_held)
{
	uint64_t tags[2] = {tag_of(1), tag_of(2)}, other[2] = {tag_of(1), 0}, counts[2];
	int a = slots_take(&seg, 0, 10, tags, counts, 1);

	ck_assert_int_eq(a, 0);
	ck_assert_uint_eq(counts[0], 1);
	ck_assert_uint_eq(counts[1], 1);
	int b = slots_take(&seg, 5, 10, other, counts, 1);
	ck_assert_int_eq(b, 0); /* another process's first */
	ck_assert_uint_eq(counts[0], 2);
	ck_assert_uint_eq(counts[1], 0);
	slots_give(&seg, 0, a, 1);
	ck_assert_uint_eq(count_of(1), 1);
	ck_assert_uint_eq(count_of(2), 0);
	slots_give(&seg, 5, b, 1);
	ck_assert_uint_eq(count_of(1), 0);
}
END_TEST

START_TEST(never_more_than_the_maximum)
{
	enum { MAX = 100 };
	uint64_t none[2] = {0, 0};
	bool held[MAX] = {false};

	for (int i = 0; i < MAX; i++) {
		int slot = slots_take(&seg, 1, MAX, none, NULL, 1);
		ck_assert_int_ge(slot, 0);
		ck_assert_int_lt(slot, MAX);
		ck_assert(!held[slot]);
		held[slot] = true;
	}
	ck_assert_int_eq(slots_take(&seg, 1, MAX, none, NULL, 1), -1);
	slots_give(&seg, 1, 42, 1);
	slots_give(&seg, 1, 7, 1);
	int a = slots_take(&seg, 1, MAX, none, NULL, 1),
	    b = slots_take(&seg, 1, MAX, none, NULL, 1);
	ck_assert_int_eq(a + b, 49);
	ck_assert_int_eq(slots_take(&seg, 1, MAX, none, NULL, 1), -1);
	ck_assert_uint_eq(slots_reap(&seg, 1, 1), MAX);
}
END_TEST

START_TEST(all_slots_of_a_process_can_be_used)
{
	uint64_t none[2] = {0, 0};

	for (int i = 0; i < SEGMENT_SESSIONS_PER_PROCESS; i++) {
		if (slots_take(&seg, SEGMENT_PROCESSES - 1, UINT32_MAX, none, NULL, 1) != i)
			ck_abort_msg("slot %d", i);
	}
	ck_assert_int_eq(slots_take(&seg, SEGMENT_PROCESSES - 1, UINT32_MAX, none, NULL, 1), -1);
}
END_TEST

START_TEST(a_dead_process_gives_back_what_it_held)
{
	uint64_t mine[2] = {tag_of(1), tag_of(2)};
	int status;

	slots_take(&seg, 0, 10, mine, NULL, 1);
	pid_t pid = fork();
	if (pid == 0) {
		for (uint64_t i = 0; i < 50; i++) {
			uint64_t tags[2] = {tag_of(1), tag_of(10 + i)};
			int slot = slots_take(&seg, 1, 100, tags, NULL, 1);
			if (i % 5 == 0)
				slots_give(&seg, 1, slot, 1);
		}
		raise(SIGKILL);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status));
	ck_assert_uint_eq(count_of(1), 41);
	ck_assert_uint_eq(slots_reap(&seg, 1, 1), 40);
	ck_assert_uint_eq(count_of(1), 1);
	for (uint64_t i = 0; i < 50; i++)
		ck_assert_uint_eq(count_of(10 + i), 0);
	ck_assert_uint_eq(slots_reap(&seg, 1, 1), 0);
	ck_assert_int_eq(slots_take(&seg, 1, 1, mine, NULL, 1), 0);
}
END_TEST

enum { HOLDERS = 3, KEYS = 4 };

static void hold_until_killed(unsigned p, unsigned seed)
{
	int held[32], n = 0;

	srand(seed);
	for (;;) {
		uint64_t tags[2] = {tag_of((uint64_t)rand() % KEYS),
				    tag_of((uint64_t)rand() % KEYS)};
		if (n < 32 && rand() % 2)
			held[n++] = slots_take(&seg, p, 32, tags, NULL, 1);
		else if (n > 0)
			slots_give(&seg, p, held[--n], 1);
	}
}

/* Killed at any instruction: no count is ever left over, whatever was going on.  Too low is what
 * the header allows, and at rest that is 0 again. */
START_TEST(kills_leave_nothing_behind)
{
	int64_t end_us = clock_mono_us() + 2 * SECOND_US;
	pid_t pids[HOLDERS] = {0};
	unsigned kills = 0;

	srand(17);
	while (clock_mono_us() < end_us) {
		unsigned p = (unsigned)rand() % HOLDERS;
		if (pids[p]) {
			kill(pids[p], SIGKILL);
			waitpid(pids[p], NULL, 0);
			ck_assert_uint_le(slots_reap(&seg, p, 1), 32);
			kills++;
		}
		pids[p] = fork();
		if (pids[p] == 0)
			hold_until_killed(p, kills);
		usleep((useconds_t)rand() % 3000);
	}
	for (unsigned p = 0; p < HOLDERS; p++) {
		if (pids[p]) {
			kill(pids[p], SIGKILL);
			waitpid(pids[p], NULL, 0);
			slots_reap(&seg, p, 1);
		}
	}
	ck_assert_uint_gt(kills, 10);
	for (uint64_t k = 0; k < KEYS; k++)
		ck_assert_uint_eq(count_of(k), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("slots");
	TCase *tc = tcase_create("slots");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, counts_while_it_is_held);
	tcase_add_test(tc, never_more_than_the_maximum);
	tcase_add_test(tc, all_slots_of_a_process_can_be_used);
	tcase_add_test(tc, a_dead_process_gives_back_what_it_held);
	tcase_add_test(tc, kills_leave_nothing_behind);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(s, tc);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
