/* The arena: alignment, zeroes, sizes from one byte to megabytes, and what happens without memory.
 */
#include "shm/base/arena.h"

#include <check.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>

/* An assertion for each byte would take seconds. */
static size_t count_not(const unsigned char *p, size_t n, int byte)
{
	size_t others = 0;

	for (size_t i = 0; i < n; i++)
		others += p[i] != byte;
	return others;
}

START_TEST(allocations_do_not_overlap)
{
	enum { N = 2000 };
	static struct {
		unsigned char *p;
		size_t n;
	} got[N];
	struct arena a;
	size_t sum = 0;

	arena_init(&a, NULL, NULL);
	srand(1);
	for (int i = 0; i < N; i++) {
		got[i].n = (size_t)rand() % (i % 50 ? 200 : 20000);
		got[i].p = arena_alloc(&a, got[i].n);
		ck_assert_uint_eq((uintptr_t)got[i].p % _Alignof(max_align_t), 0);
		ck_assert_uint_eq(count_not(got[i].p, got[i].n, 0), 0);
		if (got[i].n > 0)
			memset(got[i].p, i & 0xff, got[i].n);
		sum += got[i].n;
	}
	for (int i = 0; i < N; i++)
		ck_assert_uint_eq(count_not(got[i].p, got[i].n, i & 0xff), 0);
	ck_assert_uint_eq(a.used, sum);
	arena_reset(&a);
	ck_assert_uint_eq(a.used, 0);
	ck_assert_ptr_null(a.head);
}
END_TEST

START_TEST(usable_after_reset)
{
	struct arena a;
	int *n;

	arena_init(&a, NULL, NULL);
	arena_reset(&a);
	for (int i = 0; i < 3; i++) {
		n = arena_new(&a, int);
		ck_assert_int_eq(*n, 0);
		*n = 42;
		arena_reset(&a);
	}
}
END_TEST

START_TEST(texts)
{
	struct arena a;
	struct text t;

	arena_init(&a, NULL, NULL);
	t = arena_text(&a, LIT("a\0b"));
	ck_assert_uint_eq(t.n, 3);
	ck_assert_int_eq(memcmp(t.p, "a\0b", 4), 0);
	t = arena_text(&a, text_make(NULL, 0));
	ck_assert_uint_eq(t.n, 0);
	ck_assert_str_eq(t.p, "");
	t = arena_printf(&a, "%s-%d", "x", 7);
	ck_assert_str_eq(t.p, "x-7");
	ck_assert_uint_eq(t.n, 3);
	t = arena_printf(&a, "%5000d", 1);
	ck_assert_uint_eq(t.n, 5000);
	ck_assert_uint_eq(strlen(t.p), 5000);
	arena_reset(&a);
}
END_TEST

struct place {
	jmp_buf env;
	int calls;
};

static void out_of_memory(void *arg)
{
	struct place *place = arg;

	place->calls++;
	longjmp(place->env, 1);
}

START_TEST(no_memory_does_not_return)
{
	struct place place = {.calls = 0};
	struct arena a;

	arena_init(&a, out_of_memory, &place);
	arena_alloc(&a, 100);
	if (setjmp(place.env) == 0) {
		arena_alloc(&a, SIZE_MAX / 2);
		ck_abort_msg("returned without memory");
	}
	ck_assert_int_eq(place.calls, 1);
	/* the arena is as it was */
	ck_assert_ptr_nonnull(arena_alloc(&a, 100));
	ck_assert_uint_eq(a.used, 200);
	arena_reset(&a);
}
END_TEST

START_TEST(no_memory_without_handler_aborts)
{
	struct arena a;

	arena_init(&a, NULL, NULL);
	arena_alloc(&a, SIZE_MAX / 2);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("arena");
	TCase *tc = tcase_create("arena");
	SRunner *sr = srunner_create(s);

	tcase_add_test(tc, allocations_do_not_overlap);
	tcase_add_test(tc, usable_after_reset);
	tcase_add_test(tc, texts);
	tcase_add_test(tc, no_memory_does_not_return);
	tcase_add_test_raise_signal(tc, no_memory_without_handler_aborts, SIGABRT);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
