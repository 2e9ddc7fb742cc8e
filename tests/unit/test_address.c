/* Paths of MAIL and RCPT: cases, attacks, and random ones against the grammar written as a regular
 * expression. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "policy/message/address.h"

#include "shm/base/ip.h"

#include <check.h>
#include <pcre2.h>
#include <stdio.h>
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

static enum address_error parse(const char *s, enum path_kind kind, bool utf8, struct mailbox *m)
{
	struct text rest;

	return path_parse(text_of(s), kind, utf8, &arena, m, &rest);
}

static void same(struct text t, const char *want, const char *of)
{
	ck_assert_msg(text_eq(t, text_of(want)), "%s: got '%.*s', not '%s'", of, TEXT(t), want);
}

START_TEST(good_paths)
{
	static const struct {
		const char *path, *local, *domain, *whole;
		bool quoted, literal, utf8, odd_dots;
	} cases[] = {
	    {"<a@example.org>", "a", "example.org", "a@example.org"},
	    {" <a@example.org>", "a", "example.org", "a@example.org"},
	    {"<O'Brien+x=y@Example.ORG>", "O'Brien+x=y", "example.org", "O'Brien+x=y@Example.ORG"},
	    {"<!#$%&'*+-/=?^_`{|}~@x>", "!#$%&'*+-/=?^_`{|}~", "x", "!#$%&'*+-/=?^_`{|}~@x"},
	    {"<\"a b\"@x.y>", "a b", "x.y", "\"a b\"@x.y", .quoted = true},
	    {"<\"a\\\"\\\\@>\"@x.y>", "a\"\\@>", "x.y", "\"a\\\"\\\\@>\"@x.y", .quoted = true},
	    {"<a@[192.0.2.1]>", "a", "[192.0.2.1]", "a@[192.0.2.1]", .literal = true},
	    {"<a@[IPv6:2001:DB8:0::1]>", "a", "[ipv6:2001:db8::1]", "a@[IPv6:2001:DB8:0::1]",
	     .literal = true},
	    {"<a@[X-tag:some>thing]>", "a", "[x-tag:some>thing]", "a@[X-tag:some>thing]",
	     .literal = true},
	    {"<@a.b,@[192.0.2.1],@[IPv6:::1]:u@x.y>", "u", "x.y", "u@x.y"},
	    {"<@a:\"q q\"@x>", "q q", "x", "\"q q\"@x", .quoted = true},
	    {"<.a@x>", ".a", "x", ".a@x", .odd_dots = true},
	    {"<a.@x>", "a.", "x", "a.@x", .odd_dots = true},
	    {"<a..b@x>", "a..b", "x", "a..b@x", .odd_dots = true},
	    {"<a.b.c@x>", "a.b.c", "x", "a.b.c@x"},
	    {"<a@_dmarc.x_y.z>", "a", "_dmarc.x_y.z", "a@_dmarc.x_y.z"},
	    {"<\xC3\xBC@M\xC3\x9C.example>", "\xC3\xBC", "xn--m-eha.example",
	     "\xC3\xBC@M\xC3\x9C.example", .utf8 = true},
	    {"<a@fa\xC3\x9F.de>", "a", "xn--fa-hia.de", "a@fa\xC3\x9F.de", .utf8 = true},
	    {"<\"\xE4\xBD\xA0 x\"@a>", "\xE4\xBD\xA0 x", "a", "\"\xE4\xBD\xA0 x\"@a",
	     .quoted = true, .utf8 = true},
	    {"<a@\xE4\xBE\x8B\xE3\x80\x82org>", "a", "xn--fsq.org", "a@\xE4\xBE\x8B\xE3\x80\x82org",
	     .utf8 = true},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct mailbox m;

		enum address_error e = parse(cases[i].path, PATH_FORWARD, true, &m);
		ck_assert_msg(e == ADDRESS_OK, "%s: %s", cases[i].path, address_error_text(e));
		same(m.local, cases[i].local, cases[i].path);
		same(m.domain, cases[i].domain, cases[i].path);
		same(m.whole, cases[i].whole, cases[i].path);
		ck_assert_int_eq(m.quoted, cases[i].quoted);
		ck_assert_int_eq(m.literal, cases[i].literal);
		ck_assert_int_eq(m.utf8, cases[i].utf8);
		ck_assert_int_eq(m.odd_dots, cases[i].odd_dots);
		e = parse(cases[i].path, PATH_REVERSE, false, &m);
		ck_assert_int_eq(e, cases[i].utf8 ? ADDRESS_NEEDS_SMTPUTF8 : ADDRESS_OK);
	}
}
END_TEST

START_TEST(bad_paths)
{
	static const struct {
		const char *path;
		enum address_error e;
	} cases[] = {
	    {"", ADDRESS_NO_BRACKETS},
	    {"a@b", ADDRESS_NO_BRACKETS},
	    {"<a@b", ADDRESS_NO_BRACKETS},
	    {"<a@b>x", ADDRESS_NO_BRACKETS},
	    {"<a@b>>", ADDRESS_NO_BRACKETS},
	    {"\t<a@b>", ADDRESS_NO_BRACKETS},
	    {"<>", ADDRESS_NULL},
	    {"<", ADDRESS_LOCAL},
	    {"< a@b>", ADDRESS_LOCAL},
	    {"<a b@c>", ADDRESS_LOCAL},
	    {"<a(c)@b>", ADDRESS_LOCAL},
	    {"<a,b@c>", ADDRESS_LOCAL},
	    {"<@>", ADDRESS_ROUTE},
	    {"<@b>", ADDRESS_ROUTE},
	    {"<@a,b:c@d>", ADDRESS_ROUTE},
	    {"<@a:@b:c@d>", ADDRESS_LOCAL},
	    {"<@a,@:c@d>", ADDRESS_ROUTE},
	    {"<@a-:c@d>", ADDRESS_ROUTE},
	    {"<@a:postmaster>", ADDRESS_NO_DOMAIN},
	    {"<@a:>", ADDRESS_LOCAL},
	    {"<a>", ADDRESS_NO_DOMAIN},
	    {"<a@>", ADDRESS_NO_DOMAIN},
	    {"<a@b@c>", ADDRESS_DOMAIN},
	    {"<a@b.>", ADDRESS_DOMAIN},
	    {"<a@.b>", ADDRESS_DOMAIN},
	    {"<a@b..c>", ADDRESS_DOMAIN},
	    {"<a@-b>", ADDRESS_DOMAIN},
	    {"<a@b-.c>", ADDRESS_DOMAIN},
	    {"<a@b c>", ADDRESS_DOMAIN},
	    {"<a@b/c>", ADDRESS_DOMAIN},
	    {"<a@b <c>", ADDRESS_DOMAIN},
	    {"<a@[192.0.2.256]>", ADDRESS_LITERAL},
	    {"<a@[192.0.2.1>", ADDRESS_LITERAL},
	    {"<a@[]>", ADDRESS_LITERAL},
	    {"<a@[IPv6:x]>", ADDRESS_LITERAL},
	    {"<a@[IPv6:1.2.3.4]>", ADDRESS_LITERAL},
	    {"<a@[::1]>", ADDRESS_LITERAL},
	    {"<a@[tag-:x]>", ADDRESS_LITERAL},
	    {"<a@[tag:]>", ADDRESS_LITERAL},
	    {"<a@[192.0.2.1]x>", ADDRESS_NO_BRACKETS},
	    {"<\"\"@x>", ADDRESS_QUOTING},
	    {"<\"a@x>", ADDRESS_QUOTING},
	    {"<\"a\\", ADDRESS_QUOTING},
	    {"<\"a\"b@x>", ADDRESS_NO_DOMAIN},
	    {"<\"a\tb\"@x>", ADDRESS_CONTROL},
	    {"<\"a\\\tb\"@x>", ADDRESS_CONTROL},
	    {"<a\x7f@x>", ADDRESS_CONTROL},
	    {"<a@x\x01y>", ADDRESS_CONTROL},
	    {"<a\r\n@x>", ADDRESS_CONTROL},
	    {"<a\xC2\x85@x>", ADDRESS_CONTROL},
	    {"<\xFF@x>", ADDRESS_BAD_UTF8},
	    {"<\"\xC0\xAF\"@x>", ADDRESS_BAD_UTF8},
	    {"<\xED\xA0\x80@x>", ADDRESS_BAD_UTF8},
	    {"<a@\xC3>", ADDRESS_BAD_UTF8},
	    /* U+FF20, which IDNA maps to '@'; U+2100 to "a/c" */
	    {"<a@b\xEF\xBC\xA0"
	     "c>",
	     ADDRESS_DOMAIN},
	    {"<a@b.\xE2\x84\x80>", ADDRESS_DOMAIN},
	    /* what has run commands elsewhere */
	    {"<;sleep 66;>", ADDRESS_LOCAL},
	    {"<;x;@>", ADDRESS_LOCAL},
	    {"<x@;sleep 66;>", ADDRESS_DOMAIN},
	    {"<${run{/bin/touch /tmp/x}}@example.com>", ADDRESS_LOCAL},
	    {"<$(id)@example.com>", ADDRESS_LOCAL},
	    {"<a@`id`>", ADDRESS_DOMAIN},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct mailbox m = {.quoted = true};
		enum address_error e = parse(cases[i].path, PATH_FORWARD, true, &m);

		ck_assert_msg(e == cases[i].e, "%s: %s", cases[i].path, address_error_text(e));
		ck_assert_ptr_null(m.local.p);
	}
}
END_TEST

