/* Local users in the store, and what is kept of their passwords. */
#include "shm/password.h"

#include "tests/unit/temp_dir.h"

#include <check.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

static char dir[64];
static struct store st;

static void start(void)
{
	char message[256];
	struct buf err = buf_over(message, sizeof(message));

	temp_dir_make(dir);
	ck_assert_msg(store_open(&st, dir, STORE_USERS, STORE_WRITE, &err) == 0, "%s", message);
}

static void stop(void)
{
	store_close(&st);
	temp_dir_remove(dir);
}

static void put(const char *login, const char *password, const char *senders)
{
	struct user u = {.added_wall_us = 5, .changed_wall_us = 6, .by = "admin"};

	ck_assert(password_hash(password, u.hash) && password_scram(password, &u.scram));
	snprintf(u.senders, sizeof(u.senders), "%s", senders);
	ck_assert_int_eq(users_put(&st, text_of(login), &u), 0);
}

START_TEST(there_and_back)
{
	struct user u;

	put("ann@example.net", "secret", "a@example.net\n@example.org");
	ck_assert_int_eq(users_get(&st, LIT("ann@example.net"), &u), 0);
	ck_assert_str_eq(u.by, "admin");
	ck_assert_str_eq(u.senders, "a@example.net\n@example.org");
	ck_assert(strncmp(u.hash, "$y$", 3) == 0);
	ck_assert(u.added_wall_us == 5 && u.changed_wall_us == 6);
	ck_assert_int_eq(users_get(&st, LIT("bob@example.net"), &u), MDB_NOTFOUND);
	ck_assert_int_eq(users_get(&st, LIT(""), &u), MDB_NOTFOUND);
	ck_assert_int_eq(users_del(&st, LIT("ann@example.net")), 0);
	ck_assert_int_eq(users_del(&st, LIT("ann@example.net")), MDB_NOTFOUND);
	ck_assert_int_eq(users_get(&st, LIT("ann@example.net"), &u), MDB_NOTFOUND);
}
END_TEST

START_TEST(full_of_all)
{
	static struct user u, back;
	char login[LIST_KEY_MAX];

	memset(&u, 'x', sizeof(u));
	memset(login, 'l', sizeof(login));
	u.by[LIST_BY_MAX] = u.hash[USER_HASH_MAX] = u.senders[USER_SENDERS_MAX] = '\0';
	ck_assert_int_eq(users_put(&st, text_make(login, sizeof(login)), &u), 0);
	ck_assert_int_eq(users_get(&st, text_make(login, sizeof(login)), &back), 0);
	ck_assert_str_eq(u.senders, back.senders);
	ck_assert_str_eq(u.hash, back.hash);
	ck_assert(memcmp(&u.scram, &back.scram, sizeof(u.scram)) == 0);
}
END_TEST

static int count_one(struct text login, const struct user *u, void *arg)
{
	struct buf *b = arg;

	ck_assert(u->hash[0] == '$');
	buf_printf(b, "%.*s ", TEXT(login));
	return 0;
}

static int stop_at_once(struct text login, const struct user *u, void *arg)
{
	(void)login;
	(void)u;
	(void)arg;
	return 42;
}

/* The secret stands among the users, and is none. */
START_TEST(each_and_the_secret)
{
	unsigned char one[USERS_SECRET_BYTES], two[USERS_SECRET_BYTES];
	char text[128];
	struct buf b = buf_over(text, sizeof(text));

	ck_assert_int_eq(users_secret(&st, one), 0);
	put("b@example.net", "x", "");
	put("a@example.net", "y", "");
	ck_assert_int_eq(users_secret(&st, two), 0);
	ck_assert(memcmp(one, two, sizeof(one)) == 0);
	ck_assert_int_eq(users_each(&st, count_one, &b), 0);
	ck_assert_str_eq(text, "a@example.net b@example.net ");
	ck_assert_int_eq(users_each(&st, stop_at_once, NULL), 42);
}
END_TEST

