/* The last minute, by a clock of the test's own. */
#include "shm/rates.h"

#include "shm/base/clock.h"

#include <check.h>
#include <unistd.h>

static struct segment seg;
static struct process_slot *slot;
static uint64_t grown[METRIC_COUNT];

static int64_t start; /* the segment's first note, by itself */

static void setup(void)
{
	static const struct siphash_key key = {1, 2};
	int fd = segment_create(1024, 65536, &key, &seg);

	ck_assert_int_ge(fd, 0);
	close(fd);
	start = seg.header->notes.notes[0].boot_us;
	slot = segment_take_process(&seg, ROLE_WORKER, 0, 1);
	ck_assert_ptr_nonnull(slot);
}

static void teardown(void)
{
	segment_detach(&seg);
}

/* Right after the start: since then, whether a keeper runs or not. */
START_TEST(nothing_noted)
{
	metric_add(slot, METRIC_connections, 5);
	ck_assert_int_eq(rates_last_minute(&seg, start, grown), 0);
	ck_assert_int_eq(rates_last_minute(&seg, start + SECOND_US, grown), SECOND_US);
	ck_assert_uint_eq(grown[METRIC_connections], 5);
	ck_assert_int_eq(rates_last_minute(&seg, start + 100 * SECOND_US, grown), 0);
	ck_assert_uint_eq(grown[METRIC_connections], 0);
}
END_TEST

START_TEST(since_the_start)
{
	rates_note(&seg, start);
	metric_add(slot, METRIC_connections, 3);
	metric_add(slot, METRIC_messages_accepted, 2);
	rates_note(&seg, start + SECOND_US);
	ck_assert_int_eq(rates_last_minute(&seg, start + 2 * SECOND_US, grown), 2 * SECOND_US);
	ck_assert_uint_eq(grown[METRIC_connections], 3);
	ck_assert_uint_eq(grown[METRIC_messages_accepted], 2);
	ck_assert_uint_eq(grown[METRIC_messages_refused], 0);
}
END_TEST

/* One a second for ten minutes: a minute's worth, whenever one asks. */
START_TEST(a_minute)
{
	for (int s = 1; s < 600; s++) {
		const int64_t now = start + s * SECOND_US;
		metric_add(slot, METRIC_connections, 1);
		rates_note(&seg, now);
		const int64_t over = rates_last_minute(&seg, now + SECOND_US / 2, grown);
		ck_assert_int_gt(over, 0);
		ck_assert_int_le(over, 65 * SECOND_US);
		ck_assert_uint_eq(grown[METRIC_connections], over / SECOND_US);
		if (s > 60)
			ck_assert_int_ge(over, 55 * SECOND_US);
	}
}
END_TEST

/* A keeper that was dead for long: old notes say nothing, the next begins anew. */
START_TEST(a_gap)
{
	rates_note(&seg, start + 10 * SECOND_US);
	metric_add(slot, METRIC_connections, 9);
	ck_assert_int_eq(rates_last_minute(&seg, start + 300 * SECOND_US, grown), 0);
	rates_note(&seg, start + 300 * SECOND_US);
	metric_add(slot, METRIC_connections, 1);
	ck_assert_int_eq(rates_last_minute(&seg, start + 305 * SECOND_US, grown), 5 * SECOND_US);
	ck_assert_uint_eq(grown[METRIC_connections], 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("rates");
	TCase *tc = tcase_create("rates");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, nothing_noted);
	tcase_add_test(tc, since_the_start);
	tcase_add_test(tc, a_minute);
	tcase_add_test(tc, a_gap);
	suite_add_tcase(s, tc);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
