/* Recipients: how an address is looked up, imports as one change, undo, and an import that is
 * killed. */
#include "tests/unit/lists_help.h"

#include <errno.h>
#include <signal.h>
#include <time.h>

#define DOMAIN LIT("example.net")

static enum answer find(const char *local)
{
	return recipients_find(&st, DOMAIN, text_of(local), '+');
}

struct series {
	unsigned at, end;
	char local[32];
};

static bool next_local(struct text *local, void *arg)
{
	struct series *s = arg;

	if (s->at == s->end)
		return false;
	/* no order that would help */
	snprintf(s->local, sizeof(s->local), "User%u.%u", s->at * 7919 % 1000, s->at);
	s->at++;
	*local = text_of(s->local);
	return true;
}

static int import(unsigned from, unsigned end, unsigned percent, struct recipients_change *out)
{
	struct series s = {.at = from, .end = end};

	return recipients_import(&st, DOMAIN, next_local, &s, percent, out);
}

static bool has_user(unsigned i)
{
	char local[32];

	snprintf(local, sizeof(local), "user%u.%u", i * 7919 % 1000, i);
	return find(local) == ANSWER_YES;
}

static uint64_t count(void)
{
	struct recipients_info info;

	ck_assert_int_eq(recipients_info(&st, DOMAIN, &info), 0);
	return info.count;
}

static int count_one(struct text local, void *arg)
{
	ck_assert(local.n < 100);
	++*(uint64_t *)arg;
	return 0;
}

static void check_change(const struct recipients_change *c, uint64_t added, uint64_t removed,
			 uint64_t kept, uint64_t repeated)
{
	ck_assert_uint_eq(c->added, added);
	ck_assert_uint_eq(c->removed, removed);
	ck_assert_uint_eq(c->kept, kept);
	ck_assert_uint_eq(c->repeated, repeated);
}

START_TEST(look_up)
{
	ck_assert_int_eq(find("anybody"), ANSWER_UNKNOWN);
	ck_assert_int_eq(recipients_put(&st, LIT("Example.NET"), LIT("User")), 0);
	ck_assert_int_eq(recipients_put(&st, DOMAIN, LIT("user")), 0);
	ck_assert_uint_eq(count(), 1);
	ck_assert_int_eq(recipients_put(&st, DOMAIN, LIT("with+plus")), 0);
	ck_assert_int_eq(find("USER"), ANSWER_YES);
	ck_assert_int_eq(find("user+tag"), ANSWER_YES);
	ck_assert_int_eq(find("user+a+b"), ANSWER_YES);
	ck_assert_int_eq(find("with+plus"), ANSWER_YES);
	ck_assert_int_eq(find("with"), ANSWER_NO);
	ck_assert_int_eq(find("user2"), ANSWER_NO);
	ck_assert_int_eq(find("+tag"), ANSWER_NO);
	ck_assert_int_eq(find("user-tag"), ANSWER_NO);
	ck_assert_int_eq(recipients_find(&st, DOMAIN, LIT("user-tag"), '-'), ANSWER_YES);
	ck_assert_int_eq(recipients_find(&st, DOMAIN, LIT("user+tag"), 0), ANSWER_NO);
	ck_assert_int_eq(recipients_find(&st, LIT("example.NET."), LIT("user"), 0), ANSWER_YES);
	ck_assert_int_eq(recipients_find(&st, LIT("sub.example.net"), LIT("user"), 0),
			 ANSWER_UNKNOWN);

	ck_assert_int_eq(recipients_put(&st, DOMAIN, LIT("")), 0);
	ck_assert_int_eq(find("whoever"), ANSWER_YES);
	ck_assert_int_eq(recipients_del(&st, DOMAIN, LIT("")), 0);
	ck_assert_int_eq(find("whoever"), ANSWER_NO);
	ck_assert_int_eq(recipients_del(&st, DOMAIN, LIT("whoever")), MDB_NOTFOUND);
	ck_assert_int_eq(recipients_del(&st, DOMAIN, LIT("User")), 0);
	ck_assert_int_eq(recipients_del(&st, DOMAIN, LIT("with+plus")), 0);
	/* an empty list is not "nobody" */
	ck_assert_int_eq(find("user"), ANSWER_UNKNOWN);
}
END_TEST

START_TEST(too_long)
{
	char local[RECIPIENT_LOCAL_MAX + 2];

	memset(local, 'a', sizeof(local));
	ck_assert_int_eq(recipients_put(&st, DOMAIN, text_make(local, sizeof(local) - 1)), EINVAL);
	ck_assert_int_eq(recipients_put(&st, DOMAIN, text_make(local, sizeof(local) - 2)), 0);
	ck_assert_int_eq(recipients_find(&st, DOMAIN, text_make(local, sizeof(local)), 0),
			 ANSWER_NO);
	ck_assert_int_eq(recipients_put(&st, LIT(""), LIT("a")), EINVAL);
}
END_TEST

