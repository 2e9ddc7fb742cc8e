/* Delivery into Maildirs: safe names, whole messages, all recipients or none. */
#include "worker/delivery/maildir_file.h"
#include "worker/delivery/maildir_path.h"

#include "delivery_fixture.h"
#include "temp_dir.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* The program's own fsync() and renameat() stand before those of libc: they note what is done in
 * which order (f: a file is synced, d: a directory, r: a rename), and fail when they are told to.
 */
static char calls[64];
static size_t call_count;
static size_t fail_at = SIZE_MAX;

static bool note_call(char what)
{
	if (call_count + 1 < sizeof(calls))
		calls[call_count] = what;
	calls[call_count + 1] = '\0';
	if (call_count++ != fail_at)
		return true;
	errno = EIO;
	return false;
}

int fsync(int fd)
{
	struct stat st;

	if (fstat(fd, &st) == 0 && !note_call(S_ISDIR(st.st_mode) ? 'd' : 'f'))
		return -1;
	return (int)syscall(SYS_fsync, fd);
}

int renameat(int from_fd, const char *from, int to_fd, const char *to)
{
	return note_call('r') ? (int)syscall(SYS_renameat2, from_fd, from, to_fd, to, 0) : -1;
}

static char base[64], template[128];
static struct hop_reply out;
static enum answer answered;
static const char *body = "Subject: x\r\n\r\n.text\r\nno end";

static void open_maildir(struct fixture *f, const char *path)
{
	fixture_init(f);
	temp_dir_make(base);
	snprintf(template, sizeof(template), "%s/%s", base, path);
	f->hosts[0] = (struct hop_address){
	    .kind = HOP_MAILDIR, .name = LIT("maildir:test"), .path = text_of(template)};
	f->route.host_count = 1;
	fixture_open(f);
}

static void close_maildir(struct fixture *f)
{
	fixture_close(f);
	temp_dir_remove(base);
}

static void deliver(struct fixture *f)
{
	struct delivery *d = delivery_open(f->routes, &f->session, &f->route);
	struct spool *s = fixture_message(f, body, strlen(body));

	delivery_send(d, &(struct payload){.fields = LIT("Received: y\r\n"), .message = s}, &out);
	spool_free(s);
	delivery_close(d);
}

static void ask(struct fixture *f)
{
	struct delivery *d = delivery_open(f->routes, &f->session, &f->route);

	answered = delivery_ask(d, &f->recipients[0], &out);
	delivery_close(d);
}

/* How many files; the last one's path in `found`. */
static char found[2 * PATH_MAX];