START_TEST(nul_bytes)
{
	static const struct text cases[] = {
	    LIT("<a\0@x>"), LIT("<\0>"),    LIT("<a@x\0>"),    LIT("<\"\0\"@x>"),
	    LIT("<a@x>\0"), LIT("\0<a@x>"), LIT("<@a\0:b@c>"), LIT("<a@[192.0.2.1\0]>"),
	};
	struct text rest;
	struct mailbox m;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ck_assert_int_ne(path_parse(cases[i], PATH_FORWARD, true, &arena, &m, &rest),
				 ADDRESS_OK);
}
END_TEST

START_TEST(null_and_postmaster)
{
	struct mailbox m;

	ck_assert_int_eq(parse("<>", PATH_REVERSE, false, &m), ADDRESS_OK);
	ck_assert_uint_eq(m.whole.n + m.local.n + m.domain.n, 0);
	ck_assert_int_eq(parse("<PostMaster>", PATH_FORWARD, false, &m), ADDRESS_OK);
	same(m.whole, "PostMaster", "whole");
	ck_assert_uint_eq(m.domain.n, 0);
	ck_assert(mailbox_is_postmaster(&m));
	same(mailbox_key(&m, &arena), "postmaster@", "key");
	ck_assert_int_eq(parse("<Postmaster>", PATH_REVERSE, false, &m), ADDRESS_NO_DOMAIN);
	ck_assert_int_eq(parse("<abuse>", PATH_FORWARD, false, &m), ADDRESS_NO_DOMAIN);
}
END_TEST

