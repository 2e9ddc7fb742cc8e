/* The header section: fields, folding, flaws. */
#include "policy/message/header.h"

#include <check.h>
#include <stdlib.h>

static struct arena arena;

static void setup(void)
{
	arena_init(&arena, NULL, NULL);
}

static void teardown(void)
{
	arena_reset(&arena);
}

static void same(struct text t, const char *want)
{
	ck_assert_msg(text_eq(t, text_of(want)), "got '%.*s', not '%s'", TEXT(t), want);
}

static const struct header *parse(const char *s)
{
	return header_parse(text_of(s), 0, &arena);
}

#define FROM_DATE "From: a@b\r\nDate: now\r\n"

START_TEST(fields)
{
	const struct header *h = parse("Received: one\r\nreceived: two\r\n\tfolded\r\n" FROM_DATE
				       "Subject : Hi\r\n there \r\nEmpty:\r\n\r\nBody: no\r\n");
	const struct header_field *f;

	ck_assert_uint_eq(h->flaws, 0);
	ck_assert_uint_eq(h->count, 6);
	ck_assert_uint_eq(header_count(h, LIT("RECEIVED")), 2);
	f = header_find(h, LIT("received"), NULL);
	same(f->body, " one");
	f = header_find(h, LIT("received"), f);
	same(f->name, "received");
	same(f->body, " two\r\n\tfolded");
	same(f->whole, "received: two\r\n\tfolded\r\n");
	same(header_unfold(f->body, &arena), "two\tfolded");
	ck_assert_ptr_null(header_find(h, LIT("received"), f));
	f = header_find(h, LIT("Subject"), NULL);
	same(header_unfold(f->body, &arena), "Hi there");
	f = header_find(h, LIT("Empty"), NULL);
	same(f->body, "");
	ck_assert_ptr_null(header_find(h, LIT("Body"), NULL));
	ck_assert_ptr_null(header_find(h, LIT("Subjec"), NULL));
}
END_TEST

START_TEST(line_ends_and_size)
{
	const struct header *h = parse("From: a\nDate: b\n c\n\nbody");

	ck_assert_uint_eq(h->flaws, 0);
	ck_assert_uint_eq(h->size, 20);
	same(h->fields[1].body, " b\n c");
	same(header_unfold(h->fields[1].body, &arena), "b c");
	h = parse(FROM_DATE);
	ck_assert_uint_eq(h->size, strlen(FROM_DATE));
	h = parse("From: a\r\nDate: b");
	ck_assert_uint_eq(h->flaws, 0);
	same(h->fields[1].whole, "Date: b");
	h = parse("");
	ck_assert_uint_eq(h->count, 0);
	ck_assert_uint_eq(h->flaws, HEADER_NO_FROM | HEADER_NO_DATE);
	h = parse("\r\nFrom: a\r\n");
	ck_assert_uint_eq(h->size, 2);
	ck_assert_uint_eq(h->count, 0);
	/* a line of a bare CR is no empty line */
	h = header_parse(LIT("From: a\r\n\rDate: b\r\n"), 0, &arena);
	ck_assert(h->flaws & HEADER_NAME_CONTROL);
}
END_TEST

START_TEST(flaws)
{
	static const struct {
		struct text t;
		unsigned flaws;
	} cases[] = {
	    {LIT("S\xC3\xBC: x\r\n" FROM_DATE), HEADER_NAME_NOT_ASCII},
	    {LIT("S\xC3\xBC y: x\r\n" FROM_DATE), HEADER_NAME_NOT_ASCII | HEADER_MALFORMED_LINE},
	    {LIT("S\x01: x\r\n" FROM_DATE), HEADER_NAME_CONTROL},
	    {LIT("S\0: x\r\n" FROM_DATE), HEADER_NAME_CONTROL},
	    {LIT("S\x7f: x\r\n" FROM_DATE), HEADER_NAME_CONTROL},
	    {LIT("no colon\r\n" FROM_DATE), HEADER_MALFORMED_LINE},
	    {LIT("two words: x\r\n" FROM_DATE), HEADER_MALFORMED_LINE},
	    {LIT(": x\r\n" FROM_DATE), HEADER_MALFORMED_LINE},
	    {LIT(" continues nothing\r\n" FROM_DATE), HEADER_MALFORMED_LINE},
	    {LIT("no colon\r\n and more of it\r\n" FROM_DATE), HEADER_MALFORMED_LINE},
	    {LIT("From a@b Mon Jun 1\r\n" FROM_DATE), 0},
	    {LIT(">From a@b Mon Jun 1\r\n" FROM_DATE), 0},
	    {LIT(FROM_DATE "From a@b Mon Jun 1\r\n"), HEADER_MALFORMED_LINE},
	    {LIT("Date: x\r\n"), HEADER_NO_FROM},
	    {LIT("From: x\r\n"), HEADER_NO_DATE},
	    {LIT(FROM_DATE "Subject: \xFC\r\n"), HEADER_RAW_8BIT},
	    {LIT(FROM_DATE "Subject: x\r\n \xFC\r\n"), HEADER_RAW_8BIT},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct header *h = header_parse(cases[i].t, 0, &arena);

		ck_assert_msg(h->flaws == cases[i].flaws, "%zu: %#x", i, h->flaws);
	}
	same(parse("Fine: x\r\nno colon\r\nnone here\r\n")->first_bad, "no colon");
	/* what stands below a malformed line still counts */
	ck_assert_ptr_nonnull(
	    header_find(parse("rubbish\r\nSubject: x\r\n"), LIT("Subject"), NULL));
}
END_TEST