static int files_in(const char *relative)
{
	char path[PATH_MAX];
	struct dirent *e;
	DIR *d;
	int n = 0;

	snprintf(path, sizeof(path), "%s/%s", base, relative);
	d = opendir(path);
	if (!d)
		return -1;
	while ((e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		n++;
		snprintf(found, sizeof(found), "%s/%s", path, e->d_name);
	}
	closedir(d);
	return n;
}

static void expect_file(const char *want)
{
	char got[4096] = "";
	struct stat st;
	FILE *in = fopen(found, "r");

	ck_assert_ptr_nonnull(in);
	ck_assert_uint_gt(fread(got, 1, sizeof(got) - 1, in), 0);
	ck_assert_int_eq(fstat(fileno(in), &st), 0);
	ck_assert_int_eq(st.st_mode & 0777, 0600);
	fclose(in);
	ck_assert_str_eq(got, want);
}

START_TEST(one_message)
{
	struct fixture f;

	open_maildir(&f, "%d/%u");
	fixture_recipient(&f, "User+tag@local.test");
	fixture_run(&f, ask);
	ck_assert_int_eq(answered, ANSWER_YES);
	ck_assert_int_eq(files_in("."), 0); /* made when mail comes, not by a question */
	fixture_run(&f, deliver);
	ck_assert_int_eq(out.code, 250);
	ck_assert_int_eq(files_in("local.test/user/tmp"), 0);
	ck_assert_int_eq(files_in("local.test/user/cur"), 0);
	ck_assert_int_eq(files_in("local.test/user/new"), 1);
	expect_file("Return-Path: <sender@example.org>\r\nReceived: y\r\nSubject: x\r\n\r\n"
		    ".text\r\nno end");
	/* The reply names the file, for the log. */
	ck_assert_ptr_nonnull(strstr(found, out.text.p));
	fixture_run(&f, ask);
	ck_assert_int_eq(answered, ANSWER_YES);
	fixture_run(&f, deliver);
	ck_assert_int_eq(files_in("local.test/user/new"), 2);
	close_maildir(&f);
}
END_TEST

START_TEST(from_a_file)
{
	struct fixture f;
	size_t n = 400000;
	char *m = malloc(n + 1);

	memset(m, 'x', n);
	m[n] = '\0';
	body = m;
	open_maildir(&f, "all");
	f.place.memory_each = 1000;
	fixture_recipient(&f, "user@local.test");
	f.tx.from = (struct mailbox){0};
	fixture_run(&f, deliver);
	ck_assert_int_eq(out.code, 250);
	ck_assert_int_eq(files_in("all/new"), 1);
	struct stat st;
	ck_assert_int_eq(stat(found, &st), 0);
	ck_assert_int_eq(st.st_size, (off_t)(strlen("Return-Path: <>\r\nReceived: y\r\n") + n));
	free(m);
	close_maildir(&f);
}
END_TEST

START_TEST(several_recipients)
{
	struct fixture f;

	open_maildir(&f, "%u");
	fixture_recipient(&f, "a@local.test");
	fixture_recipient(&f, "b@local.test");
	fixture_recipient(&f, "a+x@local.test");
	fixture_run(&f, deliver);
	ck_assert_int_eq(out.code, 250);
	ck_assert_int_eq(files_in("a/new"), 2);
	ck_assert_int_eq(files_in("b/new"), 1);
	close_maildir(&f);
}
END_TEST

/* The second can't be renamed, for its `new` is no directory: the first is taken away again. */
START_TEST(all_or_none)
{
	struct fixture f;
	char path[128];

	open_maildir(&f, "%u");
	fixture_recipient(&f, "a@local.test");
	fixture_recipient(&f, "b@local.test");
	fixture_run(&f, deliver);
	ck_assert_int_eq(out.code, 250);
	/* b/new leads to a place where renaming fails: another file system. */
	snprintf(path, sizeof(path), "%s/b/new", base);
	ck_assert_int_eq(files_in("b/new"), 1);
	ck_assert_int_eq(remove(found), 0);
	ck_assert_int_eq(rmdir(path), 0);
	ck_assert_int_eq(symlink("/proc/self", path), 0);
	fixture_run(&f, deliver);
	ck_assert_int_eq(out.code, 451);
	ck_assert_str_eq(out.enhanced, "4.3.0");
	ck_assert_int_eq(files_in("a/new"), 1);
	ck_assert_int_eq(files_in("a/tmp"), 0);
	ck_assert_int_eq(files_in("b/tmp"), 0);
	ck_assert_int_eq(unlink(path), 0);
	close_maildir(&f);
}
END_TEST

/* Whatever fails, at each point of a delivery to two: a temporary answer, and nothing is left. */
START_TEST(synced_before_renamed)
{
	struct fixture f;

	open_maildir(&f, "%u");
	fixture_recipient(&f, "a@local.test");
	fixture_recipient(&f, "b@local.test");
	fixture_run(&f, deliver);
	ck_assert_int_eq(out.code, 250);
	for (size_t i = 0; i < 6; i++) {
		call_count = 0;
		fail_at = i;
		fixture_run(&f, deliver);
		ck_assert_int_eq(out.code, 451);
		ck_assert_uint_eq(call_count, i + 1);
		ck_assert_int_eq(files_in("a/tmp") + files_in("b/tmp"), 0);
		ck_assert_int_eq(files_in("a/new") + files_in("b/new"), 2);
	}
	call_count = 0;
	fail_at = SIZE_MAX;
	fixture_run(&f, deliver);
	ck_assert_int_eq(out.code, 250);
	ck_assert_str_eq(calls, "ffrrdd");
	close_maildir(&f);
}
END_TEST

START_TEST(disk_full)
{
	struct rlimit limit = {30, RLIM_INFINITY};
	struct rlimit none = {RLIM_INFINITY, RLIM_INFINITY};
	struct fixture f;

	open_maildir(&f, "%u");
	fixture_recipient(&f, "a@local.test");
	fixture_recipient(&f, "b@local.test");
	fixture_run(&f, ask);
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &limit);
	fixture_run(&f, deliver);
	setrlimit(RLIMIT_FSIZE, &none);
	ck_assert_int_eq(out.code, 452);
	ck_assert_str_eq(out.enhanced, "4.3.1");
	ck_assert_int_eq(files_in("a/tmp"), 0);
	ck_assert_int_eq(files_in("a/new"), 0);
	fixture_run(&f, deliver);
	ck_assert_int_eq(out.code, 250);
	close_maildir(&f);
}
END_TEST