START_TEST(rest_of_the_line)
{
	struct mailbox m;
	struct text rest;

	ck_assert_int_eq(path_parse(LIT("<a@b> SIZE=1"), PATH_REVERSE, false, &arena, &m, &rest),
			 ADDRESS_OK);
	same(rest, " SIZE=1", "rest");
	ck_assert_int_eq(path_parse(LIT("<> AUTH=<>"), PATH_REVERSE, false, &arena, &m, &rest),
			 ADDRESS_OK);
	same(rest, " AUTH=<>", "rest");
}
END_TEST

static const char *repeat(char c, int n, const char *before, const char *after)
{
	static char s[4][2048];
	static int at;
	int len = 0;

	at = (at + 1) % 4;
	len += snprintf(s[at], sizeof(s[at]), "%s", before);
	memset(s[at] + len, c, (size_t)n);
	snprintf(s[at] + len + n, sizeof(s[at]) - (size_t)(len + n), "%s", after);
	return s[at];
}

START_TEST(limits)
{
	char l63[64] = "";
	char domain[600], path[1200];
	struct mailbox m;
	int n;

	memset(l63, 'x', 63);
	ck_assert_int_eq(parse(repeat('a', 64, "<", "@x>"), PATH_FORWARD, false, &m), ADDRESS_OK);
	ck_assert_int_eq(parse(repeat('a', 65, "<", "@x>"), PATH_FORWARD, false, &m),
			 ADDRESS_LOCAL_TOO_LONG);
	/* the quotes are part of it */
	ck_assert_int_eq(parse(repeat('a', 62, "<\"", "\"@x>"), PATH_FORWARD, false, &m),
			 ADDRESS_OK);
	ck_assert_int_eq(parse(repeat('a', 63, "<\"", "\"@x>"), PATH_FORWARD, false, &m),
			 ADDRESS_LOCAL_TOO_LONG);
	ck_assert_int_eq(parse(repeat('a', 63, "<a@", ">"), PATH_FORWARD, false, &m), ADDRESS_OK);
	ck_assert_int_eq(parse(repeat('a', 64, "<a@", ">"), PATH_FORWARD, false, &m),
			 ADDRESS_DOMAIN_TOO_LONG);
	ck_assert_int_eq(parse(repeat('a', 63, "<a@\xC3\xBC.", ">"), PATH_FORWARD, true, &m),
			 ADDRESS_OK);
	ck_assert_int_eq(parse(repeat('a', 60, "<a@\xC3\xBC", ">"), PATH_FORWARD, true, &m),
			 ADDRESS_DOMAIN_TOO_LONG);
	/* 252 octets of domain: the path has 256 with "<a@>" */
	n = snprintf(domain, sizeof(domain), "%s.%s.%s.%.60s", l63, l63, l63, l63);
	ck_assert_int_eq(n, 252);
	snprintf(path, sizeof(path), "<a@%s>", domain);
	ck_assert_int_eq(parse(path, PATH_FORWARD, false, &m), ADDRESS_OK);
	snprintf(path, sizeof(path), "<aa@%s>", domain);
	ck_assert_int_eq(parse(path, PATH_FORWARD, false, &m), ADDRESS_PATH_TOO_LONG);
	/* the route counts, the space before the bracket doesn't */
	snprintf(path, sizeof(path), "   <a@%s>", domain);
	ck_assert_int_eq(parse(path, PATH_FORWARD, false, &m), ADDRESS_OK);
	snprintf(path, sizeof(path), "<@r:a@%s>", domain);
	ck_assert_int_eq(parse(path, PATH_FORWARD, false, &m), ADDRESS_PATH_TOO_LONG);

	snprintf(domain, sizeof(domain), "%s.%s.%s.%s", l63, l63, l63, l63);
	ck_assert_uint_eq(strlen(domain), 255);
	ck_assert(domain_is_valid(text_of(domain)));
	snprintf(domain, sizeof(domain), "%s.%s.%s.%.61s.x", l63, l63, l63, l63);
	ck_assert(domain_is_valid(text_of(domain)));
	snprintf(domain, sizeof(domain), "%s.%s.%s.%.61s.xx", l63, l63, l63, l63);
	ck_assert(!domain_is_valid(text_of(domain)));
}
END_TEST

