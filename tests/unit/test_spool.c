/* The spool: memory, then a file, full disks, and the share of a worker. */
#include "worker/delivery/spool.h"

#include "temp_dir.h"
#include "worker/io/task.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

static struct loop *loop;
static struct spool_place place;
static char dir[64];

static void setup(void)
{
	temp_dir_make(dir);
	loop = loop_new();
	place = (struct spool_place){.offload = offload_new(loop, 2),
				     .dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC),
				     .memory_each = 100000,
				     .memory_total = 1 << 20};
	ck_assert_ptr_nonnull(place.offload);
}

static int files_in(const char *path)
{
	DIR *d = opendir(path);
	int n = -2; /* . and .. */

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static void teardown(void)
{
	ck_assert_uint_eq(place.memory_used, 0);
	spool_place_clear(&place);
	ck_assert_int_eq(files_in(dir), 0);
	close(place.dir_fd);
	offload_free(place.offload);
	loop_free(loop);
	temp_dir_remove(dir);
}

/* Runs a test as a task: the spool yields. */
static void (*body)(void);

static void run_body(void *arg)
{
	(void)arg;
	body();
	loop_stop(loop);
}

static void as_task(void (*fn)(void))
{
	body = fn;
	ck_assert(task_spawn(loop, run_body, NULL));
	loop_run(loop);
}

static char byte_at(uint64_t i)
{
	return (char)(i * 2654435761U >> 13);
}

static enum spool_result fill(struct spool *s, size_t n, size_t step)
{
	char *p = malloc(step);
	enum spool_result r = SPOOL_OK;

	for (size_t at = 0; at < n && r == SPOOL_OK;) {
		size_t now = n - at < step ? n - at : step;

		for (size_t i = 0; i < now; i++)
			p[i] = byte_at(spool_size(s) + i);
		r = spool_append(s, p, now);
		at += now;
	}
	free(p);
	return r;
}

/* (An assertion for each byte would be slow.) */
static void expect_bytes(const char *p, size_t n, uint64_t at)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != byte_at(at + i))
			ck_abort_msg("byte %llu is wrong", (unsigned long long)(at + i));
}

static void expect_content(struct spool *s, uint64_t from)
{
	uint64_t offset = from;
	struct text t;

	for (;;) {
		uint64_t at = offset;

		ck_assert_int_eq(spool_next(s, &offset, &t), SPOOL_OK);
		if (t.n == 0)
			break;
		expect_bytes(t.p, t.n, at);
		ck_assert_uint_eq(offset, at + t.n);
	}
	ck_assert_uint_eq(offset, spool_size(s));
}

static void grows(void)
{
	static const size_t sizes[] = {1, 100, 16383, 16384, 16385, 99999, 100000, 100001, 700000};
	static const size_t steps[] = {1000, 16000, 16384, 50000};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		for (size_t j = 0; j < sizeof(steps) / sizeof(steps[0]); j++) {
			struct spool *s = spool_new(&place);
			struct text head;

			ck_assert_int_eq(fill(s, sizes[i], steps[j]), SPOOL_OK);
			ck_assert_uint_eq(spool_size(s), sizes[i]);
			ck_assert_int_eq(spool_in_memory(s), sizes[i] <= place.memory_each);
			expect_content(s, 0);
			expect_content(s, sizes[i] / 2);
			expect_content(s, 0);
			for (size_t max = 10; max < 300000; max *= 7) {
				head = spool_head(s, max);
				ck_assert_uint_ge(head.n, sizes[i] < max ? sizes[i] : max);
				expect_bytes(head.p, head.n, 0);
			}
			/* Reading does not end the writing. */
			ck_assert_int_eq(fill(s, 1000, 100), SPOOL_OK);
			expect_content(s, 0);
			spool_free(s);
			ck_assert_uint_eq(place.memory_used, 0);
		}
	}
}

START_TEST(memory_then_file)
{
	as_task(grows);
}
END_TEST

static void gives_memory_back(void)
{
	struct spool *s = spool_new(&place);

	ck_assert_int_eq(fill(s, 90000, 1000), SPOOL_OK);
	ck_assert_uint_ge(place.memory_used, 90000);
	ck_assert_int_eq(fill(s, 90000, 1000), SPOOL_OK);
	ck_assert_uint_le(place.memory_used, 16384);
	spool_free(s);
	/* Many small appends to a file are few writes: one buffer at a time. */
	s = spool_new(&place);
	ck_assert_int_eq(fill(s, 300000, 7), SPOOL_OK);
	expect_content(s, 0);
	spool_free(s);
	spool_free(NULL);
}

START_TEST(a_file_needs_no_memory)
{
	as_task(gives_memory_back);
}
END_TEST

static void share(void)
{
	struct spool *a = spool_new(&place), *b = spool_new(&place), *c = spool_new(&place);

	place.memory_total = 3 * 16384;
	ck_assert_int_eq(fill(a, 30000, 1000), SPOOL_OK);
	ck_assert_int_eq(fill(b, 30000, 1000), SPOOL_OK);
	ck_assert_int_eq(fill(c, 30000, 1000), SPOOL_OK);
	ck_assert_uint_le(place.memory_used, place.memory_total);
	ck_assert(spool_in_memory(a));
	ck_assert(!spool_in_memory(b));
	ck_assert(!spool_in_memory(c));
	expect_content(b, 0);
	expect_content(c, 0);
	expect_content(a, 0);
	spool_free(a);
	spool_free(b);
	spool_free(c);
}

