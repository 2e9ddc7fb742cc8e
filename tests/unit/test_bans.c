/* Bans: what each kind covers, expiry, ids, changes that another process sees in its next look-up.
 */
#include "shm/entries.h"
#include "tests/unit/lists_help.h"

#include <errno.h>

static enum answer find(enum list_key kind, const char *key, int64_t now, struct list_entry *out)
{
	struct ip ip;

	if (kind == LIST_CLIENT)
		ip = ip_of(key);
	return bans_find(&st, kind, kind == LIST_CLIENT ? &ip : NULL, text_of(key), now, out);
}

static void put(enum list_key kind, const char *key, int64_t expires)
{
	struct list_entry e = entry(kind, key, expires);

	ck_assert_int_eq(bans_put(&st, &e), 0);
}

START_TEST(each_kind_covers_what_it_says)
{
	static const struct {
		enum list_key kind;
		const char *key;
		const char *yes[6], *no[6];
	} cases[] = {
	    {LIST_CLIENT,
	     "192.0.2.0/24",
	     {"192.0.2.0", "192.0.2.255"},
	     {"192.0.3.0", "::c000:201"}},
	    {LIST_HOST,
	     "mail.example.org",
	     {"mail.example.org", "MX1.Mail.example.org", "mail.example.org."},
	     {"example.org", "xmail.example.org", "org", ""}},
	    {LIST_DOMAIN,
	     "example.com",
	     {"example.com", "a.b.EXAMPLE.com", "example.com."},
	     {"com", "anexample.com", "example.com.au", "", "."}},
	    {LIST_ADDRESS,
	     "Spam@example.net",
	     {"spam@example.net", "SPAM@Example.net"},
	     {"spam@sub.example.net", "am@example.net", "spam", "@example.net"}},
	    {LIST_LOGIN, "user17", {"user17", "USER17"}, {"user1", "user177"}},
	    {LIST_RECIPIENT,
	     "@example.edu",
	     {"a@example.edu", "B@EXAMPLE.edu", "@example.edu"},
	     {"a@sub.example.edu", "example.edu", ""}},
	    {LIST_EXTENSION, "exe", {"exe", "EXE"}, {"exe@example.net", "ex", "xexe", ""}},
	    {LIST_EXTENSION, "zip@example.net", {"zip@example.net"}, {"zip", "zip@example.org"}},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct list_entry e;

		put(cases[i].kind, cases[i].key, 0);
		for (int j = 0; cases[i].yes[j]; j++) {
			ck_assert_msg(find(cases[i].kind, cases[i].yes[j], 10, &e) == ANSWER_YES,
				      "%s", cases[i].yes[j]);
			ck_assert_int_eq(e.kind, cases[i].kind);
			ck_assert_str_eq(e.by, "admin");
			ck_assert_int_eq(e.added_wall_us, 5);
			ck_assert(strstr(e.reason, cases[i].key));
		}
		for (int j = 0; cases[i].no[j]; j++)
			ck_assert_msg(find(cases[i].kind, cases[i].no[j], 10, &e) == ANSWER_NO,
				      "%s", cases[i].no[j]);
	}
}
END_TEST

static int shorten_counts(MDB_txn *txn, void *arg)
{
	struct text value;
	struct entry_counts counts;
	int rc = store_get(txn, DB_SUMMARY, LIT("bans"), &value);

	(void)arg;
	ck_assert_int_eq(rc, 0);
	ck_assert_uint_eq(value.n, sizeof(counts));
	memcpy(&counts, value.p, sizeof(counts));
	return store_put(
	    txn, DB_SUMMARY, LIT("bans"),
	    text_make((const char *)&counts, offsetof(struct entry_counts, later_kinds)));
}

/* A store that was written before there were as many kinds. */
START_TEST(counts_of_an_older_store)
{
	struct list_entry e;

	put(LIST_DOMAIN, "example.com", 0);
	put(LIST_CLIENT, "192.0.2.0/24", 0);
	ck_assert_int_eq(store_write(&st, shorten_counts, NULL), 0);
	ck_assert_int_eq(find(LIST_DOMAIN, "example.com", 10, &e), ANSWER_YES);
	ck_assert_int_eq(find(LIST_CLIENT, "192.0.2.1", 10, &e), ANSWER_YES);
	ck_assert_int_eq(find(LIST_EXTENSION, "exe", 10, &e), ANSWER_NO);
	put(LIST_EXTENSION, "exe", 0);
	ck_assert_int_eq(find(LIST_EXTENSION, "exe", 10, &e), ANSWER_YES);
	ck_assert_int_eq(find(LIST_DOMAIN, "example.com", 10, &e), ANSWER_YES);
}
END_TEST

