/* worker/delivery/payload.c: what goes on is what came, without the cuts, whatever the pieces. */
#include "worker/delivery/payload.h"

#include "shm/base/clock.h"
#include "temp_dir.h"
#include "worker/io/task.h"

#include <check.h>
#include <fcntl.h>
#include <stdlib.h>

enum { MESSAGE_MAX = 60000, CUTS_MAX = 400 };

static struct loop *loop;
static struct spool_place place;
static char dir[64];
static uint64_t seed;
static char message[MESSAGE_MAX], wanted[MESSAGE_MAX], got[MESSAGE_MAX];
static struct cut list[CUTS_MAX];

static size_t roll(size_t n)
{
	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (size_t)(seed >> 33) % n;
}

static void setup(void)
{
	temp_dir_make(dir);
	loop = loop_new();
	place = (struct spool_place){.offload = offload_new(loop, 1),
				     .dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC),
				     .memory_total = 1 << 20};
	ck_assert_ptr_nonnull(place.offload);
}

static void teardown(void)
{
	ck_assert_uint_eq(place.memory_used, 0);
	spool_place_clear(&place);
	close(place.dir_fd);
	offload_free(place.offload);
	loop_free(loop);
	temp_dir_remove(dir);
}

/* Fills in list and wanted; *n is the message's length. */
static struct cuts make_message(size_t *n, size_t *wanted_n)
{
	const size_t scale = 1 + roll(2000);
	struct cuts cuts = {list, 0};
	bool cut = roll(2);

	*n = *wanted_n = 0;
	for (size_t left = roll(2 * CUTS_MAX); left > 0 && *n + scale < MESSAGE_MAX; left--) {
		const size_t start = *n, size = 1 + roll(scale);

		for (size_t i = 0; i < size; i++)
			message[(*n)++] = (char)roll(256);
		if (cut) {
			list[cuts.n++] = (struct cut){start, *n};
		} else {
			memcpy(wanted + *wanted_n, message + start, size);
			*wanted_n += size;
		}
		cut = !cut;
	}
	return cuts;
}

static struct spool *make_spool(size_t n)
{
	struct spool *s = spool_new(&place);
	const size_t step = 1 + roll(9000);

	for (size_t at = 0; at < n; at += step)
		ck_assert_int_eq(spool_append(s, message + at, n - at < step ? n - at : step),
				 SPOOL_OK);
	return s;
}

static size_t collect(const struct payload *p)
{
	struct payload_place at = payload_begin(p);
	struct iovec iov[20];
	size_t total = 0;

	for (;;) {
		int n = 1 + (int)roll(20);

		ck_assert_int_eq(payload_pieces(p, &at, iov, &n), SPOOL_OK);
		ck_assert(n > 0 || payload_ended(p, &at));
		if (n == 0)
			return total;
		for (int i = 0; i < n; i++) {
			ck_assert_uint_gt(iov[i].iov_len, 0);
			ck_assert_uint_le(total + iov[i].iov_len, MESSAGE_MAX);
			memcpy(got + total, iov[i].iov_base, iov[i].iov_len);
			total += iov[i].iov_len;
		}
	}
}

static void rounds(void *arg)
{
	(void)arg;
	for (int round = 0; round < 100; round++) {
		struct payload p = {.fields = LIT("Received: x\r\n")};
		size_t n, wanted_n;

		place.memory_each = roll(2) ? MESSAGE_MAX : 4096;
		p.cuts = make_message(&n, &wanted_n);
		p.message = make_spool(n);
		ck_assert_uint_eq(payload_size(&p), p.fields.n + wanted_n);
		/* Twice: a delivery may be tried again. */
		for (int i = 0; i < 2; i++) {
			ck_assert_uint_eq(collect(&p), wanted_n);
			ck_assert(memcmp(got, wanted, wanted_n) == 0);
		}
		spool_free(p.message);
	}
	loop_stop(loop);
}

START_TEST(random_cuts)
{
	seed = (uint64_t)_i;
	ck_assert(task_spawn(loop, rounds, NULL));
	loop_run(loop);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("payload");
	TCase *tc = tcase_create("payload");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, random_cuts, 0, 6);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
