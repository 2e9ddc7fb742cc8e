/* The process log on a stderr that is read, full, or gone; and when syslog and the journal are
 * away. (Each test is a process of its own, so descriptor 2 may be replaced.) */
#include "shm/base/log.h"

#include "shm/base/clock.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int stderr_to_pipe(void)
{
	int fd[2];

	ck_assert_int_eq(pipe(fd), 0);
	ck_assert_int_eq(dup2(fd[1], STDERR_FILENO), STDERR_FILENO);
	close(fd[1]);
	return fd[0];
}

static char *read_some(int fd, char dst[4096])
{
	ssize_t n = read(fd, dst, 4095);

	dst[n < 0 ? 0 : n] = '\0';
	return dst;
}

START_TEST(one_line_a_call)
{
	int fd = stderr_to_pipe();
	char got[4096], want[4096];

	log_open(LOG_TO_STDERR, "worker 3");
	errno = ENOENT;
	log_info("session %d\nof \"a\"", 7);
	ck_assert_int_eq(errno, ENOENT);
	snprintf(want, sizeof(want), "gatepostd[%d] worker 3: session 7?of \"a\"\n", (int)getpid());
	ck_assert_str_eq(read_some(fd, got), want);
	log_error("broken");
	snprintf(want, sizeof(want), "gatepostd[%d] worker 3: error: broken\n", (int)getpid());
	ck_assert_str_eq(read_some(fd, got), want);
	log_debug("not shown");
	log_set_level(LOG_LEVEL_DEBUG);
	log_debug("shown");
	ck_assert_ptr_nonnull(strstr(read_some(fd, got), "debug: shown\n"));
	ck_assert_ptr_null(strstr(got, "not shown"));
	log_line(LOG_LEVEL_INFO, "{\"a\":1}xx", 7);
	ck_assert_str_eq(read_some(fd, got), "{\"a\":1}\n");
}
END_TEST

START_TEST(journal_levels)
{
	int fd = stderr_to_pipe();
	char got[4096], stream[64];
	struct stat st;

	fstat(STDERR_FILENO, &st);
	snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	log_open(LOG_TO_STDERR, "master");
	log_warn("careful");
	ck_assert_str_eq(read_some(fd, got), "<4>master: careful\n");
	log_line(LOG_LEVEL_INFO, "mail", 4);
	ck_assert_str_eq(read_some(fd, got), "<6>mail\n");
}
END_TEST

START_TEST(full_pipe_does_not_block)
{
	int fd = stderr_to_pipe();
	int64_t start = clock_mono_us();
	char line[4000], got[4096];

	memset(line, 'x', sizeof(line));
	log_open(LOG_TO_STDERR, "w");
	ck_assert_int_eq(fcntl(fd, F_SETPIPE_SZ, 8192), 8192);
	for (int i = 0; i < 5; i++)
		log_line(LOG_LEVEL_INFO, line, sizeof(line));
	ck_assert_int_lt(clock_mono_us() - start, 3 * SECOND_US);
	/* once it is read again, the gap is told */
	for (int i = 0; i < 2; i++)
		read_some(fd, got);
	log_info("again");
	ck_assert_ptr_nonnull(strstr(read_some(fd, got), "3 lines of this log were lost"));
	ck_assert_ptr_nonnull(strstr(got, "again"));
}
END_TEST

START_TEST(reader_gone)
{
	int fd = stderr_to_pipe();

	log_open(LOG_TO_STDERR, "w");
	close(fd);
	log_info("into the void");
	close(STDERR_FILENO);
	log_info("no descriptor at all");
}
END_TEST

START_TEST(falls_back_to_stderr)
{
	static const struct {
		enum log_to to;
		const char *path;
	} cases[] = {
	    {LOG_TO_SYSLOG, "/dev/log"},
	    {LOG_TO_JOURNAL, "/run/systemd/journal/socket"},
	};
	char got[4096];

	if (access(cases[_i].path, F_OK) == 0)
		return; /* it is there on this machine */
	int fd = stderr_to_pipe();
	log_open(cases[_i].to, "keeper");
	log_warn("nobody there");
	ck_assert_ptr_nonnull(strstr(read_some(fd, got), "keeper: warning: nobody there\n"));
}
END_TEST

START_TEST(long_line_is_cut)
{
	int fd = stderr_to_pipe();
	static char line[100000], got[65536];

	memset(line, 'y', sizeof(line));
	log_open(LOG_TO_STDERR, "w");
	log_line(LOG_LEVEL_INFO, line, sizeof(line));
	ssize_t n = read(fd, got, sizeof(got));
	ck_assert_int_eq(n, 16384);
	ck_assert_int_eq(got[n - 1], '\n');
}
END_TEST

START_TEST(many_lines)
{
	static char lines[20000], got[4096];
	int fd = stderr_to_pipe();
	size_t n = 0, seen = 0;
	ssize_t some;

	log_open(LOG_TO_STDERR, "x");
	log_lines(LOG_LEVEL_DEBUG, "not shown\n", 10);
	for (int i = 0; i < 100; i++)
		n += (size_t)sprintf(lines + n, "line %d \t%0*d\n", i, i % 100, 0);
	memset(lines + n, 'x', 5000);
	lines[n + 5000] = '\n';
	n += 5001;
	log_lines(LOG_LEVEL_INFO, lines, n);
	for (size_t i = 0; i < n; i++)
		lines[i] = lines[i] == '\t' ? '?' : lines[i];
	/* whole lines in each write, the same as were given */
	for (; seen < n; seen += (size_t)some) {
		some = read(fd, got, sizeof(got));
		ck_assert_int_gt(some, 0);
		ck_assert_int_eq(memcmp(got, lines + seen, (size_t)some), 0);
	}
	ck_assert_uint_eq(seen, n);
}
END_TEST

START_TEST(limits)
{
	struct log_limit l = {0};
	uint64_t held = 99;

	ck_assert(log_allowed(&l, 3600 * SECOND_US, &held));
	ck_assert_uint_eq(held, 0);
	for (int i = 0; i < 5; i++)
		ck_assert(!log_allowed(&l, 3600 * SECOND_US, &held));
	l.next_us = 0;
	ck_assert(log_allowed(&l, 3600 * SECOND_US, &held));
	ck_assert_uint_eq(held, 5);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("log");
	TCase *tc = tcase_create("log");
	SRunner *sr = srunner_create(s);

	unsetenv("JOURNAL_STREAM");
	tcase_add_test(tc, one_line_a_call);
	tcase_add_test(tc, journal_levels);
	tcase_add_test(tc, full_pipe_does_not_block);
	tcase_add_test(tc, reader_gone);
	tcase_add_loop_test(tc, falls_back_to_stderr, 0, 2);
	tcase_add_test(tc, long_line_is_cut);
	tcase_add_test(tc, many_lines);
	tcase_add_test(tc, limits);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
