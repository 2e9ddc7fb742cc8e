/* policy/message/author.c: the domain that From: names, and where it names none. */
#include "policy/message/author.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

static struct arena arena;

static void start(void)
{
	arena_init(&arena, NULL, NULL);
}

static void stop(void)
{
	arena_reset(&arena);
}

/* The domain, or the status in brackets. */
static const char *author(const char *body)
{
	struct author a = author_parse(text_of(body), &arena);

	if (a.status == AUTHOR_ONE)
		return a.domain.p;
	ck_assert_uint_eq(a.domain.n, 0);
	return arena_printf(&arena, "(%s)", author_status_text(a.status)).p;
}

#define MALFORMED "(From is malformed)"
#define SEVERAL   "(From names several domains)"
#define NAMED     "(From shows an address of another domain in the name)"

static const struct {
	const char *body, *author;
} rows[] = {
    /* plain and everyday */
    {" a@example.org", "example.org"},
    {" <a@example.org>", "example.org"},
    {" A Person <a@Example.ORG>", "example.org"},
    {" \"A Person\" <a@example.org>", "example.org"},
    {" \"Doe, J. (x) <y@z>\"\r\n\t<a@example.org>", "example.org"},
    {" \"a b\"@example.org", "example.org"},
    {" a@example.org (A Person)", "example.org"},
    {" (A (nested \\) one) Person) a@example.org", "example.org"},
    {" John Q. Doe <a@example.org>", "example.org"},
    {" Doe, John <a@example.org>", "example.org"},
    {" =?utf-8?q?J=C3=BCrgen?= <a@example.org>", "example.org"},
    {" =?utf-8?q?b@other.example?= <a@example.org>", "example.org"},
    {" J\xc3\xbcrgen <a@example.org>", "example.org"},
    {" J\xfcrgen <a@example.org>", "example.org"},
    {" info@home <a@example.org>", "example.org"},
    {" @nick <a@example.org>", "example.org"},
    {" John @ Acme <a@example.org>", "example.org"},
    {" a@example.org <a@example.org>", "example.org"},
    {" \"a@other.example\" <a@example.org>", "example.org"},
    {" a@b\xc3\xbc"
     "cher.example",
     "xn--bcher-kva.example"},
    {" a@b\xc3\xbc"
     "cher.example, b@xn--bcher-kva.example",
     "xn--bcher-kva.example"},
    {" a@example.org, B <b@EXAMPLE.org>", "example.org"},
    {" a@[192.0.2.1]", "[192.0.2.1]"},
    {" root@localhost", "localhost"},
    /* several */
    {" a@example.org, b@other.example", SEVERAL},
    {" a@other.example <a@example.org>", NAMED},
    {" The a@other.example <a@example.org>", NAMED},
    {" \"ceo\"@bank.example <a@example.org>", NAMED},
    {" a@example.org, ceo@bank.example (x)", SEVERAL},
    /* groups */
    {" undisclosed:;", "(From names nobody)"},
    {" A Group: ;", "(From names nobody)"},
    {" A Group: a@example.org, b@example.org;", "(From holds a group)"},
    {" A Group:;, a@example.org", "(From holds a group)"},
    {" Re: A Person <a@example.org>", "(From holds a group)"},
    /* what programs read differently */
    {"", MALFORMED},
    {" ", MALFORMED},
    {" <>", MALFORMED},
    {" A Person", MALFORMED},
    {" A Person <>", MALFORMED},
    {" =?utf-8?b?Y2VvQGJhbmsuZXhhbXBsZQ==?=", MALFORMED},
    {" <a@example.org", MALFORMED},
    {" a@example.org>", MALFORMED},
    {" <<a@example.org>>", MALFORMED},
    {" <a@example.org> <b@example.org>", MALFORMED},
    {" <a@example.org> b", MALFORMED},
    {" <a@example.org, b@bank.example>", MALFORMED},
    {" a@example.org@bank.example", MALFORMED},
    {" <@bank.example,@c.example:a@example.org>", MALFORMED},
    {" a@example.org b@bank.example", MALFORMED},
    {" a@example.org, ceo @ bank.example", MALFORMED},
    {" a@example.org .bank.example", MALFORMED},
    {" a@example.org(x).bank.example", MALFORMED},
    {" a(x)@example.org", MALFORMED},
    {" <a@example.org(x)>", MALFORMED},
    {" @example.org", MALFORMED},
    {" a@", MALFORMED},
    {" a@example..org", MALFORMED},
    {" a@exam\xff"
     "ple.org",
     MALFORMED},
    {" \"a@example.org", MALFORMED},
    {" (a@example.org", MALFORMED},
    {" a@example.org)", MALFORMED},
    {" a@example.org;", MALFORMED},
    {" a\\@example.org", MALFORMED},
    {" a\x01@example.org", MALFORMED},
    {" \"a\x7f\" <a@example.org>", MALFORMED},
    {" a@[192.0.2.1", MALFORMED},
    {" \"\\", MALFORMED},
    {" (\\", MALFORMED},
};

