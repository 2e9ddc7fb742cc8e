/* Counters over a restart: shm/snapshot.c. */
#include "shm/base/clock.h"
#include "shm/limit.h"
#include "shm/snapshot.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define MINUTE (60 * SECOND_US)

static char dir[64];
static const struct siphash_key key = {1, 2};

static struct segment make_segment(void)
{
	struct segment seg;
	int fd = segment_create(65536, 32768, &key, &seg);

	ck_assert_int_ge(fd, 0);
	close(fd);
	return seg;
}

static uint64_t tag_of(const struct segment *seg, enum table_kind kind, int n)
{
	return table_tag(&seg->table, kind, LIT("test"), &n, sizeof(n));
}

static uint64_t set(uint64_t old, void *arg)
{
	(void)old;
	return *(uint64_t *)arg;
}

static void setup(void)
{
	snprintf(dir, sizeof(dir), "/tmp/gatepost-snapshot-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void teardown(void)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/counters", dir);
	unlink(path);
	rmdir(dir);
}

START_TEST(what_lasts_comes_back_and_what_ends_soon_does_not)
{
	struct segment was = make_segment();
	const int64_t now = clock_boot_us();
	uint64_t tat = (uint64_t)(now + 30 * MINUTE), soon = (uint64_t)(now + SECOND_US);

	table_update(&was.table, tag_of(&was, TABLE_GCRA, 1), set, &tat, now);
	table_update(&was.table, tag_of(&was, TABLE_GCRA, 2), set, &soon, now);
	table_count_add(&was.table, tag_of(&was, TABLE_COUNT, 3), 17, 10 * MINUTE, now);
	table_mark_set(&was.table, tag_of(&was, TABLE_MARK, 4), 0x123456789a, 20 * MINUTE, now);
	table_live_add(&was.table, tag_of(&was, TABLE_LIVE, 5), 1, now);
	ck_assert_int_eq(snapshot_save(&was, dir), 3);
	segment_detach(&was);

	struct segment is = make_segment();
	ck_assert_int_eq(snapshot_restore(&is, dir), 3);
	const int64_t then = clock_boot_us();
	const uint64_t back = table_read(&is.table, tag_of(&is, TABLE_GCRA, 1));
	ck_assert_uint_eq(back, tat);
	ck_assert_uint_eq(table_read(&is.table, tag_of(&is, TABLE_GCRA, 2)), 0);
	ck_assert_uint_eq(table_count_read(&is.table, tag_of(&is, TABLE_COUNT, 3), then), 17);
	ck_assert_uint_eq(table_mark_read(&is.table, tag_of(&is, TABLE_MARK, 4), then),
			  0x123456789a);
	ck_assert_uint_eq(table_read(&is.table, tag_of(&is, TABLE_LIVE, 5)), 0);
	segment_detach(&is);
}
END_TEST

/* As the header has them (struct snapshot_header). */
enum { WALL_AT = 24, BOOT_ID_AT = 32 };

static void overwrite(off_t at, const void *p, size_t n)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/counters", dir);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pwrite(fd, p, n, at), (ssize_t)n);
	close(fd);
}

/* How long a limit that had half an hour to go still has, when the wall clock has jumped between
 * saving and restoring. */
static int64_t left_after(int64_t jump_us, bool reboot)
{
	struct segment was = make_segment();
	const int64_t now = clock_boot_us(), then = clock_wall_us() - jump_us;
	uint64_t tat = (uint64_t)(now + 30 * MINUTE);
	int64_t left;

	table_update(&was.table, tag_of(&was, TABLE_GCRA, 1), set, &tat, now);
	ck_assert_int_eq(snapshot_save(&was, dir), 1);
	segment_detach(&was);
	overwrite(WALL_AT, &then, sizeof(then));
	if (reboot)
		overwrite(BOOT_ID_AT, "another", 7);

	struct segment is = make_segment();
	ck_assert_int_ge(snapshot_restore(&is, dir), 0);
	left = (int64_t)table_read(&is.table, tag_of(&is, TABLE_GCRA, 1)) - now;
	segment_detach(&is);
	return left;
}

START_TEST(the_wall_clock_may_jump)
{
	static const int64_t jumps[] = {0, 60 * MINUTE, -60 * MINUTE, 1440 * MINUTE,
					-1440 * MINUTE};

	for (size_t i = 0; i < sizeof(jumps) / sizeof(jumps[0]); i++) {
		ck_assert_int_eq(left_after(jumps[i], false), 30 * MINUTE);
		/* After a reboot there is no better clock; never is it longer than it was. */
		ck_assert_int_le(left_after(jumps[i], true), 30 * MINUTE + SECOND_US);
	}
	ck_assert_int_lt(left_after(20 * MINUTE, true), 10 * MINUTE + SECOND_US);
}
END_TEST

START_TEST(a_segment_restores_once)
{
	struct segment seg = make_segment();
	const int64_t now = clock_boot_us();

	ck_assert_int_eq(snapshot_restore(&seg, dir), 0); /* no file */
	table_mark_set(&seg.table, tag_of(&seg, TABLE_MARK, 1), 7, 20 * MINUTE, now);
	ck_assert_int_eq(snapshot_save(&seg, dir), 1);
	table_forget(&seg.table, tag_of(&seg, TABLE_MARK, 1)); /* lifted by hand */
	ck_assert_int_eq(snapshot_restore(&seg, dir), 0);
	ck_assert_uint_eq(table_mark_read(&seg.table, tag_of(&seg, TABLE_MARK, 1), now), 0);
	segment_detach(&seg);
}
END_TEST

START_TEST(a_file_that_is_cut_off_is_refused)
{
	struct segment was = make_segment();
	char path[128];

	table_mark_set(&was.table, tag_of(&was, TABLE_MARK, 1), 7, 20 * MINUTE, clock_boot_us());
	ck_assert_int_eq(snapshot_save(&was, dir), 1);
	segment_detach(&was);
	snprintf(path, sizeof(path), "%s/counters", dir);
	for (long length = 0; length < 96; length += 5) {
		struct segment is = make_segment();

		ck_assert_int_eq(truncate(path, length), 0);
		ck_assert_int_eq(snapshot_restore(&is, dir), -1);
		segment_detach(&is);
	}
}
END_TEST

START_TEST(a_full_disk_leaves_the_old_file)
{
	struct segment seg = make_segment();
	char path[128];
	struct stat st;

	table_mark_set(&seg.table, tag_of(&seg, TABLE_MARK, 1), 7, 20 * MINUTE, clock_boot_us());
	ck_assert_int_eq(snapshot_save(&seg, dir), 1);
	snprintf(path, sizeof(path), "%s/counters.new", dir);
	ck_assert_int_eq(mkdir(path, 0700), 0); /* stands in the way, as a full disk does */
	ck_assert_int_eq(snapshot_save(&seg, dir), -1);
	rmdir(path);
	snprintf(path, sizeof(path), "%s/counters", dir);
	ck_assert_int_eq(stat(path, &st), 0);
	segment_detach(&seg);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("snapshot");
	TCase *tc = tcase_create("snapshot");
	SRunner *sr = srunner_create(s);

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, what_lasts_comes_back_and_what_ends_soon_does_not);
	tcase_add_test(tc, the_wall_clock_may_jump);
	tcase_add_test(tc, a_segment_restores_once);
	tcase_add_test(tc, a_file_that_is_cut_off_is_refused);
	tcase_add_test(tc, a_full_disk_leaves_the_old_file);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
