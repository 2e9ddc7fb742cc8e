/* What is remembered of addresses: stored by the event, found until its end, forgotten by address
 * and by domain, and never so many that the store is full of them. */
#include "shm/verified.h"

#include "shm/base/clock.h"
#include "shm/journal.h"
#include "tests/unit/temp_dir.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#define NOW     (INT64_C(1780000000) * SECOND_US)
#define HOUR_US (3600 * SECOND_US)

static char dir[64];
static struct store st;

static void open_it(void)
{
	char message[256];
	struct buf err = buf_over(message, sizeof(message));

	ck_assert_msg(store_open(&st, dir, STORE_EVENTS, STORE_WRITE, &err) == 0, "%s", message);
}

static void setup(void)
{
	temp_dir_make(dir);
	open_it();
}

static void teardown(void)
{
	store_close(&st);
	temp_dir_remove(dir);
}

static int apply_one(MDB_txn *txn, void *arg)
{
	const struct event *e = arg;
	struct event_view v;

	ck_assert(event_parse(e->bytes, e->n, &v));
	return journal_apply(txn, &v, e->bytes, e->n);
}

static void put(enum verified_kind kind, const char *key, enum verified_what what, int64_t until)
{
	struct verified v = {.what = what,
			     .code = 550,
			     .enhanced = "5.1.1",
			     .hop = "mx.example.org [192.0.2.1]",
			     .text = "No such user",
			     .asked_wall_us = NOW,
			     .until_wall_us = until};
	struct event e;

	verified_event(&e, kind, text_of(key), &v);
	ck_assert_int_eq(store_write(&st, apply_one, &e), 0);
}

static enum answer find(enum verified_kind kind, const char *key, int64_t now, struct verified *v)
{
	return verified_find(&st, kind, text_of(key), now, v);
}

START_TEST(found_until_its_end)
{
	struct verified v;

	ck_assert_int_eq(find(VERIFIED_SENDER, "a@example.org", NOW, &v), ANSWER_NO);
	put(VERIFIED_SENDER, "a@example.org", VERIFIED_REFUSES, NOW + HOUR_US);
	ck_assert_int_eq(find(VERIFIED_SENDER, "a@example.org", NOW, &v), ANSWER_YES);
	ck_assert_int_eq(v.what, VERIFIED_REFUSES);
	ck_assert_int_eq(v.code, 550);
	ck_assert_str_eq(v.enhanced, "5.1.1");
	ck_assert_str_eq(v.hop, "mx.example.org [192.0.2.1]");
	ck_assert_str_eq(v.text, "No such user");
	ck_assert_int_eq(v.asked_wall_us, NOW);
	ck_assert_int_eq(v.until_wall_us, NOW + HOUR_US);
	ck_assert_int_eq(find(VERIFIED_RECIPIENT, "a@example.org", NOW, &v), ANSWER_NO);
	ck_assert_int_eq(find(VERIFIED_SENDER, "a@example.or", NOW, &v), ANSWER_NO);
	ck_assert_int_eq(find(VERIFIED_SENDER, "@example.org", NOW, &v), ANSWER_NO);
	ck_assert_int_eq(find(VERIFIED_SENDER, "no address", NOW, &v), ANSWER_NO);
	ck_assert_int_eq(find(VERIFIED_SENDER, "a@example.org", NOW + HOUR_US, &v), ANSWER_NO);
	/* the keeper is killed, and applies it once more */
	put(VERIFIED_SENDER, "a@example.org", VERIFIED_REFUSES, NOW + HOUR_US);
	/* asked again: another end */
	put(VERIFIED_SENDER, "a@example.org", VERIFIED_TAKES, NOW + 9 * HOUR_US);
	ck_assert_int_eq(journal_expire(&st, NOW + 2 * HOUR_US, 30, 100), 0);
	ck_assert_int_eq(find(VERIFIED_SENDER, "a@example.org", NOW + 2 * HOUR_US, &v), ANSWER_YES);
	ck_assert_int_eq(v.what, VERIFIED_TAKES);
	ck_assert_int_eq(journal_expire(&st, NOW + 10 * HOUR_US, 30, 100), 1);
	ck_assert_int_eq(find(VERIFIED_SENDER, "a@example.org", NOW, &v), ANSWER_NO);
}
END_TEST

/* Temporary answers go to the log alone. */
START_TEST(nothing_is_not_stored)
{
	struct verified v;

	put(VERIFIED_SENDER, "a@example.org", VERIFIED_NOTHING, NOW + HOUR_US);
	put(VERIFIED_SENDER, "b@example.org", VERIFIED_TAKES, 0);
	put(VERIFIED_SENDER, "no address", VERIFIED_TAKES, NOW + HOUR_US);
	ck_assert_int_eq(find(VERIFIED_SENDER, "a@example.org", NOW, &v), ANSWER_NO);
	ck_assert_int_eq(find(VERIFIED_SENDER, "b@example.org", NOW, &v), ANSWER_NO);
}
END_TEST

struct seen {
	char all[4096];
	struct buf b;
};