START_TEST(in_the_way)
{
	struct fixture f;
	char path[128];

	open_maildir(&f, "%d/%u");
	fixture_recipient(&f, "a@local.test");
	snprintf(path, sizeof(path), "%s/local.test", base);
	ck_assert_int_eq(close(open(path, O_WRONLY | O_CREAT, 0600)), 0);
	fixture_run(&f, ask);
	ck_assert_int_eq(answered, ANSWER_UNKNOWN);
	ck_assert_int_eq(out.code, 451);
	fixture_run(&f, deliver);
	ck_assert_int_eq(out.code, 451);
	close_maildir(&f);
}
END_TEST

START_TEST(not_writable)
{
	struct fixture f;

	open_maildir(&f, "%d/%u");
	fixture_recipient(&f, "a@local.test");
	ck_assert_int_eq(chmod(base, 0500), 0);
	if (geteuid() == 0) { /* for whom modes mean nothing */
		ck_assert_int_eq(chown(base, 65534, 65534), 0);
		ck_assert_int_eq(setegid(65534), 0);
		ck_assert_int_eq(seteuid(65534), 0);
	}
	/* The threads have user ids of their own, so the call itself is tested. */
	int fd = open(base, O_PATH | O_DIRECTORY);
	ck_assert_int_eq(maildir_file_try(fd, "local.test/a"), EACCES);
	struct maildir_file file;
	struct maildir_job job = {.base_fd = fd, .files = &file, .count = 1, .finish = true};
	maildir_file_init(&file, "local.test/a", "name");
	maildir_job_run(&job);
	ck_assert_int_eq(job.error, EACCES);
	maildir_job_undo(&job);
	close(fd);
	ck_assert_int_eq(chmod(base, 0700), 0);
	if (getuid() == 0)
		ck_assert_int_eq(seteuid(0), 0);
	close_maildir(&f);
}
END_TEST

/* ---- Names */

static const struct {
	const char *template, *local, *domain, *path; /* path NULL: refused */
} names[] = {
    {"%d/%u", "user", "local.test", "local.test/user"},
    {"%d/%u", "USER", "local.test", "local.test/user"},
    {"%d/%u", "user+tag", "local.test", "local.test/user"},
    {"%d/%u/Maildir", "o'brien", "local.test", "local.test/o'brien/Maildir"},
    {"%u@%d", "a", "b.test", "a@b.test"},
    {"box-%u%%", "a", "b.test", "box-a%"},
    {"", "..", "b.test", "."},
    {"%d", "..", "b.test", "b.test"},
    {"%d/%u", "..", "local.test", NULL},
    {"%d/%u", ".", "local.test", NULL},
    {"%d/%u", ".ssh", "local.test", NULL},
    {"%d/%u", "", "local.test", NULL},
    {"%d/%u", "a/b", "local.test", NULL},
    {"%d/%u", "../../etc", "local.test", NULL},
    {"%d/%u", "/etc", "local.test", NULL},
    {"%d/%u", "a\nb", "local.test", NULL},
    {"%d/%u", "a\x7f", "local.test", NULL},
    {"%d/%u", "a", "", NULL},
    {"%d/%u", "a", "../x", NULL},
    {"%d/%u", "a", ".", NULL},
    {"%u", "${run{/bin/touch /tmp/x}}", "b.test", NULL},
    {"%u", "$(touch x)`y`|z;%u%n%s", "b.test", "$(touch x)`y`|z;%u%n%s"},
};