START_TEST(import_refuse_undo)
{
	struct recipients_change c;
	struct recipients_info before, after;
	uint64_t n = 0;

	ck_assert_int_eq(recipients_undo(&st, DOMAIN, &c), MDB_NOTFOUND);
	ck_assert_int_eq(import(0, 100000, 10, &c), 0);
	check_change(&c, 100000, 0, 0, 0);
	ck_assert_uint_eq(count(), 100000);
	ck_assert(has_user(0) && has_user(99999) && !has_user(100000));
	ck_assert_int_eq(recipients_each(&st, DOMAIN, count_one, &n), 0);
	ck_assert_uint_eq(n, 100000);

	/* 20 % would go */
	ck_assert_int_eq(recipients_info(&st, DOMAIN, &before), 0);
	ck_assert_int_eq(import(20000, 100000, 10, &c), ECANCELED);
	check_change(&c, 0, 20000, 80000, 0);
	ck_assert_int_eq(recipients_info(&st, DOMAIN, &after), 0);
	ck_assert_uint_eq(before.version, after.version);
	ck_assert(has_user(0));

	ck_assert_int_eq(import(20000, 101000, 100, &c), 0);
	check_change(&c, 1000, 20000, 80000, 0);
	ck_assert(!has_user(0) && has_user(100999));
	ck_assert_uint_eq(count(), 81000);

	ck_assert_int_eq(recipients_undo(&st, DOMAIN, &c), 0);
	check_change(&c, 20000, 1000, 80000, 0);
	ck_assert(has_user(0) && !has_user(100999));
	ck_assert_uint_eq(count(), 100000);
	ck_assert_int_eq(recipients_undo(&st, DOMAIN, &c), 0);
	check_change(&c, 1000, 20000, 80000, 0);
	ck_assert(!has_user(0) && has_user(100999));
}
END_TEST

static bool next_of_three(struct text *local, void *arg)
{
	static const char *const names[] = {"a", "A", "b", "a", ""};
	unsigned *i = arg;

	if (*i == 5)
		return false;
	*local = text_of(names[(*i)++]);
	return true;
}

START_TEST(repeated_and_first_undo)
{
	struct recipients_change c;
	struct recipients_info info;
	unsigned i = 0;

	ck_assert_int_eq(recipients_import(&st, DOMAIN, next_of_three, &i, 0, &c), 0);
	check_change(&c, 3, 0, 0, 2);
	ck_assert_int_eq(find("anybody"), ANSWER_YES);
	ck_assert_int_eq(recipients_info(&st, DOMAIN, &info), 0);
	ck_assert(info.can_undo);
	ck_assert(info.loaded_wall_us > 0);
	ck_assert_int_eq(recipients_undo(&st, DOMAIN, &c), 0);
	check_change(&c, 0, 3, 0, 0);
	ck_assert_int_eq(find("a"), ANSWER_UNKNOWN);
}
END_TEST

static size_t records(void)
{
	MDB_txn *txn = store_read_begin(&st);
	MDB_stat s;

	ck_assert_ptr_nonnull(txn);
	ck_assert_int_eq(mdb_stat(txn, st.dbs[DB_RECIPIENTS], &s), 0);
	store_read_end(&st);
	return s.ms_entries;
}

START_TEST(two_versions_are_kept)
{
	struct recipients_change c;

	for (unsigned i = 0; i < 5; i++)
		ck_assert_int_eq(import(i * 100, i * 100 + 1000, 100, &c), 0);
	ck_assert_uint_eq(records(), 2000);
	ck_assert_int_eq(import(0, 10, 10, &c), ECANCELED);
	ck_assert_uint_eq(records(), 2000);
}
END_TEST

START_TEST(killed_half_way)
{
	struct timespec moment = {.tv_nsec = 1000000};
	struct recipients_change c;
	int status;

	ck_assert_int_eq(import(0, 1000, 100, &c), 0);
	store_close(&st);
	pid_t pid = fork();

	if (pid == 0) {
		lists_open(STORE_WRITE);
		import(0, 500000, 100, &c);
		pause();
	}
	lists_open(STORE_WRITE);
	while (records() <= 1000)
		nanosleep(&moment, NULL);
	kill(pid, SIGSTOP);
	/* some of them stand there, in force nowhere; and nobody else may import now */
	ck_assert_uint_lt(records(), 501000);
	ck_assert(!has_user(1000));
	ck_assert_int_eq(import(0, 10, 100, &c), EBUSY);
	ck_assert_int_eq(recipients_undo(&st, DOMAIN, &c), EBUSY);
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status));
	ck_assert(has_user(999) && !has_user(1000));
	ck_assert_uint_eq(count(), 1000);
	ck_assert_int_eq(import(0, 2000, 100, &c), 0);
	check_change(&c, 1000, 0, 1000, 0);
	ck_assert_uint_eq(records(), 3000);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("recipients");
	TCase *tc = tcase_create("recipients");
	SRunner *sr = srunner_create(s);

	tcase_add_checked_fixture(tc, lists_setup, lists_teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, look_up);
	tcase_add_test(tc, too_long);
	tcase_add_test(tc, import_refuse_undo);
	tcase_add_test(tc, repeated_and_first_undo);
	tcase_add_test(tc, two_versions_are_kept);
	tcase_add_test(tc, killed_half_way);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