START_TEST(longest_name_first)
{
	struct list_entry e;

	put(LIST_DOMAIN, "example.com", 0);
	put(LIST_DOMAIN, "b.example.com", 0);
	ck_assert_int_eq(find(LIST_DOMAIN, "a.b.example.com", 1, &e), ANSWER_YES);
	ck_assert_str_eq(e.key, "b.example.com");
	ck_assert_int_eq(find(LIST_DOMAIN, "c.example.com", 1, &e), ANSWER_YES);
	ck_assert_str_eq(e.key, "example.com");
}
END_TEST

START_TEST(expired_is_as_if_it_were_not_there)
{
	struct list_entry e;

	put(LIST_CLIENT, "192.0.2.0/24", 0);
	put(LIST_CLIENT, "192.0.2.1", 1000);
	put(LIST_ADDRESS, "a@b.example", 1000);
	ck_assert_int_eq(find(LIST_CLIENT, "192.0.2.1", 999, &e), ANSWER_YES);
	ck_assert_str_eq(e.key, "192.0.2.1/32");
	ck_assert_int_eq(find(LIST_CLIENT, "192.0.2.1", 1000, &e), ANSWER_YES);
	ck_assert_str_eq(e.key, "192.0.2.0/24");
	ck_assert_int_eq(find(LIST_ADDRESS, "a@b.example", 999, &e), ANSWER_YES);
	ck_assert_int_eq(find(LIST_ADDRESS, "a@b.example", 1000, &e), ANSWER_NO);
}
END_TEST

static int count(const struct list_entry *e, void *arg)
{
	(void)e;
	++*(int *)arg;
	return 0;
}

static int entries(void)
{
	int n = 0;

	ck_assert_int_eq(bans_each(&st, count, &n), 0);
	return n;
}

START_TEST(expiry_removes_what_is_over)
{
	char key[64];

	for (int i = 0; i < 50; i++) {
		snprintf(key, sizeof(key), "a%d.example", i);
		put(LIST_DOMAIN, key, 100 + i);
	}
	put(LIST_DOMAIN, "stays.example", 0);
	/* prolonged: its old end must not remove it */
	put(LIST_DOMAIN, "a0.example", 5000);
	put(LIST_DOMAIN, "a1.example", 0);
	ck_assert_int_eq(lists_expire(&st, 50, 100), 0);
	ck_assert_int_eq(entries(), 51);
	ck_assert_int_eq(lists_expire(&st, 120, 10), 10);
	ck_assert_int_eq(lists_expire(&st, 120, 100), 9);
	ck_assert_int_eq(entries(), 51 - 19);
	ck_assert_int_eq(lists_expire(&st, 4000, 100), 29);
	ck_assert_int_eq(entries(), 3);
	ck_assert_int_eq(find(LIST_DOMAIN, "a0.example", 4000, NULL), ANSWER_YES);
	ck_assert_int_eq(lists_expire(&st, 5000, 100), 1);
	ck_assert_int_eq(lists_expire(&st, INT64_MAX, 100), 0);
	ck_assert_int_eq(entries(), 2);
}
END_TEST

START_TEST(replacing_and_removing)
{
	struct list_entry first, second, other;
	struct list_entry e = entry(LIST_CLIENT, "192.0.2.9", 0);

	put(LIST_CLIENT, "192.0.2.9", 0);
	ck_assert_int_eq(find(LIST_CLIENT, "192.0.2.9", 1, &first), ANSWER_YES);
	ck_assert(!first.at_connect);
	e.at_connect = true;
	strcpy(e.reason, "another");
	ck_assert_int_eq(bans_put(&st, &e), 0);
	ck_assert_int_eq(find(LIST_CLIENT, "192.0.2.9", 1, &second), ANSWER_YES);
	ck_assert_uint_eq(first.id, second.id);
	ck_assert(second.at_connect);
	ck_assert_str_eq(second.reason, "another");
	ck_assert_int_eq(entries(), 1);
	put(LIST_CLIENT, "192.0.2.10", 0);
	ck_assert_int_eq(find(LIST_CLIENT, "192.0.2.10", 1, &other), ANSWER_YES);
	ck_assert_uint_ne(other.id, first.id);

	ck_assert_int_eq(bans_del(&st, LIST_CLIENT, "192.0.2.9"), 0);
	ck_assert_int_eq(bans_del(&st, LIST_CLIENT, "192.0.2.9"), MDB_NOTFOUND);
	ck_assert_int_eq(find(LIST_CLIENT, "192.0.2.9", 1, NULL), ANSWER_NO);
	ck_assert_int_eq(bans_del(&st, LIST_CLIENT, "nonsense"), EINVAL);
	strcpy(e.key, "nonsense");
	ck_assert_int_eq(bans_put(&st, &e), EINVAL);
}
END_TEST