static int spoil(MDB_txn *txn, void *arg)
{
	return store_put(txn, DB_USERS, LIT("bad"), *(const struct text *)arg);
}

START_TEST(broken_records)
{
	char bytes[600] = "";
	struct user u;

	memset(bytes, 0xff, sizeof(bytes));
	for (size_t n = 0; n < sizeof(bytes); n += 7) {
		struct text t = text_make(bytes, n);

		ck_assert_int_eq(store_write(&st, spoil, &t), 0);
		ck_assert_int_eq(users_get(&st, LIT("bad"), &u), MDB_CORRUPTED);
	}
}
END_TEST

static bool matches(const char *password, const char *hash)
{
	bool broken;
	const bool yes = password_matches(password, hash, &broken);

	ck_assert(!broken);
	return yes;
}

START_TEST(hashes)
{
	char one[USER_HASH_MAX + 1], two[USER_HASH_MAX + 1];
	bool broken;

	ck_assert(password_hash("secret", one) && password_hash("secret", two));
	ck_assert_str_ne(one, two);
	ck_assert(matches("secret", one) && matches("secret", two));
	ck_assert(!matches("Secret", one) && !matches("secret ", one) && !matches("", one));
	ck_assert(!password_matches("secret", "no hash", &broken) && broken);
	ck_assert(!password_matches("secret", "", &broken) && broken);
}
END_TEST

/* RFC 7677 3: user "user", password "pencil". */
START_TEST(scram_keys)
{
	struct scram_verifier v;
	unsigned char again[32];

	ck_assert(password_scram("pencil", &v));
	ck_assert_uint_eq(v.iterations, SCRAM_ITERATIONS);
	/* By another way: ServerKey from the salted password of a second derivation. */
	ck_assert_int_eq(PKCS5_PBKDF2_HMAC("pencil", 6, v.salt, sizeof(v.salt), (int)v.iterations,
					   EVP_sha256(), 32, again),
			 1);
	size_t n = 0;
	unsigned char server[32];

	ck_assert_ptr_nonnull(EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, again, 32,
					(const unsigned char *)"Server Key", 10, server,
					sizeof(server), &n));
	ck_assert(n == 32 && memcmp(server, v.server_key, 32) == 0);
}
END_TEST

static const char *prepared(struct text t)
{
	static char out[PASSWORD_MAX + 1];

	return password_prepare(t, out) ? out : "(none)";
}

START_TEST(preparing)
{
	char longest[PASSWORD_MAX + 1];

	memset(longest, 'x', sizeof(longest));
	ck_assert_str_eq(prepared(LIT("a b'\"\\~")), "a b'\"\\~");
	/* RFC 4013 3: a soft hyphen is nothing, a no-break space is a space, IX is I and X */
	ck_assert_str_eq(prepared(LIT("I\xc2\xadX")), "IX");
	ck_assert_str_eq(prepared(LIT("a\xc2\xa0"
				      "b")),
			 "a b");
	ck_assert_str_eq(prepared(LIT("\xe2\x85\xa8")), "IX");
	/* what can't be prepared stays */
	ck_assert_str_eq(prepared(LIT("\xff\xfe")), "\xff\xfe");
	ck_assert_str_eq(prepared(LIT("")), "(none)");
	ck_assert_str_eq(prepared(LIT("a\0b")), "(none)");
	ck_assert_str_ne(prepared(text_make(longest, PASSWORD_MAX)), "(none)");
	ck_assert_str_eq(prepared(text_make(longest, PASSWORD_MAX + 1)), "(none)");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("users");
	TCase *tc = tcase_create("users");
	SRunner *sr = srunner_create(s);

	tcase_add_checked_fixture(tc, start, stop);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, there_and_back);
	tcase_add_test(tc, full_of_all);
	tcase_add_test(tc, each_and_the_secret);
	tcase_add_test(tc, broken_records);
	tcase_add_test(tc, hashes);
	tcase_add_test(tc, scram_keys);
	tcase_add_test(tc, preparing);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
