/* The ring: order, wrap, reserve, a producer that is killed again and again, and garbage. */
#include "shm/ring.h"

#include "shm/base/clock.h"

#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define BYTES 4096

static struct ring new_ring(void)
{
	struct ring r;
	void *p =
	    mmap(NULL, ring_size(BYTES), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	ck_assert_ptr_ne(p, MAP_FAILED);
	ring_init(&r, p, BYTES);
	return r;
}

static void drop_ring(struct ring *r)
{
	munmap(r->shared, ring_size(BYTES));
}

/* A record that says what it is: its number, then bytes that follow from it. */
static size_t make_record(uint64_t number, unsigned char out[BYTES / 8])
{
	size_t n = 8 + number * 7919 % (BYTES / 8 - 7);

	memcpy(out, &number, 8);
	for (size_t i = 8; i < n; i++)
		out[i] = (unsigned char)(number * 31 + i);
	return n;
}

static void check_record(uint64_t number, const unsigned char *p, long n)
{
	unsigned char want[BYTES / 8];

	ck_assert_int_eq(n, (long)make_record(number, want));
	ck_assert_mem_eq(p, want, (size_t)n);
}

START_TEST(gives_back_what_was_put_in)
{
	struct ring r = new_ring();
	unsigned char record[BYTES / 8], got[BYTES / 8];
	uint64_t position = ring_tail(&r), written = 0, seen = 0;

	ck_assert_int_eq(ring_read(&r, &position, got, sizeof(got)), 0);
	srand(3);
	while (seen < 20000) {
		for (int burst = rand() % 20; burst-- > 0;) {
			size_t n = make_record(written, record);
			if (!ring_push(&r, record, n, RING_AUDIT))
				break;
			written++;
		}
		for (int burst = rand() % 20; burst-- > 0;) {
			long n = ring_read(&r, &position, got, sizeof(got));
			ck_assert_int_ge(n, 0);
			if (n == 0)
				break;
			check_record(seen++, got, n);
		}
		ring_release(&r, position);
		ck_assert_int_eq(ring_drained(&r), seen == written);
	}
	ck_assert_uint_gt(position, 100 * BYTES);
	drop_ring(&r);
}
END_TEST

START_TEST(cuts_what_the_reader_has_no_room_for)
{
	struct ring r = new_ring();
	unsigned char got[8] = {0};
	uint64_t position = ring_tail(&r);

	ck_assert(ring_push(&r, "abcdefgh", 8, RING_AUDIT));
	ck_assert(ring_push(&r, "next", 4, RING_AUDIT));
	ck_assert_int_eq(ring_read(&r, &position, got, 3), 8);
	ck_assert_mem_eq(got, "abc\0", 4);
	ck_assert_int_eq(ring_read(&r, &position, got, sizeof(got)), 4);
	ck_assert_mem_eq(got, "next", 4);
	drop_ring(&r);
}
END_TEST

START_TEST(refuses_what_can_not_be_a_record)
{
	struct ring r = new_ring();
	unsigned char record[BYTES / 8 + 1] = {0};

	ck_assert(!ring_push(&r, record, 0, RING_MATTERS));
	ck_assert(!ring_push(&r, record, sizeof(record), RING_MATTERS));
	ck_assert(ring_push(&r, record, sizeof(record) - 1, RING_MATTERS));
	drop_ring(&r);
}
END_TEST

static unsigned fill(struct ring *r, enum ring_weight weight)
{
	unsigned n = 0;

	while (ring_push(r, "0123456789abcdef01234567", 24, weight))
		n++;
	return n;
}

START_TEST(keeps_a_quarter_for_what_matters)
{
	struct ring r = new_ring();
	unsigned char got[32];
	uint64_t position = 0;

	ck_assert_uint_eq(fill(&r, RING_AUDIT), BYTES / 4 * 3 / 32);
	ck_assert_uint_eq(fill(&r, RING_MATTERS), BYTES / 4 / 32);
	ck_assert_int_eq(ring_read(&r, &position, got, sizeof(got)), 24);
	ck_assert(!ring_push(&r, "x", 1, RING_MATTERS)); /* read, but not released */
	ring_release(&r, position);
	ck_assert(!ring_push(&r, "x", 1, RING_AUDIT));
	ck_assert(ring_push(&r, "x", 1, RING_MATTERS));
	drop_ring(&r);
}
END_TEST

/* Goes on where the last record stands, as a new process in the same slot does. */
static void produce(struct ring *r, uint64_t number)
{
	unsigned char record[BYTES / 8];

	for (;; number++) {
		size_t n = make_record(number, record);
		while (!ring_push(r, record, n, number % 2 ? RING_AUDIT : RING_MATTERS))
			usleep(20);
	}
}

static void drain(struct ring *r, uint64_t *position, uint64_t *seen)
{
	unsigned char got[BYTES / 8];
	long n;

	while ((n = ring_read(r, position, got, sizeof(got))) != 0) {
		ck_assert_int_gt(n, 0);
		check_record((*seen)++, got, n);
		ring_release(r, *position);
	}
}

START_TEST(a_killed_producer_never_leaves_half_a_record)
{
	struct ring r = new_ring();
	uint64_t position = 0, seen = 0;
	int64_t end_us = clock_mono_us() + 2 * SECOND_US;
	unsigned kills = 0;

	srand(5);
	while (clock_mono_us() < end_us) {
		pid_t pid = fork();
		if (pid == 0)
			produce(&r, seen);
		int64_t kill_us = clock_mono_us() + rand() % 3000;
		while (clock_mono_us() < kill_us) {
			drain(&r, &position, &seen);
			usleep(10);
		}
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		drain(&r, &position, &seen);
		ck_assert(ring_drained(&r));
		kills++;
	}
	ck_assert_uint_gt(kills, 10);
	ck_assert_uint_gt(seen, kills);
	drop_ring(&r);
}
END_TEST

START_TEST(a_position_outside_goes_to_the_head)
{
	struct ring r = new_ring();
	unsigned char got[16];
	uint64_t position = 0;

	for (int i = 0; i < 3; i++)
		ring_push(&r, "record", 6, RING_AUDIT);
	ring_read(&r, &position, got, sizeof(got));
	ring_release(&r, position);
	uint64_t outside[] = {0, ring_head(&r) + 8, UINT64_MAX, position + 1, ring_head(&r) - 1};
	for (unsigned i = 0; i < sizeof(outside) / sizeof(outside[0]); i++) {
		uint64_t at = outside[i];
		ck_assert_int_eq(ring_read(&r, &at, got, sizeof(got)), -1);
		ck_assert_uint_eq(at, ring_head(&r));
	}
	ck_assert_int_eq(ring_read(&r, &position, got, sizeof(got)), 6);
	drop_ring(&r);
}
END_TEST

/* Whatever the memory holds, reading ends, stays inside (ASan looks on) and leaves a ring that
 * works. */
START_TEST(survives_garbage)
{
	struct ring r;
	unsigned char got[64];

	ring_attach(&r, aligned_alloc(64, ring_size(BYTES)), BYTES);
	srand(11);
	for (int round = 0; round < 3000; round++) {
		unsigned char *p = (unsigned char *)r.shared;
		for (size_t i = 0; i < ring_size(BYTES); i++)
			p[i] = (unsigned char)rand();
		if (round % 2) { /* believable positions over senseless bytes */
			uint64_t tail = (uint64_t)rand();
			atomic_store(&r.shared->tail, tail);
			atomic_store(&r.shared->head, tail + (uint64_t)rand() % BYTES);
		}
		uint64_t position = ring_tail(&r);
		unsigned reads = 0;
		while (ring_read(&r, &position, got, sizeof(got)) != 0)
			ck_assert_uint_lt(++reads, BYTES);
		ring_release(&r, position);
		ck_assert(ring_drained(&r));
		ck_assert(ring_push(&r, "works", 5, RING_AUDIT));
		ck_assert_int_eq(ring_read(&r, &position, got, sizeof(got)), 5);
		ck_assert_mem_eq(got, "works", 5);
	}
	free(r.shared);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ring");
	TCase *tc = tcase_create("ring");

	tcase_add_test(tc, gives_back_what_was_put_in);
	tcase_add_test(tc, cuts_what_the_reader_has_no_room_for);
	tcase_add_test(tc, refuses_what_can_not_be_a_record);
	tcase_add_test(tc, keeps_a_quarter_for_what_matters);
	tcase_add_test(tc, a_killed_producer_never_leaves_half_a_record);
	tcase_add_test(tc, a_position_outside_goes_to_the_head);
	tcase_add_test(tc, survives_garbage);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(s, tc);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