static int see(struct text key, const struct verified *v, void *arg)
{
	struct seen *s = arg;

	buf_printf(&s->b, "%.*s %s\n", TEXT(key), verified_what_name(v->what));
	return 0;
}

static const char *list(enum verified_kind kind)
{
	static struct seen s;

	s.b = buf_over(s.all, sizeof(s.all));
	ck_assert_int_eq(verified_each(&st, kind, NOW, see, &s), 0);
	return s.all;
}

START_TEST(forgotten_by_address_and_by_domain)
{
	static const char *const keys[] = {"a@example.org",     "b@example.org",
					   "@example.org",      "a@example.org.uk",
					   "a@sub.example.org", "\"x@y\"@example.org"};

	for (unsigned i = 0; i < 6; i++)
		put(VERIFIED_RECIPIENT, keys[i], VERIFIED_TAKES, NOW + HOUR_US);
	put(VERIFIED_SENDER, "a@example.org", VERIFIED_REFUSES, NOW + HOUR_US);
	put(VERIFIED_RECIPIENT, "old@example.org", VERIFIED_TAKES, NOW);
	ck_assert_str_eq(list(VERIFIED_RECIPIENT),
			 "@example.org takes\n\"x@y\"@example.org takes\na@example.org takes\n"
			 "b@example.org takes\na@example.org.uk takes\na@sub.example.org takes\n");
	ck_assert_int_eq(verified_forget(&st, VERIFIED_RECIPIENT, LIT("a@example.org")), 1);
	ck_assert_int_eq(verified_forget(&st, VERIFIED_RECIPIENT, LIT("a@example.org")), 0);
	ck_assert_int_eq(verified_forget(&st, VERIFIED_RECIPIENT, LIT("@example.org")), 4);
	ck_assert_int_eq(verified_forget(&st, VERIFIED_RECIPIENT, LIT("nonsense")), 0);
	ck_assert_str_eq(list(VERIFIED_RECIPIENT),
			 "a@example.org.uk takes\na@sub.example.org takes\n");
	ck_assert_str_eq(list(VERIFIED_SENDER), "a@example.org refuses\n");
	ck_assert_int_eq(journal_expire(&st, NOW + 2 * HOUR_US, 30, 100), 3);
}
END_TEST

static void put_many(unsigned n, size_t local)
{
	char key[LIST_KEY_MAX];

	for (unsigned i = 0; i < n; i++) {
		snprintf(key, sizeof(key), "%0*u@example.org", (int)local, i);
		put(VERIFIED_SENDER, key, VERIFIED_TAKES, NOW + HOUR_US + i);
	}
}

START_TEST(many_of_a_domain_are_forgotten)
{
	put_many(2500, 4);
	ck_assert_int_eq(verified_forget(&st, VERIFIED_SENDER, LIT("@example.org")), 2500);
	ck_assert_str_eq(list(VERIFIED_SENDER), "");
	ck_assert_int_eq(journal_expire(&st, NOW + 2 * HOUR_US, 30, 5000), 0);
}
END_TEST

static int make_room(MDB_txn *txn, void *arg)
{
	(void)arg;
	return journal_make_room(txn);
}

/* Where the environment nears its cap those go that end first. */
START_TEST(the_first_to_end_go_at_the_cap)
{
	struct verified v;

	put_many(400, 200);
	ck_assert_int_eq(store_write(&st, make_room, NULL), 0);
	st.map_max = 512 * 1024;
	ck_assert_int_eq(store_write(&st, make_room, NULL), 0);
	ck_assert_int_eq(verified_forget(&st, VERIFIED_SENDER, LIT("none@example.org")), 0);
	char first[LIST_KEY_MAX], last[LIST_KEY_MAX];

	snprintf(first, sizeof(first), "%0200u@example.org", 0U);
	snprintf(last, sizeof(last), "%0200u@example.org", 399U);
	ck_assert_int_eq(find(VERIFIED_SENDER, first, NOW, &v), ANSWER_YES);
	st.map_max = 200 * 1024;
	ck_assert_int_eq(store_write(&st, make_room, NULL), 0);
	ck_assert_int_eq(find(VERIFIED_SENDER, first, NOW, &v), ANSWER_NO);
	ck_assert_int_eq(find(VERIFIED_SENDER, last, NOW, &v), ANSWER_YES);
}
END_TEST

START_TEST(kept_when_it_is_opened_again)
{
	struct verified v;

	put(VERIFIED_SENDER, "a@example.org", VERIFIED_REFUSES, NOW + HOUR_US);
	store_close(&st);
	open_it();
	ck_assert_int_eq(find(VERIFIED_SENDER, "a@example.org", NOW, &v), ANSWER_YES);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("verified");
	TCase *tc = tcase_create("verified");
	SRunner *sr = srunner_create(s);

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, found_until_its_end);
	tcase_add_test(tc, nothing_is_not_stored);
	tcase_add_test(tc, forgotten_by_address_and_by_domain);
	tcase_add_test(tc, many_of_a_domain_are_forgotten);
	tcase_add_test(tc, the_first_to_end_go_at_the_cap);
	tcase_add_test(tc, kept_when_it_is_opened_again);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
