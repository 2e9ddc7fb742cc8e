/* Exemptions: each under its check, "*" under all, bans untouched. */
#include "tests/unit/lists_help.h"

static void put(const char *check, enum list_key kind, const char *key, int64_t expires)
{
	struct list_entry e = entry(kind, key, expires);

	ck_assert_int_eq(exemptions_put(&st, check, &e), 0);
}

static enum answer find(const char *check, const char *address, struct list_entry *out)
{
	struct ip ip = ip_of(address);

	return exemptions_find(&st, check, LIST_CLIENT, &ip, LIT(""), 100, out);
}

START_TEST(by_check)
{
	struct list_entry e;
	struct ip ip = ip_of("192.0.2.1");

	ck_assert(exemptions_none(&st));
	put("dnsbl", LIST_CLIENT, "192.0.2.0/24", 0);
	ck_assert(!exemptions_none(&st));
	ck_assert_int_eq(find("dnsbl", "192.0.2.1", &e), ANSWER_YES);
	ck_assert_str_eq(e.key, "192.0.2.0/24");
	ck_assert_int_eq(find("dns", "192.0.2.1", &e), ANSWER_NO);
	ck_assert_int_eq(find("dnsbl-x", "192.0.2.1", &e), ANSWER_NO);
	ck_assert_int_eq(bans_find(&st, LIST_CLIENT, &ip, LIT(""), 100, &e), ANSWER_NO);
	ck_assert_int_eq(exemptions_del(&st, "spf", LIST_CLIENT, "192.0.2.0/24"), MDB_NOTFOUND);
	ck_assert_int_eq(exemptions_del(&st, "dnsbl", LIST_CLIENT, "192.0.2.0/24"), 0);
	ck_assert(exemptions_none(&st));
}
END_TEST

START_TEST(every_check)
{
	struct list_entry e;

	put("*", LIST_CLIENT, "192.0.2.1", 0);
	put("spf", LIST_CLIENT, "192.0.0.0/16", 0);
	ck_assert_int_eq(find("dnsbl", "192.0.2.1", &e), ANSWER_YES);
	/* the check's own entries are looked at first */
	ck_assert_int_eq(find("spf", "192.0.2.1", &e), ANSWER_YES);
	ck_assert_str_eq(e.key, "192.0.0.0/16");
	ck_assert_int_eq(find("dnsbl", "192.0.2.2", &e), ANSWER_NO);
}
END_TEST

START_TEST(other_kinds_and_expiry)
{
	struct list_entry e;

	put("empty-reply-to", LIST_DOMAIN, "forms.example.org", 0);
	put("empty-reply-to", LIST_HOST, ".mail.example.org", 50);
	ck_assert_int_eq(exemptions_find(&st, "empty-reply-to", LIST_DOMAIN, NULL,
					 LIT("a.Forms.example.org"), 100, &e),
			 ANSWER_YES);
	ck_assert_int_eq(exemptions_find(&st, "empty-reply-to", LIST_HOST, NULL,
					 LIT("mail.example.org"), 49, &e),
			 ANSWER_YES);
	ck_assert_str_eq(e.key, ".mail.example.org");
	ck_assert_int_eq(exemptions_find(&st, "empty-reply-to", LIST_HOST, NULL,
					 LIT("mail.example.org"), 50, &e),
			 ANSWER_NO);
	ck_assert_int_eq(lists_expire(&st, 50, 10), 1);
	ck_assert_int_eq(exemptions_del(&st, "empty-reply-to", LIST_HOST, ".mail.example.org"),
			 MDB_NOTFOUND);
}
END_TEST

static int collect(const char *check, const struct list_entry *e, void *arg)
{
	struct buf *b = arg;

	buf_printf(b, "%s %s:%s\n", check, list_key_name(e->kind), e->key);
	return 0;
}

START_TEST(each)
{
	char seen[512];
	struct buf b = buf_over(seen, sizeof(seen));

	put("spf", LIST_CLIENT, "192.0.2.1", 0);
	put("dnsbl", LIST_LOGIN, "user", 0);
	put("dnsbl", LIST_CLIENT, "2001:db8::/32", 0);
	put("*", LIST_RECIPIENT, "a@b.example", 0);
	ck_assert_int_eq(exemptions_each(&st, collect, &b), 0);
	ck_assert_str_eq(seen, "* recipient:a@b.example\n"
			       "dnsbl client:2001:db8::/32\n"
			       "dnsbl login:user\n"
			       "spf client:192.0.2.1/32\n");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("exemptions");
	TCase *tc = tcase_create("exemptions");
	SRunner *sr = srunner_create(s);

	tcase_add_checked_fixture(tc, lists_setup, lists_teardown);
	tcase_add_test(tc, by_check);
	tcase_add_test(tc, every_check);
	tcase_add_test(tc, other_kinds_and_expiry);
	tcase_add_test(tc, each);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