START_TEST(bodies)
{
	ck_assert_str_eq(author(rows[_i].body), rows[_i].author);
}
END_TEST

START_TEST(nul)
{
	struct author a = author_parse(LIT(" a@example.org\0.bank.example"), &arena);

	ck_assert_int_eq(a.status, AUTHOR_MALFORMED);
}
END_TEST

static enum author_status status_of(const char *header)
{
	return author_of(header_parse(text_of(header), 0, &arena), &arena).status;
}

START_TEST(fields)
{
	ck_assert_int_eq(status_of("From: a@example.org\r\n"), AUTHOR_ONE);
	ck_assert_int_eq(status_of("fRom : a@example.org\r\n"), AUTHOR_ONE);
	ck_assert_int_eq(status_of("Subject: x\r\n"), AUTHOR_MISSING);
	ck_assert_int_eq(status_of(""), AUTHOR_MISSING);
	ck_assert_int_eq(status_of("From: a@example.org\r\nX: y\r\nFROM: a@example.org\r\n"),
			 AUTHOR_REPEATED);
	/* The first line is a field to programs that trim it. */
	ck_assert_int_eq(status_of(" From: ceo@bank.example\r\nFrom: a@example.org\r\n"),
			 AUTHOR_MALFORMED);
	ck_assert(author_is_ambiguous(AUTHOR_REPEATED));
	ck_assert(!author_is_ambiguous(AUTHOR_MISSING));
}
END_TEST

/* A second From: behind more fields than are listed isn't seen: so it counts as there. */
START_TEST(behind_many_fields)
{
	char *header = malloc(20000);
	struct buf b = buf_over(header, 20000);

	buf_text(&b, LIT("From: a@example.org\r\n"));
	for (int i = 0; i < HEADER_FIELDS_MAX; i++)
		buf_text(&b, LIT("a:\r\n"));
	buf_text(&b, LIT("From: ceo@bank.example\r\n"));
	ck_assert_int_eq(status_of(header), AUTHOR_MALFORMED);
	free(header);
}
END_TEST

static struct author many(const char *one, size_t n)
{
	size_t size = n * (strlen(one) + 8) + 1;
	char *body = malloc(size);
	struct buf b = buf_over(body, size);
	struct author a;

	for (size_t i = 0; i < n; i++)
		buf_printf(&b, one, (unsigned)i);
	a = author_parse(buf_view(&b), &arena);
	free(body);
	return a;
}

START_TEST(a_million)
{
	struct author a = many("a%u@example.org, ", 100);

	ck_assert_int_eq(a.status, AUTHOR_ONE);
	ck_assert_uint_eq(a.mailboxes, 100);
	a = many("a%u@example.org,", 1000000);
	ck_assert_int_eq(a.status, AUTHOR_ONE);
	ck_assert_uint_eq(a.mailboxes, 1000000);
	a = many("x@a%u.example,", 1000000);
	ck_assert_int_eq(a.status, AUTHOR_SEVERAL);
	/* Memory doesn't grow with them. */
	ck_assert_uint_lt(arena.used, 100000);
	a = many("(", 1000000);
	ck_assert_int_eq(a.status, AUTHOR_MALFORMED);
	a = many("a <", 1000000);
	ck_assert_int_eq(a.status, AUTHOR_MALFORMED);
	a = many("word ", 1000000);
	ck_assert_int_eq(a.status, AUTHOR_MALFORMED);
	a = many("g:;", 1000000);
	ck_assert_int_eq(a.status, AUTHOR_MALFORMED);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("author");
	Suite *suite = suite_create("author");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, start, stop);
	tcase_add_loop_test(tc, bodies, 0, (int)(sizeof(rows) / sizeof(rows[0])));
	tcase_add_test(tc, nul);
	tcase_add_test(tc, fields);
	tcase_add_test(tc, behind_many_fields);
	tcase_add_test(tc, a_million);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