START_TEST(bare_addresses)
{
	struct mailbox m;

	ck_assert_int_eq(address_parse(LIT("A.b@Example.org"), true, &arena, &m), ADDRESS_OK);
	same(m.whole, "A.b@Example.org", "whole");
	same(m.domain, "example.org", "domain");
	ck_assert_int_eq(address_parse(LIT("\"a b\"@x"), true, &arena, &m), ADDRESS_OK);
	ck_assert_int_eq(address_parse(LIT("a@[192.0.2.1]"), true, &arena, &m), ADDRESS_OK);
	ck_assert_int_ne(address_parse(LIT("a@[192.0.2.1]x"), true, &arena, &m), ADDRESS_OK);
	ck_assert_int_ne(address_parse(LIT("<a@b>"), true, &arena, &m), ADDRESS_OK);
	ck_assert_int_ne(address_parse(LIT("a@b>"), true, &arena, &m), ADDRESS_OK);
	ck_assert_int_ne(address_parse(LIT("a>@b"), true, &arena, &m), ADDRESS_OK);
	ck_assert_int_ne(address_parse(LIT("a@b "), true, &arena, &m), ADDRESS_OK);
	ck_assert_int_ne(address_parse(LIT("a"), true, &arena, &m), ADDRESS_OK);
	ck_assert_int_ne(address_parse(LIT(""), true, &arena, &m), ADDRESS_OK);
	ck_assert_int_ne(address_parse(LIT("@b"), true, &arena, &m), ADDRESS_OK);
}
END_TEST

