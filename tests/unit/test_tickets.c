/* Keys of session tickets: made, found, renewed, wiped. */
#include "shm/tickets.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define PERIOD 1000

static struct ticket_keys keys;
static const struct ticket_keys none;

static void begin(void)
{
	keys = none;
}

START_TEST(without_a_key_there_are_no_tickets)
{
	bool renew;

	ck_assert_ptr_null(tickets_newest(&keys));
	ck_assert_ptr_null(tickets_find(&keys, (const unsigned char *)"0123456789abcdef", &renew));
	/* (A slot that was never written has the name of zeros.) */
	ck_assert_ptr_null(tickets_find(&keys, keys.keys[0].name, &renew));
}
END_TEST

START_TEST(a_new_one_each_period)
{
	struct ticket_key first;

	ck_assert(tickets_rotate(&keys, 5, PERIOD));
	first = *tickets_newest(&keys);
	ck_assert(tickets_rotate(&keys, 4 + PERIOD, PERIOD));
	ck_assert_mem_eq(tickets_newest(&keys), &first, sizeof(first));
	ck_assert(tickets_rotate(&keys, 5 + PERIOD, PERIOD));
	ck_assert_mem_ne(tickets_newest(&keys)->name, first.name, sizeof(first.name));
	ck_assert_mem_ne(tickets_newest(&keys)->cipher, first.cipher, sizeof(first.cipher));
	ck_assert_mem_ne(tickets_newest(&keys)->mac, first.mac, sizeof(first.mac));
}
END_TEST

START_TEST(the_last_one_still_opens_and_older_ones_are_gone)
{
	unsigned char names[10][TICKET_NAME_BYTES];
	struct ticket_key wiped = {0};
	bool renew = true;

	for (int i = 0; i < 10; i++) {
		ck_assert(tickets_rotate(&keys, (int64_t)i * PERIOD + 1, PERIOD));
		memcpy(names[i], tickets_newest(&keys)->name, TICKET_NAME_BYTES);
		ck_assert_ptr_eq(tickets_find(&keys, names[i], &renew), tickets_newest(&keys));
		ck_assert(!renew);
		if (i > 0) {
			ck_assert_ptr_nonnull(tickets_find(&keys, names[i - 1], &renew));
			ck_assert(renew);
		}
		if (i > 1)
			ck_assert_ptr_null(tickets_find(&keys, names[i - 2], &renew));
	}
	int left = 0;

	for (int i = 0; i < TICKET_SLOTS; i++)
		left += memcmp(&keys.keys[i], &wiped, sizeof(wiped)) != 0;
	ck_assert_int_le(left, 3); /* and what has just been replaced, until the next one */
}
END_TEST

START_TEST(the_count_may_wrap)
{
	bool renew;

	keys.made = UINT32_MAX - 1;
	for (int i = 1; i < 6; i++) {
		ck_assert(tickets_rotate(&keys, (int64_t)i * PERIOD, PERIOD));
		ck_assert_ptr_nonnull(tickets_newest(&keys));
		ck_assert_ptr_nonnull(tickets_find(&keys, tickets_newest(&keys)->name, &renew));
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("tickets");
	TCase *t = tcase_create("tickets");

	tcase_add_checked_fixture(t, begin, NULL);
	tcase_add_test(t, without_a_key_there_are_no_tickets);
	tcase_add_test(t, a_new_one_each_period);
	tcase_add_test(t, the_last_one_still_opens_and_older_ones_are_gone);
	tcase_add_test(t, the_count_may_wrap);
	suite_add_tcase(s, t);

	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	const int failed = srunner_ntests_failed(r);

	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
