/* The 16-byte compare-and-swap: both halves count, and no other process sees or makes half a
 * change. */
#include "shm/cas16.h"

#include <check.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

START_TEST(swaps_only_what_was_expected)
{
	struct cas16 at = {1, 2};

	ck_assert(!cas16(&at, (struct cas16){1, 3}, (struct cas16){9, 9}));
	ck_assert(!cas16(&at, (struct cas16){0, 2}, (struct cas16){9, 9}));
	ck_assert_uint_eq(at.lo, 1);
	ck_assert_uint_eq(at.hi, 2);
	ck_assert(cas16(&at, (struct cas16){1, 2}, (struct cas16){UINT64_MAX, 7}));
	ck_assert_uint_eq(at.lo, UINT64_MAX);
	ck_assert_uint_eq(at.hi, 7);
}
END_TEST

/* Several processes raise both halves together; a lost or a torn change would show in the end. */
START_TEST(processes_lose_nothing)
{
	enum { PROCESSES = 3, ROUNDS = 100000 };
	struct cas16 *at =
	    mmap(NULL, sizeof(*at), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	ck_assert_ptr_ne(at, MAP_FAILED);
	for (int p = 0; p < PROCESSES; p++) {
		if (fork() != 0)
			continue;
		for (int i = 0; i < ROUNDS; i++) {
			struct cas16 seen;
			do {
				seen.lo = __atomic_load_n(&at->lo, __ATOMIC_ACQUIRE);
				seen.hi = __atomic_load_n(&at->hi, __ATOMIC_ACQUIRE);
			} while (!cas16(at, seen, (struct cas16){seen.lo + 1, seen.hi + 3}));
		}
		_exit(0);
	}
	for (int p = 0; p < PROCESSES; p++) {
		int status;
		ck_assert_int_gt(wait(&status), 0);
		ck_assert_int_eq(status, 0);
	}
	ck_assert_uint_eq(at->lo, (uint64_t)PROCESSES * ROUNDS);
	ck_assert_uint_eq(at->hi, (uint64_t)PROCESSES * ROUNDS * 3);
	munmap(at, sizeof(*at));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("cas16");
	TCase *tc = tcase_create("cas16");

	tcase_add_test(tc, swaps_only_what_was_expected);
	tcase_add_test(tc, processes_lose_nothing);
	tcase_set_timeout(tc, 30);
	suite_add_tcase(s, tc);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