START_TEST(keys)
{
	struct mailbox m;

	parse("<User+Tag+x@EXAMPLE.org>", PATH_FORWARD, false, &m);
	same(mailbox_key(&m, &arena), "user+tag+x@example.org", "key");
	same(mailbox_key_untagged(&m, &arena), "user@example.org", "untagged");
	parse("<\"A @b\"@x>", PATH_FORWARD, false, &m);
	same(mailbox_key(&m, &arena), "a @b@x", "key");
	same(local_without_tag(LIT("+x")), "+x", "tag");
	same(local_without_tag(LIT("a+")), "a", "tag");
	same(local_without_tag(LIT("a")), "a", "tag");
	same(local_without_tag(LIT("")), "", "tag");

	parse("<ABUSE@x>", PATH_FORWARD, false, &m);
	ck_assert(mailbox_is_postmaster(&m));
	parse("<\"postmaster\"@x>", PATH_FORWARD, false, &m);
	ck_assert(mailbox_is_postmaster(&m));
	parse("<postmaster1@x>", PATH_FORWARD, false, &m);
	ck_assert(!mailbox_is_postmaster(&m));
}
END_TEST

START_TEST(domains)
{
	static const char *const bad[] = {"",         ".",   "a.",  ".a",   "a..b",
					  "-a",       "a-",  "a b", "a\tb", "[192.0.2.1]",
					  "\xC3\xBC", "a,b", "a:25"};
	static const char *const good[] = {"localhost",      "a.b", "xn--m-eha.example", "1.2.3.4",
					   "HOST_1.example", "a--b"};
	struct text out;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(!domain_is_valid(text_of(bad[i])), "%s", bad[i]);
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		ck_assert_msg(domain_is_valid(text_of(good[i])), "%s", good[i]);
	ck_assert(domain_to_ascii(LIT("B\xC3\x9C"
				      "CHER.Example"),
				  &arena, &out));
	same(out, "xn--bcher-kva.example", "to ascii");
	ck_assert(!domain_to_ascii(LIT(""), &arena, &out));
	ck_assert(!domain_to_ascii(LIT("a b"), &arena, &out));
}
END_TEST

/* ---- against a model
 * ----------------------------------------------------------------------------- */

#define LABEL   "[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?"
#define NAME    LABEL "(?:\\." LABEL ")*"
#define LITERAL "\\[[\\x21-\\x5a\\x5e-\\x7e]+\\]"
#define DOMAIN  "(?:" NAME "|" LITERAL ")"
#define DOTS    "[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+"
#define QUOTED  "\"(?:[\\x20\\x21\\x23-\\x5b\\x5d-\\x7e]|\\\\[\\x20-\\x7e])+\""

static const char grammar[] =
    "\\A *(<(?:(?<route>@" DOMAIN "(?:,@" DOMAIN ")*):)?"
    "(?<whole>(?<local>" DOTS "|" QUOTED ")@(?<domain>" DOMAIN "))>)(?: |\\z)";

