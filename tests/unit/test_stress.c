/* Stress levels: where they begin and end, and that the fullest counts. */
#include "worker/stress.h"

#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static unsigned level(unsigned before, uint64_t used)
{
	const struct stress_input in[] = {{used, 1000}, {1, 1000}, {5, 0}};

	return stress_level(before, in, 3);
}

START_TEST(thresholds)
{
	ck_assert_uint_eq(level(0, 0), 0);
	ck_assert_uint_eq(level(0, 699), 0);
	ck_assert_uint_eq(level(0, 700), 1);
	ck_assert_uint_eq(level(0, 850), 2);
	ck_assert_uint_eq(level(0, 950), 3);
	ck_assert_uint_eq(level(0, 5000), 3);
}
END_TEST

START_TEST(no_flutter)
{
	ck_assert_uint_eq(level(3, 900), 3);
	ck_assert_uint_eq(level(3, 899), 2);
	ck_assert_uint_eq(level(2, 899), 2);
	ck_assert_uint_eq(level(2, 800), 2);
	ck_assert_uint_eq(level(2, 799), 1);
	ck_assert_uint_eq(level(1, 650), 1);
	ck_assert_uint_eq(level(1, 649), 0);
}
END_TEST

START_TEST(any_input)
{
	for (unsigned i = 0; i < 3; i++) {
		struct stress_input in[3] = {{0, 10}, {0, 10}, {0, 10}};

		in[i].used = 9;
		ck_assert_uint_eq(stress_level(0, in, 3), 2);
	}
}
END_TEST

START_TEST(descriptors)
{
	const struct stress_input before = stress_descriptors();
	int fds[20];

	ck_assert_uint_gt(before.limit, 0);
	for (int i = 0; i < 20; i++)
		fds[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	ck_assert_uint_ge(stress_descriptors().used, before.used + 20);
	for (int i = 0; i < 20; i++)
		close(fds[i]);
	ck_assert_uint_eq(stress_descriptors().used, before.used);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("stress");
	TCase *tc = tcase_create("stress");
	SRunner *sr = srunner_create(s);

	tcase_add_test(tc, thresholds);
	tcase_add_test(tc, no_flutter);
	tcase_add_test(tc, any_input);
	tcase_add_test(tc, descriptors);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
