/* What an inspector can't do: each attempt from inside ends the process (SIGSYS). */
#include "worker/inspect/jail.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/capability.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef GATEPOST_SANITIZED

int main(void)
{
	puts("SKIP: sanitizer builds run without the filter");
	puts("100%: Checks: 0, Failures: 0, Errors: 0");
	return EXIT_SUCCESS;
}

#else

#define MEMORY (256UL << 20)

/* ---- Forbidden */

static void open_socket(void)
{
	(void)socket(AF_INET, SOCK_STREAM, 0);
}

static void open_unix_socket(void)
{
	(void)socket(AF_UNIX, SOCK_STREAM, 0);
}

static void connect_somewhere(void)
{
	(void)connect(0, NULL, 0);
}

static void open_file(void)
{
	(void)open("/etc/passwd", O_RDONLY);
}

static void make_file(void)
{
	(void)memfd_create("x", 0);
}

static void execute(void)
{
	char *const argv[] = {"true", NULL};

	(void)execv("/bin/true", argv);
}

static void fork_one(void)
{
	(void)fork();
}

static void trace_parent(void)
{
	(void)ptrace(PTRACE_ATTACH, getppid(), NULL, NULL);
}

static void signal_parent(void)
{
	(void)kill(getppid(), 0);
}

static void signal_another(void)
{
	(void)syscall(SYS_tgkill, getppid(), getppid(), 0);
}

static void map_code(void)
{
	(void)mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		   0);
}

static void make_code(void)
{
	static char page[8192] __attribute__((aligned(4096)));

	(void)mprotect(page, 4096, PROT_READ | PROT_EXEC);
}

static void write_elsewhere(void)
{
	(void)!write(STDOUT_FILENO, "x", 1);
}

static void become_root(void)
{
	(void)!setuid(0);
}

static void raise_limit(void)
{
	const struct rlimit r = {RLIM_INFINITY, RLIM_INFINITY};

	(void)setrlimit(RLIMIT_AS, &r);
}

static void read_another(void)
{
	(void)syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0);
}

static const struct {
	const char *what;
	void (*try)(void);
} forbidden[] = {
    {"socket", open_socket},
    {"unix socket", open_unix_socket},
    {"connect", connect_somewhere},
    {"open", open_file},
    {"memfd", make_file},
    {"exec", execute},
    {"fork", fork_one},
    {"ptrace", trace_parent},
    {"kill", signal_parent},
    {"tgkill", signal_another},
    {"mmap exec", map_code},
    {"mprotect exec", make_code},
    {"write", write_elsewhere},
    {"setuid", become_root},
    {"setrlimit", raise_limit},
    {"process_vm_readv", read_another},
};

static int status_of(void (*try)(void), bool files)
{
	char message[128];
	struct buf err = buf_over(message, sizeof(message));
	const pid_t pid = fork();
	int status;

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		/* Where the tests' own output goes to a file, the limit on files would kill before
		 * the filter is asked. */
		if (dup2(open("/dev/null", O_WRONLY), STDOUT_FILENO) < 0)
			_exit(41);
		if (!jail_limit(MEMORY, 0, &err) || !jail_seccomp(files, &err))
			_exit(40);
		try();
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status;
}

START_TEST(forbidden_call_kills)
{
	const int status = status_of(forbidden[_i].try, false);

	ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS, "%s: status %x",
		      forbidden[_i].what, status);
}
END_TEST

/* Who may write temporary files may do that, and nothing else besides. */
START_TEST(forbidden_with_files_too)
{
	void (*const try)(void) = forbidden[_i].try;
	const int status = status_of(try, true);

	if (try == open_file || try == write_elsewhere)
		ck_assert_msg(status == 0, "%s: status %x", forbidden[_i].what, status);
	else
		ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS, "%s: status %x",
			      forbidden[_i].what, status);
}
END_TEST

/* ---- Allowed */

static void work(void)
{
	char *p = malloc(1 << 20);

	if (!p || write(STDERR_FILENO, "", 0) != 0)
		_exit(1);
	memset(p, 1, 1 << 20);
	free(p);
}

START_TEST(work_goes_on)
{
	ck_assert_int_eq(status_of(work, false), 0);
}
END_TEST

static void eat_memory(void)
{
	volatile char *p;

	while ((p = malloc(16 << 20)))
		*p = 1;
	_exit(errno == ENOMEM ? 0 : 1);
}

START_TEST(memory_is_limited)
{
	ck_assert_int_eq(status_of(eat_memory, false), 0);
}
END_TEST

/* A library's abort() must be seen as one. */
START_TEST(abort_is_an_abort)
{
	const int status = status_of(abort, false);

	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}
END_TEST

/* ---- The walls that only root can make */

static bool drop_sys_admin(void)
{
	const cap_value_t admin = CAP_SYS_ADMIN;
	cap_t caps = cap_get_proc();
	const bool ok = caps && cap_set_flag(caps, CAP_EFFECTIVE, 1, &admin, CAP_CLEAR) == 0 &&
			cap_set_flag(caps, CAP_PERMITTED, 1, &admin, CAP_CLEAR) == 0 &&
			cap_set_proc(caps) == 0;

	cap_free(caps);
	return ok;
}

/* The number of the first thing that isn't as it should be. */
static int look_around(bool with_namespaces)
{
	char message[256];
	struct buf err = buf_over(message, sizeof(message));

	if (!with_namespaces && !drop_sys_admin())
		return 1;
	if (!jail_enter(LIT("gatepost-jail"), &err)) {
		fprintf(stderr, "%s\n", message);
		return 2;
	}
	if (geteuid() == 0 || setuid(0) == 0)
		return 3;
	if (open("/etc/passwd", O_RDONLY) >= 0 || open("/proc/self/maps", O_RDONLY) >= 0 ||
	    open("../etc/passwd", O_RDONLY) >= 0)
		return 4;
	if (open("/x", O_WRONLY | O_CREAT, 0600) >= 0)
		return 5;
	return 0;
}

/* With namespaces, and where there may be none. */
START_TEST(root_directory_is_empty)
{
	int status;
	pid_t pid;

	if (geteuid() != 0) {
		puts("SKIP: only root can change the root directory");
		return;
	}
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		_exit(look_around(_i == 0));
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("jail");
	TCase *tc = tcase_create("jail");
	SRunner *sr = srunner_create(s);

	tcase_add_loop_test(tc, forbidden_call_kills, 0, sizeof(forbidden) / sizeof(forbidden[0]));
	tcase_add_loop_test(tc, forbidden_with_files_too, 0,
			    sizeof(forbidden) / sizeof(forbidden[0]));
	tcase_add_test(tc, work_goes_on);
	tcase_add_test(tc, memory_is_limited);
	tcase_add_test(tc, abort_is_an_abort);
	tcase_add_loop_test(tc, root_directory_is_empty, 0, 2);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
