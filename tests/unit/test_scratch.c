/* The rooms of the anti-virus inspectors: what one can do there, and that there is no way out. */
#include "worker/inspect/scratch.h"

#include "temp_dir.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/capability.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROOMS = 3, ROOM_BYTES = 1 << 20 };

static char dir[64];

static void set_up(void)
{
	temp_dir_make(dir);
}

static void tear_down(void)
{
	temp_dir_remove(dir);
}

static bool enter(struct buf *err)
{
	const struct scratch_options o = {.rooms = ROOMS,
					  .bytes = ROOM_BYTES,
					  .user = LIT("gatepost-jail"),
					  .state_dir = dir,
					  .index = 1};

	return scratch_enter(&o, err);
}

/* As a service manager may start us: no mounts, and no write access to what is not root's. */
static bool drop_rights(void)
{
	const cap_value_t values[] = {CAP_SYS_ADMIN, CAP_DAC_OVERRIDE};
	const struct passwd *owner = getpwnam("gatepost");
	cap_t caps = cap_get_proc();
	const bool ok = owner && chown(dir, owner->pw_uid, owner->pw_gid) == 0 && caps &&
			cap_set_flag(caps, CAP_EFFECTIVE, 2, values, CAP_CLEAR) == 0 &&
			cap_set_flag(caps, CAP_PERMITTED, 2, values, CAP_CLEAR) == 0 &&
			cap_set_proc(caps) == 0;

	cap_free(caps);
	return ok;
}

static bool write_file(const char *name, size_t n)
{
	static char bytes[4096];
	const int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	bool ok = fd >= 0;

	for (size_t done = 0; ok && done < n; done += sizeof(bytes))
		ok = write(fd, bytes, sizeof(bytes)) == (ssize_t)sizeof(bytes);
	if (fd >= 0)
		close(fd);
	return ok;
}

static int entries(void)
{
	DIR *d = opendir(".");
	int n = -2;

	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n;
}

/* The number of the first thing that isn't as it should be. */
static int live_there(bool with_mounts)
{
	char message[256];
	struct buf err = buf_over(message, sizeof(message));

	if ((!with_mounts && !drop_rights()) || !enter(&err)) {
		fprintf(stderr, "%s\n", message);
		return 1;
	}
	if (geteuid() == 0 || setuid(0) == 0)
		return 2;
	if (!scratch_take_room(1, &err)) {
		fprintf(stderr, "%s\n", message);
		return 3;
	}
	if (entries() != 0 || !write_file("a", 5000) || mkdir("d", 0700) != 0 ||
	    mkdir("d/e", 0700) != 0 || !write_file("d/e/f", 10) || symlink("/", "d/up") != 0)
		return 4;
	if (open("/etc/passwd", O_RDONLY) >= 0 || open("/proc/self/maps", O_RDONLY) >= 0 ||
	    open("../../etc/passwd", O_RDONLY) >= 0 || open("../2", O_RDONLY) >= 0 ||
	    open("d/up/2", O_RDONLY) >= 0)
		return 5;
	/* The right to do it once more is gone. */
	if (chroot("d") == 0 || errno != EPERM)
		return 6;
	if (with_mounts && write_file("large", 2 * ROOM_BYTES))
		return 7;
	scratch_sweep();
	return entries() == 0 && write_file("again", 5000) ? 0 : 8;
}

static void run(int (*fn)(bool), bool arg)
{
	const pid_t pid = fork();
	int status;

	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		_exit(fn(arg));
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}

/* With mounts, and where there may be none. */
START_TEST(a_room)
{
	if (geteuid() != 0)
		puts("SKIP: only root can make rooms without a way out");
	else
		run(live_there, _i == 0);
}
END_TEST

/* What a dead inspector left, the zygote removes, and only that. */
static int clean_up(bool unused)
{
	char message[256];
	struct buf err = buf_over(message, sizeof(message));

	(void)unused;
	if (!enter(&err) || !write_file("0/left", 10) || mkdir("0/d", 0700) != 0 ||
	    !write_file("0/d/x", 10) || !write_file("1/other", 10))
		return 1;
	scratch_clean_room(0);
	if (access("0/left", F_OK) == 0 || access("0/d", F_OK) == 0)
		return 2;
	return access("1/other", F_OK) == 0 ? 0 : 3;
}

START_TEST(cleaned_by_the_zygote)
{
	run(clean_up, true);
}
END_TEST

/* Started as anybody: a directory below state-dir. */
static int live_as_user(bool unused)
{
	char message[256];
	struct buf err = buf_over(message, sizeof(message));

	(void)unused;
	if (geteuid() == 0 && (chmod(dir, 0777) != 0 || setgid(65534) != 0 || setuid(65534) != 0))
		return 1;
	if (!enter(&err) || !scratch_take_room(2, &err))
		return 2;
	if (!write_file("a", 5000) || entries() != 1)
		return 3;
	scratch_sweep();
	return entries() == 0 ? 0 : 4;
}

START_TEST(without_root)
{
	run(live_as_user, true);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("scratch");
	TCase *tc = tcase_create("scratch");
	SRunner *sr = srunner_create(s);

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_loop_test(tc, a_room, 0, 2);
	tcase_add_test(tc, cleaned_by_the_zygote);
	tcase_add_test(tc, without_root);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
