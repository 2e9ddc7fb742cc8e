/* policy/message/forged.c: Authentication-Results fields of our own name, however they are written.
 */
#include "policy/message/forged.h"

#include "policy/message/header.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

static const struct text ids[] = {{"mx1.test", 8}, {"xn--bcher-kva.example", 21}};
static struct arena arena;

static void setup(void)
{
	arena_init(&arena, NULL, NULL);
}

static void teardown(void)
{
	arena_reset(&arena);
}

static struct cuts find(struct text section)
{
	return forged_results(section, ids, 2, &arena);
}

/* What stands behind the name of the field. */
static const char *const ours[] = {
    ": mx1.test; spf=pass",
    ":mx1.test;",
    ": MX1.Test 1; none",
    ": mx1.test",
    " : mx1.test; none",
    "\t:mx1.test; none",
    ": mx1.test.; none",
    ": mx1.test/1; none",
    ": (of the edge) mx1.test; none",
    ": ((n(es)ted \\) ;) x)mx1.test(there); none",
    ": (mx2.test;)\r\n\t(again)\r\n mx1.test; none",
    ": mx1.test(really) 1 ; none",
    ": mx1(a).(b)test; none",
    ": mx1 . test; none",
    ": \"mx1.test\"; none",
    ": \"mx1\\.te\\st\" 1; none",
    ": \" mx1.test \"; none",
    ": \"mx1\".\"test\"; none",
    ":\r\n mx1.test; none",
    "\r\n : mx1.test; none",
    ":\r\n\t\r\n\tmx1.test\r\n\t; none",
    ": \x0bmx1.test; none",
    ": mx1.test spf=pass",
    /* what isn't closed is read in every way */
    ": (mx1.test; none",
    ": \"mx1.test; none",
    ": other.example (; mx1.test; none",
    /* encoded words, U-labels */
    ": =?us-ascii?q?mx1.test?=; none",
    ": =?utf-8?b?bXgxLnRlc3Q7IGRtYXJjPXBhc3M=?=",
    ": xn--bcher-kva.example; none",
    ": b\xc3\xbc"
    "cher.example; none",
    ": B\xc3\x9c"
    "CHER.example 1; none",
    ": \xef\xbd\x8d\xef\xbd\x98\x31.test; none",
};

START_TEST(one_of_ours)
{
	static const char *const names[] = {"Authentication-Results", "AUTHENTICATION-results"};

	for (int i = 0; i < 2; i++) {
		struct text section =
		    arena_printf(&arena, "A: b\r\n%s%s\r\nC: d\r\n\r\n", names[i], ours[_i]);
		struct cuts cuts = find(section);

		ck_assert_uint_eq(cuts.n, 1);
		ck_assert_uint_eq(cuts.v[0].start, 6);
		ck_assert_uint_eq(cuts.v[0].end, section.n - 8);
	}
}
END_TEST

static const char *const foreign[] = {
    "Authentication-Results: mx1.test.example; none",
    "Authentication-Results: amx1.test; none",
    "Authentication-Results: mx2.test; none",
    "Authentication-Results: other.example (mx1.test); spf=pass",
    "Authentication-Results: other.example; spf=pass smtp.mailfrom=mx1.test",
    "Authentication-Results: other.example; x=\"mx1.test\"",
    "Authentication-Results: other.example; mx1.test; none",
    "Authentication-Results: \"other.example; mx1.test\"; none",
    "Authentication-Results: =?us-ascii?q?other.example?=; none",
    "Authentication-Results: b\xc3\xbc"
    "her.example; none",
    "Authentication-Results:",
    "Authentication-Results: ; mx1.test",
    "Authentication-Results",
    "Authentication-Results; mx1.test",
    "X-Authentication-Results: mx1.test; none",
    "ARC-Authentication-Results: i=1; mx1.test; none",
    "Authentication-Results-Old: mx1.test; none",
    "Received: from mx1.test by mx2.test",
};

START_TEST(one_of_others)
{
	ck_assert_uint_eq(find(arena_printf(&arena, "%s\r\n\r\n", foreign[_i])).n, 0);
}
END_TEST

#define OURS "Authentication-Results: mx1.test; none\r\n"

START_TEST(neighbours_are_one_cut)
{
	struct cuts cuts = find(LIT(OURS OURS "A: b\r\n" OURS " x\r\n" OURS "\r\n"));
	const size_t n = sizeof(OURS) - 1;

	ck_assert_uint_eq(cuts.n, 2);
	ck_assert_uint_eq(cuts.v[0].start, 0);
	ck_assert_uint_eq(cuts.v[0].end, 2 * n);
	ck_assert_uint_eq(cuts.v[1].start, 2 * n + 6);
	ck_assert_uint_eq(cuts.v[1].end, 4 * n + 10);
	/* Without a line end, and at the very end. */
	cuts = find(LIT("Authentication-Results: mx1.test"));
	ck_assert_uint_eq(cuts.n, 1);
	ck_assert_uint_eq(cuts.v[0].end, 32);
	ck_assert_uint_eq(find(LIT("")).n, 0);
	ck_assert_uint_eq(find(LIT("\r\n")).n, 0);
}
END_TEST

