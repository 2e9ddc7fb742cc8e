/* The anti-virus engine behind its walls, as it runs for real: whatever it unpacks, it needs no
 * system call that its inspectors don't have, finds what is there and leaves nothing behind. */
#include "temp_dir.h"

#include "shm/base/clock.h"
#include "shm/base/log.h"
#include "worker/inspect/antivirus.h"
#include "worker/inspect/ask.h"
#include "worker/inspect/zygote.h"
#include "worker/io/task.h"

#include <check.h>
#include <dirent.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#ifdef GATEPOST_SANITIZED

int main(void)
{
	puts("SKIP: sanitizer builds run without the filter");
	puts("100%: Checks: 0, Failures: 0, Errors: 0");
	return EXIT_SUCCESS;
}

#else

#define TESTFILES "/usr/share/clamav-testfiles"
/* The hash of their clam.exe, and EICAR's. */
#define SIGNATURES                                                                                 \
	"aa15bcf478d165efd2065190eb473bcb:544:Clam.Test\n"                                         \
	"44d88612fea8a8f36de82e1278abb02f:68:Eicar-Test-Signature\n"

static char dir[64];
static int pair[2], status_fd;
static struct zygote_status *status;
static pid_t zygote;
static struct loop *loop;
static struct inspect *asking;

static void write_database(const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/test.hdb", dir);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
	ck_assert_int_eq(chmod(dir, 0755), 0);
}

static void start(void)
{
	const struct zygote_scan scan = {
	    .engine = {.database = dir,
		       .max_size = 50 << 20,
		       .max_scan_size = 100 << 20,
		       .max_files = 10000,
		       .max_depth = 17,
		       .time_ms = 30000},
	    .rooms = {.rooms = 2,
		      .bytes = 100 << 20,
		      .user = LIT("gatepost-jail"),
		      .state_dir = dir},
	    .time_ms = 30000,
	};
	const struct zygote_options o = {.inspectors = 2,
					 .memory_bytes = 1U << 30,
					 .user = scan.rooms.user,
					 .serve_fd = pair[1],
					 .status_fd = status_fd,
					 .scan = &scan};

	zygote = fork();
	ck_assert_int_ge(zygote, 0);
	if (zygote == 0) {
		log_open(LOG_TO_STDERR, "zygote");
		log_set_level(LOG_LEVEL_ERROR);
		close(pair[0]);
		_exit(zygote_run(&o));
	}
}

static void set_up(void)
{
	temp_dir_make(dir);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	status_fd = zygote_status_create(&status);
	loop = loop_new();
	asking = inspect_open(loop, &(struct inspect_options){.fd = pair[0]});
	ck_assert(status_fd >= 0 && loop && asking);
}

static void tear_down(void)
{
	inspect_close(asking);
	loop_free(loop);
	close(pair[0]);
	close(pair[1]);
	close(status_fd);
	munmap(status, 4096);
	temp_dir_remove(dir);
}

static int await_end(void)
{
	int result;

	ck_assert_int_eq(waitpid(zygote, &result, 0), zygote);
	return result;
}

static void await_ready(void)
{
	const int64_t end_us = clock_mono_us() + 30 * SECOND_US;

	while (!atomic_load(&status->ready)) {
		ck_assert_int_lt(clock_mono_us(), end_us);
		usleep(2000);
	}
}

/* ---- Messages */

#define HEAD                                                                                       \
	"Content-Type: application/octet-stream; name=x\r\n"                                       \
	"Content-Transfer-Encoding: base64\r\n\r\n"

static void put_base64(FILE *f, const unsigned char *p, size_t n)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < n; i += 3) {
		const uint32_t v = (uint32_t)p[i] << 16 |
				   (i + 1 < n ? (uint32_t)p[i + 1] << 8 : 0) |
				   (i + 2 < n ? p[i + 2] : 0);

		fprintf(f, "%c%c%c%c%s", digits[v >> 18], digits[v >> 12 & 63],
			i + 1 < n ? digits[v >> 6 & 63] : '=', i + 2 < n ? digits[v & 63] : '=',
			i % 57 == 54 ? "\r\n" : "");
	}
	fputs("\r\n", f);
}