static int in_order(const struct list_entry *e, void *arg)
{
	struct list_entry *last = arg;

	ck_assert(e->kind > last->kind || (e->kind == last->kind && strcmp(e->key, last->key) > 0));
	*last = *e;
	return strcmp(e->key, "stop.example") == 0 ? 42 : 0;
}

START_TEST(each_is_in_order_and_stops)
{
	struct list_entry last = {.kind = LIST_CLIENT};

	put(LIST_DOMAIN, "stop.example", 0);
	put(LIST_ADDRESS, "a@b.example", 0);
	put(LIST_DOMAIN, "a.example", 0);
	put(LIST_CLIENT, "192.0.2.1", 0);
	put(LIST_CLIENT, "192.0.2.0/24", 0);
	ck_assert_int_eq(bans_each(&st, in_order, &last), 42);
	ck_assert_str_eq(last.key, "stop.example");
}
END_TEST

struct series {
	int n, of;
};

static bool next_entry(struct list_entry *e, void *arg)
{
	struct series *s = arg;
	char key[64];

	if (s->n == s->of)
		return false;
	snprintf(key, sizeof(key), "10.%d.%d.0/24", s->n / 256, s->n % 256);
	s->n++;
	*e = entry(LIST_CLIENT, key, 0);
	return true;
}

START_TEST(many_at_once)
{
	struct series s = {0, 2500};
	uint64_t n;

	ck_assert_int_eq(bans_put_all(&st, next_entry, &s, &n), 0);
	ck_assert_uint_eq(n, 2500);
	ck_assert_int_eq(entries(), 2500);
	ck_assert_int_eq(find(LIST_CLIENT, "10.9.195.77", 1, NULL), ANSWER_YES);
	ck_assert_int_eq(find(LIST_CLIENT, "10.9.196.77", 1, NULL), ANSWER_NO);
}
END_TEST

/* ---- a second process ---- */

static int to_child[2], from_child[2];

/* Says "?" and answers with what the next look-up found. */
static int follow(void)
{
	char c;

	lists_open(STORE_READ);
	while (read(to_child[0], &c, 1) == 1) {
		if (c == 'q')
			return 0;
		struct ip ip = ip_of("192.0.2.1");
		enum answer a = bans_find(&st, LIST_CLIENT, &ip, LIT(""), 10, NULL);

		c = a == ANSWER_YES ? 'y' : a == ANSWER_NO ? 'n' : 'u';
		if (write(from_child[1], &c, 1) != 1)
			return 1;
	}
	return 2;
}

static char ask(void)
{
	char c = '?';

	ck_assert_int_eq((int)write(to_child[1], &c, 1), 1);
	ck_assert_int_eq((int)read(from_child[0], &c, 1), 1);
	return c;
}

START_TEST(seen_by_another_process_at_once)
{
	int status;

	ck_assert_int_eq(pipe(to_child), 0);
	ck_assert_int_eq(pipe(from_child), 0);
	store_close(&st);
	pid_t pid = fork();

	if (pid == 0)
		_exit(follow());
	lists_open(STORE_WRITE);
	for (int i = 0; i < 50; i++) {
		ck_assert_int_eq(ask(), 'n');
		put(LIST_CLIENT, i % 2 ? "192.0.2.0/24" : "192.0.2.1", 0);
		ck_assert_int_eq(ask(), 'y');
		ck_assert_int_eq(ask(), 'y');
		ck_assert_int_eq(bans_del(&st, LIST_CLIENT, i % 2 ? "192.0.2.0/24" : "192.0.2.1"),
				 0);
	}
	ck_assert_int_eq((int)write(to_child[1], "q", 1), 1);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("bans");
	TCase *tc = tcase_create("bans");
	SRunner *sr = srunner_create(s);

	tcase_add_checked_fixture(tc, lists_setup, lists_teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, each_kind_covers_what_it_says);
	tcase_add_test(tc, counts_of_an_older_store);
	tcase_add_test(tc, longest_name_first);
	tcase_add_test(tc, expired_is_as_if_it_were_not_there);
	tcase_add_test(tc, expiry_removes_what_is_over);
	tcase_add_test(tc, replacing_and_removing);
	tcase_add_test(tc, each_is_in_order_and_stops);
	tcase_add_test(tc, many_at_once);
	tcase_add_test(tc, seen_by_another_process_at_once);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