/* More than a list of fields would hold; a name far behind; names that each want a conversion. */
START_TEST(without_bounds)
{
	enum { MANY = 3 * HEADER_FIELDS_MAX };
	static char many[MANY * 80], *deep = many;
	struct buf b = buf_over(many, sizeof(many));
	struct cuts cuts;

	for (int i = 0; i < MANY; i++)
		buf_text(&b, i % 2 ? LIT(OURS) : LIT("A: b\r\n"));
	ck_assert_uint_eq(find(buf_view(&b)).n, MANY / 2);

	b = buf_over(deep, sizeof(many));
	buf_text(&b, LIT("Authentication-Results:"));
	while (b.n < 100000)
		buf_text(&b, LIT("\r\n (nothing)"));
	buf_text(&b, LIT("\r\n mx1.test; none\r\n"));
	cuts = find(buf_view(&b));
	ck_assert_uint_eq(cuts.n, 1);
	ck_assert_uint_eq(cuts.v[0].end, b.n);

	b = buf_over(deep, sizeof(many));
	for (int i = 0; i < 1000; i++)
		buf_printf(&b, "Authentication-Results: \xc3\xbc%d.example\r\n", i);
	/* The first are somebody's; so many are nobody's. */
	cuts = find(buf_view(&b));
	ck_assert_uint_eq(cuts.n, 1);
	ck_assert_uint_gt(cuts.v[0].start, 500);
}
END_TEST

/* --- against a model: fields are put together from pieces of which it is known what they mean */

static uint64_t seed;

static unsigned roll(unsigned n)
{
	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (unsigned)(seed >> 33) % n;
}

static void put_cfws(struct buf *b)
{
	static const char *const pieces[] = {
	    "", " ", "\r\n ", "\r\n\t\t", " (a) ", "(mx1.test)", "(;;\\))", "((\")b)", " (\r\n c)"};

	for (unsigned i = roll(4); i > 0; i--)
		buf_text(b, text_of(pieces[roll(9)]));
}

static void put_id(struct buf *b, struct text id)
{
	const bool quoted = roll(3) == 0;

	if (quoted)
		buf_char(b, '"');
	for (size_t i = 0; i < id.n; i++) {
		char c = id.p[i];

		if (quoted && roll(5) == 0)
			buf_char(b, '\\');
		buf_char(b, roll(2) && c >= 'a' && c <= 'z' ? (char)(c - 32) : c);
	}
	if (quoted)
		buf_char(b, '"');
}

static void put_results(struct buf *b, struct text id)
{
	buf_text(b, roll(2) ? LIT("Authentication-Results") : LIT("authentication-RESULTS"));
	if (roll(4) == 0)
		buf_text(b, LIT(" "));
	buf_char(b, ':');
	put_cfws(b);
	put_id(b, id);
	put_cfws(b);
	if (roll(3) == 0)
		buf_text(b, LIT(" 1"));
	buf_text(b, roll(2) ? LIT("; none\r\n") : LIT(";\r\n spf=pass smtp.mailfrom=mx1.test\r\n"));
}

START_TEST(as_the_model)
{
	static const struct text others[] = {
	    {"mx1.test.example", 16}, {"mx11.test", 9}, {"est", 3}, {"other.example", 13}};
	static char section[65536], kept[65536], wanted[65536];

	seed = (uint64_t)_i;
	for (int round = 0; round < 200; round++) {
		struct buf b = buf_over(section, sizeof(section));
		struct buf w = buf_over(wanted, sizeof(wanted));
		struct buf k = buf_over(kept, sizeof(kept));
		uint64_t at = 0;
		struct cuts cuts;

		for (unsigned i = roll(30); i > 0; i--) {
			size_t start = b.n;
			unsigned kind = roll(4);

			if (kind == 0)
				put_results(&b, ids[0]);
			else if (kind == 1)
				put_results(&b, others[roll(4)]);
			else
				buf_printf(&b, "X-%u: %u\r\n%s", roll(9), roll(999),
					   roll(5) ? "" : " mx1.test\r\n");
			if (kind)
				buf_put(&w, b.p + start, b.n - start);
		}
		ck_assert(!b.cut);
		cuts = find(buf_view(&b));
		for (size_t i = 0; i < cuts.n; i++) {
			ck_assert_uint_lt(cuts.v[i].start, cuts.v[i].end);
			ck_assert(i == 0 || cuts.v[i].start > cuts.v[i - 1].end);
			buf_put(&k, section + at, cuts.v[i].start - at);
			at = cuts.v[i].end;
		}
		buf_put(&k, section + at, b.n - at);
		ck_assert_msg(text_eq(buf_view(&k), buf_view(&w)), "of\n%s\nis left\n%s", section,
			      kept);
		arena_reset(&arena);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("forged");
	TCase *tc = tcase_create("forged");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, one_of_ours, 0, sizeof(ours) / sizeof(ours[0]));
	tcase_add_loop_test(tc, one_of_others, 0, sizeof(foreign) / sizeof(foreign[0]));
	tcase_add_test(tc, neighbours_are_one_cut);
	tcase_add_test(tc, without_bounds);
	tcase_add_loop_test(tc, as_the_model, 0, 20);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