START_TEST(long_lines)
{
	static char bytes[1100];
	struct buf b = buf_over(bytes, sizeof(bytes));

	for (int extra = 0; extra < 2; extra++) {
		b = buf_over(bytes, sizeof(bytes));
		buf_printf(&b, "X: %0*d\r\n%s", 995 + extra, 0, FROM_DATE);
		ck_assert_uint_eq(header_parse(buf_view(&b), 0, &arena)->flaws,
				  extra ? HEADER_LONG_LINE : 0);
	}
}
END_TEST

START_TEST(many_fields)
{
	enum { LINES = 5000 };
	static char bytes[LINES * 8 + 100];
	struct buf b = buf_over(bytes, sizeof(bytes));
	const struct header *h;

	buf_text(&b, LIT(FROM_DATE));
	for (int i = 0; i < LINES; i++)
		buf_text(&b, LIT("A:\r\n x\r\n"));
	buf_text(&b, LIT("\r\n"));
	h = header_parse(buf_view(&b), 0, &arena);
	ck_assert_uint_eq(h->count, HEADER_FIELDS_MAX);
	ck_assert_uint_eq(h->flaws, HEADER_TOO_MANY_FIELDS);
	ck_assert_uint_eq(h->size, b.n);
	h = header_parse(buf_view(&b), 3, &arena);
	ck_assert_uint_eq(h->count, 3);
	/* what continues a field past the cap belongs to no other */
	same(h->fields[2].whole, "A:\r\n x\r\n");
}
END_TEST

START_TEST(names)
{
	ck_assert(header_name_valid(LIT("X-Some_Name!")));
	ck_assert(!header_name_valid(LIT("")));
	ck_assert(!header_name_valid(LIT("a b")));
	ck_assert(!header_name_valid(LIT("a:")));
	ck_assert(!header_name_valid(LIT("a\x7f")));
	ck_assert(!header_name_valid(LIT("\xC3\xBC")));
	ck_assert(!header_name_valid(LIT("a\0")));
}
END_TEST

START_TEST(blank_reply_to)
{
	static const char *const blank[] = {
	    "", "  ", "\r\n\t", "<>", " < > ", "(nobody)", "(a (nested \\) one)) <> (b)", "(open"};
	static const char *const given[] = {"a@b",     "<a@b>", "x",       "<<>",
					    "\"\" <>", ")",     "(c) a@b", "<>,"};

	for (size_t i = 0; i < sizeof(blank) / sizeof(blank[0]); i++)
		ck_assert_msg(reply_to_is_blank(text_of(blank[i])), "%s", blank[i]);
	for (size_t i = 0; i < sizeof(given) / sizeof(given[0]); i++)
		ck_assert_msg(!reply_to_is_blank(text_of(given[i])), "%s", given[i]);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("header");
	TCase *tc = tcase_create("header");
	SRunner *sr = srunner_create(s);

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, fields);
	tcase_add_test(tc, line_ends_and_size);
	tcase_add_test(tc, flaws);
	tcase_add_test(tc, long_lines);
	tcase_add_test(tc, many_fields);
	tcase_add_test(tc, names);
	tcase_add_test(tc, blank_reply_to);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