static bool model_literal(struct text t)
{
	struct text inner = text_make(t.p + 1, t.n - 2), tag, content;

	if (!text_split(inner, ':', &tag, &content))
		return ip_parse(inner, NULL);
	if (text_ieq(tag, LIT("IPv6")))
		return text_find(content, ':') < content.n && ip_parse(content, NULL);
	for (size_t i = 0; i < tag.n; i++) {
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-",
			    tag.p[i]))
			return false;
	}
	return tag.n > 0 && tag.p[tag.n - 1] != '-' && content.n > 0;
}

static bool model_domain(struct text t)
{
	size_t label = 0;

	if (t.n > 255)
		return false;
	if (t.p[0] == '[')
		return model_literal(t);
	for (size_t i = 0; i < t.n; i++) {
		label = t.p[i] == '.' ? 0 : label + 1;
		if (label > 63)
			return false;
	}
	return true;
}

static bool model_route(struct text t)
{
	while (t.n > 0) {
		size_t n = 1;

		/* '@' domain ','; a literal may hold both */
		if (n < t.n && t.p[n] == '[')
			n = text_find(t, ']');
		while (n < t.n && t.p[n] != ',')
			n++;
		if (!model_domain(text_make(t.p + 1, n - 1)))
			return false;
		if (n < t.n)
			n++;
		t = text_make(t.p + n, t.n - n);
	}
	return true;
}

static struct text group(pcre2_match_data *md, pcre2_code *re, const char *name,
			 const char *subject)
{
	size_t *v = pcre2_get_ovector_pointer(md);
	int i = pcre2_substring_number_from_name(re, (PCRE2_SPTR)name);

	if (v[2 * i] == PCRE2_UNSET)
		return text_make(NULL, 0);
	return text_make(subject + v[2 * i], v[2 * i + 1] - v[2 * i]);
}

/* What must come out, for paths without <>, <Postmaster> and UTF-8. */
static bool model(pcre2_code *re, struct text t, struct text *whole)
{
	pcre2_match_data *md = pcre2_match_data_create_from_pattern(re, NULL);
	bool good = pcre2_match(re, (PCRE2_SPTR)t.p, t.n, 0, 0, md, NULL) > 0;

	if (good) {
		size_t *v = pcre2_get_ovector_pointer(md);

		*whole = group(md, re, "whole", t.p);
		good = group(md, re, "local", t.p).n <= 64 && v[3] - v[2] <= 256 &&
		       model_domain(group(md, re, "domain", t.p)) &&
		       model_route(group(md, re, "route", t.p));
	}
	pcre2_match_data_free(md);
	return good;
}

static unsigned pick(unsigned n)
{
	return (unsigned)rand() % n;
}

static void random_domain(struct buf *b)
{
	static const char *const literals[] = {"[192.0.2.1]", "[IPv6:2001:db8::1]", "[x:y]",
					       "[300.1.1.1]", "[ipv6:::ffff:192.0.2.1]"};
	static const char chars[] = "abcXYZ019-_";

	if (pick(6) == 0) {
		buf_text(b, text_of(literals[pick(5)]));
		return;
	}
	for (unsigned labels = 1 + pick(pick(20) ? 3 : 30); labels > 0; labels--) {
		for (unsigned n = 1 + pick(pick(20) ? 6 : 70); n > 0; n--)
			buf_char(b, chars[pick(sizeof(chars) - 1)]);
		if (labels > 1)
			buf_char(b, '.');
	}
}

static void random_local(struct buf *b)
{
	static const char chars[] = "abcXYZ019.!#$%&'*+-/=?^_`{|}~";

	if (pick(4) > 0) {
		for (unsigned n = 1 + pick(pick(10) ? 10 : 70); n > 0; n--)
			buf_char(b, chars[pick(sizeof(chars) - 1)]);
		return;
	}
	buf_char(b, '"');
	for (unsigned n = 1 + pick(pick(10) ? 10 : 70); n > 0; n--) {
		char c = (char)(32 + pick(95));

		if (c == '"' || c == '\\' || pick(8) == 0)
			buf_char(b, '\\');
		buf_char(b, c);
	}
	buf_char(b, '"');
}