/* A mail that carries a file. */
static int message_with(const char *path, size_t *size)
{
	const int fd = memfd_create("message", MFD_CLOEXEC);
	FILE *from = fopen(path, "r"), *to = fdopen(dup(fd), "w");
	static unsigned char bytes[4 << 20];
	size_t n;

	ck_assert(from && to);
	n = fread(bytes, 1, sizeof(bytes), from);
	fclose(from);
	fputs(HEAD, to);
	put_base64(to, bytes, n);
	*size = (size_t)ftell(to);
	fclose(to);
	return fd;
}

/* ---- Asking */

struct asked {
	int fd;
	size_t size;
	struct inspect_outcome outcome;
	struct scan_result result;
	struct arena arena;
};

static void ask(void *arg)
{
	struct asked *a = arg;
	char bytes[16];
	struct buf body = buf_over(bytes, sizeof(bytes));

	antivirus_question_put(&body, a->size);
	a->outcome = inspect_ask(
	    asking,
	    &(struct inspect_request){.type = QUESTION_ANTIVIRUS,
				      .body = buf_view(&body),
				      .message_fd = a->fd,
				      .deaths_max = 1,
				      .deadline_us = loop_now_us(loop) + 60 * SECOND_US},
	    &a->arena);
	if (a->outcome.result == INSPECT_ANSWERED)
		ck_assert(antivirus_answer_get(a->outcome.body, &a->result));
	loop_stop(loop);
}

/* The kind of the first match; SCAN_KINDS: none. */
static enum scan_kind kind_in(const char *path)
{
	struct asked a = {0};
	enum scan_kind kind;

	arena_init(&a.arena, NULL, NULL);
	a.fd = message_with(path, &a.size);
	ck_assert(task_spawn(loop, ask, &a));
	loop_run(loop);
	ck_assert_msg(a.outcome.result == INSPECT_ANSWERED, "%s: %s", path,
		      inspect_result_text(a.outcome.result));
	ck_assert_msg(a.result.code == SCAN_DONE, "%s: %.*s", path, TEXT(a.result.reason));
	kind = a.result.match_count ? a.result.matches[0].kind : SCAN_KINDS;
	close(a.fd);
	arena_reset(&a.arena);
	return kind;
}

START_TEST(all_kinds_of_files)
{
	DIR *d = opendir(TESTFILES);
	unsigned files = 0;

	write_database(SIGNATURES);
	start();
	await_ready();
	ck_assert_uint_eq(status->engine.signatures, 2);
	ck_assert_int_eq(kind_in("/etc/passwd"), SCAN_KINDS);
	for (const struct dirent *e; d && (e = readdir(d));) {
		char path[512];

		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", TESTFILES, e->d_name);
		/* One is a chain of archives deeper than anybody looks. */
		ck_assert_msg(kind_in(path) ==
				  (strstr(path, "emax") ? SCAN_LIMITS : SCAN_SIGNATURE),
			      "%s", path);
		files++;
	}
	if (d)
		closedir(d);
	ck_assert(!d || files > 40);
	ck_assert_uint_eq(atomic_load(&status->deaths), 0);
	kill(zygote, SIGTERM);
	ck_assert_int_eq(await_end(), 0);
}
END_TEST

/* A database that is no good says so by the exit status, and nobody serves. */
START_TEST(no_database)
{
	static const char *const broken[] = {
	    "aa15bcf478d165efd2065190eb473bcb:544:Clam.Test\n", /* without EICAR */
	    "nonsense\n",
	    "",
	};
	int result;

	write_database(broken[_i]);
	start();
	result = await_end();
	ck_assert_msg(WIFEXITED(result) && WEXITSTATUS(result) == ZYGOTE_EXIT_DATABASE, "%x",
		      result);
	ck_assert(!atomic_load(&status->ready));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("scan");
	TCase *tc = tcase_create("scan");
	SRunner *sr = srunner_create(s);

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, all_kinds_of_files);
	tcase_add_loop_test(tc, no_database, 0, 3);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