START_TEST(safe_names)
{
	char path[MAILDIR_PATH_MAX];
	struct mailbox m = {.local = text_of(names[_i].local), .domain = text_of(names[_i].domain)};
	bool ok = maildir_path(text_of(names[_i].template), &m, LIT("+"), path);

	ck_assert_msg(ok == (names[_i].path != NULL), "%s: %s", names[_i].local, path);
	if (ok)
		ck_assert_str_eq(path, names[_i].path);
}
END_TEST

START_TEST(nul_and_length)
{
	char path[MAILDIR_PATH_MAX], many[300];
	struct mailbox m = {.local = text_make("a\0b", 3), .domain = LIT("local.test")};

	ck_assert(!maildir_path(LIT("%u"), &m, LIT("+"), path));
	memset(many, 'a', sizeof(many));
	m.local = text_make(many, sizeof(many));
	ck_assert(!maildir_path(LIT("%u"), &m, LIT("+"), path));
	m.local = text_make(many, 255);
	ck_assert(maildir_path(LIT("%u"), &m, LIT("+"), path));
	ck_assert(!maildir_path(LIT("x%u"), &m, LIT("+"), path));
	ck_assert(!maildir_path(LIT("%u/%u/%u/%u/%u"), &m, LIT("+"), path));
}
END_TEST

START_TEST(refused_names_are_no_mailboxes)
{
	struct fixture f;

	open_maildir(&f, "%d/%u");
	fixture_recipient(&f, "../../x@local.test");
	fixture_run(&f, ask);
	ck_assert_int_eq(answered, ANSWER_NO);
	ck_assert_int_eq(out.code, 550);
	ck_assert_str_eq(out.enhanced, "5.1.1");
	fixture_run(&f, deliver);
	ck_assert_int_eq(out.code, 550);
	ck_assert_int_eq(files_in("."), 0);
	close_maildir(&f);
}
END_TEST

static const struct {
	const char *template, *base, *rest;
} bases[] = {
    {"/var/mail/%d/%u", "/var/mail", "%d/%u"},
    {"/var/mail/x-%u/M", "/var/mail", "x-%u/M"},
    {"/var/mail/all", "/var/mail/all", ""},
    {"%u", ".", "%u"},
    {"/%u", "/", "%u"},
    {"a//%u", "a", "%u"},
};

START_TEST(base_of_a_template)
{
	struct text rest, got = maildir_base(text_of(bases[_i].template), &rest);

	ck_assert(text_eq(got, text_of(bases[_i].base)));
	ck_assert(text_eq(rest, text_of(bases[_i].rest)));
}
END_TEST

START_TEST(base_that_cannot_be)
{
	char text[256];
	struct buf err = buf_over(text, sizeof(text));
	struct fixture f;

	open_maildir(&f, "deep/er/%u"); /* made */
	ck_assert_int_eq(files_in("deep"), 1);
	f.hosts[0].path = LIT("/proc/nothing/%u");
	ck_assert_ptr_null(routes_open(f.loop, &f.config, f.offload, &f.slot, &err));
	ck_assert_ptr_nonnull(strstr(text, "/proc/nothing: No such file"));
	f.hosts[0].path = text_of(template);
	close_maildir(&f);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("maildir");
	TCase *t = tcase_create("maildir");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_set_timeout(t, 60);
	tcase_add_test(t, one_message);
	tcase_add_test(t, from_a_file);
	tcase_add_test(t, several_recipients);
	tcase_add_test(t, all_or_none);
	tcase_add_test(t, synced_before_renamed);
	tcase_add_test(t, disk_full);
	tcase_add_test(t, in_the_way);
	tcase_add_test(t, not_writable);
	tcase_add_loop_test(t, safe_names, 0, (int)(sizeof(names) / sizeof(names[0])));
	tcase_add_test(t, nul_and_length);
	tcase_add_test(t, refused_names_are_no_mailboxes);
	tcase_add_loop_test(t, base_of_a_template, 0, (int)(sizeof(bases) / sizeof(bases[0])));
	tcase_add_test(t, base_that_cannot_be);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