static void random_path(struct buf *b)
{
	buf_char(b, '<');
	if (pick(8) == 0) {
		for (unsigned n = 1 + pick(3); n > 0; n--) {
			buf_char(b, '@');
			random_domain(b);
			buf_char(b, n > 1 ? ',' : ':');
		}
	}
	random_local(b);
	buf_char(b, '@');
	random_domain(b);
	buf_char(b, '>');
	if (pick(4) == 0)
		buf_text(b, LIT(" SIZE=1"));
}

static void mutate(struct buf *b)
{
	static const char special[] = "<>@\"\\[]:,. ;\t\r\n\x7f(";

	for (unsigned n = 1 + pick(3); n > 0 && b->n > 0; n--) {
		size_t at = pick((unsigned)b->n);

		switch (pick(3)) {
		case 0: /* replace, by a NUL as well */
			b->p[at] = special[pick(sizeof(special))];
			break;
		case 1: /* remove */
			memmove(b->p + at, b->p + at + 1, b->n - at);
			b->n--;
			break;
		default: /* double */
			if (b->n + 1 < b->cap) {
				memmove(b->p + at + 1, b->p + at, b->n - at + 1);
				b->n++;
			}
		}
	}
}

START_TEST(random_paths_as_the_grammar_says)
{
	enum { ROUNDS = 100000 };
	unsigned good = 0;
	PCRE2_SIZE at;
	int error;
	pcre2_code *re =
	    pcre2_compile((PCRE2_SPTR)grammar, PCRE2_ZERO_TERMINATED, 0, &error, &at, NULL);

	ck_assert_ptr_nonnull(re);
	srand(4);
	for (int i = 0; i < ROUNDS; i++) {
		char bytes[4096], shown[8192];
		struct buf b = buf_over(bytes, sizeof(bytes)), s = buf_over(shown, sizeof(shown));
		struct text want = {NULL, 0}, rest;
		struct mailbox m, again;

		random_path(&b);
		if (i % 2)
			mutate(&b);
		buf_escaped(&s, buf_view(&b));
		/* a heap copy of the exact size, so that ASan sees a read past it */
		char *copy = malloc(b.n + !b.n);
		memcpy(copy, b.p, b.n);
		struct text t = text_make(copy, b.n);
		bool expected = model(re, t, &want);
		enum address_error e = path_parse(t, PATH_REVERSE, false, &arena, &m, &rest);

		if (e == ADDRESS_OK && m.whole.n == 0)
			expected = true; /* mutated down to <> */
		ck_assert_msg((e == ADDRESS_OK) == expected, "%s: %s", shown,
			      address_error_text(e));
		if (e == ADDRESS_OK && m.whole.n > 0) {
			ck_assert_msg(text_eq(m.whole, want), "%s: %.*s", shown, TEXT(m.whole));
			/* what is passed on means the same */
			ck_assert_int_eq(address_parse(m.whole, false, &arena, &again), ADDRESS_OK);
			ck_assert(text_eq(again.local, m.local) && text_eq(again.domain, m.domain));
			good++;
		}
		free(copy);
		arena_reset(&arena);
	}
	/* the generator must reach both sides */
	ck_assert_uint_gt(good, ROUNDS / 10);
	ck_assert_uint_lt(good, ROUNDS * 9 / 10);
	pcre2_code_free(re);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("address");
	TCase *tc = tcase_create("address");
	SRunner *sr = srunner_create(s);

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, good_paths);
	tcase_add_test(tc, bad_paths);
	tcase_add_test(tc, nul_bytes);
	tcase_add_test(tc, null_and_postmaster);
	tcase_add_test(tc, rest_of_the_line);
	tcase_add_test(tc, limits);
	tcase_add_test(tc, bare_addresses);
	tcase_add_test(tc, keys);
	tcase_add_test(tc, domains);
	tcase_add_test(tc, random_paths_as_the_grammar_says);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