START_TEST(beyond_the_share_of_the_worker)
{
	as_task(share);
}
END_TEST

static void limited(void)
{
	struct spool *s = spool_new(&place), *t;

	ck_assert_int_eq(fill(s, 90000, 1000), SPOOL_OK);
	ck_assert_int_eq(fill(s, 900000, 1000), SPOOL_NO_SPACE);
	ck_assert_int_eq(spool_errno(s), EFBIG);
	/* What it had is given back at once, and it only counts. */
	ck_assert_uint_eq(place.memory_used, 0);
	uint64_t size = spool_size(s);
	ck_assert_int_eq(spool_append(s, "x", 1), SPOOL_NO_SPACE);
	ck_assert_uint_eq(spool_size(s), size + 1);
	ck_assert_uint_eq(spool_head(s, 100).n, 0);
	/* Another one isn't the worse for it. */
	t = spool_new(&place);
	ck_assert_int_eq(fill(t, 110000, 1000), SPOOL_OK);
	expect_content(t, 0);
	spool_free(t);
	spool_free(s);
}

START_TEST(no_space)
{
	struct rlimit limit = {200000, 200000};

	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	as_task(limited);
}
END_TEST

static void without_descriptors(void)
{
	struct spool *s = spool_new(&place);
	struct rlimit none = {0, 0}, was;

	getrlimit(RLIMIT_NOFILE, &was);
	none.rlim_max = was.rlim_max;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	ck_assert_int_eq(fill(s, 110000, 1000), SPOOL_NO_MEMORY);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &was), 0);
	spool_free(s);
}

START_TEST(no_descriptors)
{
	as_task(without_descriptors);
}
END_TEST

static void without_directory(void)
{
	struct spool *s = spool_new(&place);

	ck_assert_int_eq(fill(s, 110000, 1000), SPOOL_ERROR);
	ck_assert_int_eq(spool_errno(s), EBADF);
	spool_free(s);
}

START_TEST(no_directory)
{
	int fd = place.dir_fd;

	place.dir_fd = -1;
	as_task(without_directory);
	place.dir_fd = fd;
}
END_TEST

static void pieces(void)
{
	struct spool *s = spool_new(&place);
	struct iovec iov[3];
	uint64_t offset = 0, total = 0;
	int n, calls = 0;

	ck_assert_int_eq(fill(s, 90000, 999), SPOOL_OK);
	do {
		n = 3;
		ck_assert_int_eq(spool_pieces(s, &offset, iov, &n), SPOOL_OK);
		for (int i = 0; i < n; i++) {
			ck_assert_int_eq(*(char *)iov[i].iov_base, byte_at(total));
			total += iov[i].iov_len;
		}
		calls++;
	} while (n);
	ck_assert_uint_eq(total, 90000);
	ck_assert_int_eq(calls, 3);
	spool_free(s);
	s = spool_new(&place);
	n = 3;
	offset = 0;
	ck_assert_int_eq(spool_pieces(s, &offset, iov, &n), SPOOL_OK);
	ck_assert_int_eq(n, 0);
	spool_free(s);
}

START_TEST(several_pieces)
{
	as_task(pieces);
}
END_TEST

/* ---- For another process */

static void expect_shared(struct spool *s, bool sealed)
{
	const int fd = spool_share(s);
	char piece[1000];
	uint64_t at = 0;
	ssize_t n;

	ck_assert_int_ge(fd, 0);
	while ((n = pread(fd, piece, sizeof(piece), (off_t)at)) > 0) {
		expect_bytes(piece, (size_t)n, at);
		at += (uint64_t)n;
	}
	ck_assert_uint_eq(at, spool_size(s));
	ck_assert_int_lt(write(fd, "x", 1), 0);
	ck_assert(!sealed || (fcntl(fd, F_GET_SEALS) & F_SEAL_SHRINK));
	close(fd);
}

static void shares(void)
{
	struct spool *s = spool_new(&place);

	expect_shared(s, true);
	ck_assert_int_eq(fill(s, 50000, 999), SPOOL_OK);
	expect_shared(s, true);
	ck_assert_int_eq(fill(s, 400000, 999), SPOOL_OK);
	expect_shared(s, false);
	/* More may still come. */
	ck_assert_int_eq(fill(s, 777, 777), SPOOL_OK);
	expect_shared(s, false);
	spool_free(s);
}

START_TEST(shared_read_only)
{
	as_task(shares);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("spool");
	TCase *t = tcase_create("spool");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, memory_then_file);
	tcase_add_test(t, a_file_needs_no_memory);
	tcase_add_test(t, beyond_the_share_of_the_worker);
	tcase_add_test(t, no_space);
	tcase_add_test(t, no_descriptors);
	tcase_add_test(t, no_directory);
	tcase_add_test(t, several_pieces);
	tcase_add_test(t, shared_read_only);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
