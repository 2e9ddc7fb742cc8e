/* The MIME walker: where parts stand, decoders, magic numbers, bounds, and the messages that have
 * kept other parsers busy for ever.  Tricks with names and boundaries: test_mime_corpus.c. */
#include "policy/message/mime.h"
#include "policy/message/mime_decode.h"
#include "policy/message/mime_magic.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

static struct arena arena;
static const struct mime_bounds usual = {50, 1000, 2000, 4096};

static void start(void)
{
	arena_init(&arena, NULL, NULL);
}

static void stop(void)
{
	arena_reset(&arena);
}

static const struct mime_facts *parse(struct text t)
{
	struct mime *m = mime_begin(&arena, &usual);

	mime_feed(m, t.p, t.n);
	return mime_end(m);
}

/* --- what is found */

#define MESSAGE                                                                                    \
	"Subject: x\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\npreamble\r\n--b\r\n\r\n"   \
	"one\r\ntwo\r\n--b\r\nContent-Type: Application/ZIP; name=a.zip\r\n"                       \
	"Content-Transfer-Encoding: base64\r\n\r\nUEsDBA==\r\n--b\r\n\r\n--b--\r\nepilogue\r\n"

START_TEST(parts_and_places)
{
	const struct text t = LIT(MESSAGE);
	const struct mime_facts *f = parse(t);
	const struct mime_part *p = f->parts;

	ck_assert_uint_eq(f->count, 4);
	ck_assert_uint_eq(f->limits, 0);
	ck_assert_uint_eq(f->opaque, 0);
	ck_assert(p[0].container && p[0].depth == 0 && p[0].inside == -1);
	ck_assert_uint_eq(p[0].offset + p[0].length, t.n);
	ck_assert(text_eq(text_make(t.p + p[1].offset, p[1].length), LIT("one\r\ntwo")));
	ck_assert(p[1].types == NULL && p[1].names == NULL && p[1].depth == 1);
	ck_assert_uint_eq(p[1].encodings, 1 << MIME_IDENTITY);
	ck_assert(text_eq(text_make(t.p + p[2].offset, p[2].length), LIT("UEsDBA==")));
	ck_assert(text_eq(p[2].types->t, LIT("application/zip")) && !p[2].types->next);
	ck_assert(text_eq(p[2].names->t, LIT("a.zip")) && !p[2].names->next);
	ck_assert_uint_eq(p[2].encodings, 1 << MIME_BASE64);
	ck_assert(mime_part_is(&p[2], MIME_ZIP));
	ck_assert_int_eq(mime_part_archive(&p[2]), MIME_ZIP);
	ck_assert_int_eq(mime_part_program(&p[2]), MIME_UNKNOWN);
	ck_assert_uint_eq(p[3].length, 0);
}
END_TEST

START_TEST(places_in_encoded_containers)
{
	/* base64 of "Content-Type: text/plain; name=x.txt\r\n\r\nhello" */
	const struct mime_facts *f =
	    parse(LIT("Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n"
		      "Q29udGVudC1UeXBlOiB0ZXh0L3BsYWluOyBuYW1lPXgudHh0DQoNCmhlbGxv\r\n"));
	const struct mime_part *p = NULL;

	for (size_t i = 0; i < f->count; i++) {
		if (f->parts[i].names)
			p = &f->parts[i];
	}
	ck_assert_ptr_nonnull(p);
	ck_assert_int_eq(p->inside, 0);
	ck_assert_uint_eq(p->offset, 40);
	ck_assert_uint_eq(p->length, 5);
}
END_TEST

START_TEST(nothing)
{
	const struct mime_facts *f = parse(LIT(""));

	ck_assert_uint_eq(f->count, 1);
	ck_assert_uint_eq(f->parts[0].length, 0);
	ck_assert_uint_eq(parse(LIT("\r\n"))->count, 1);
	ck_assert_uint_eq(parse(LIT("--"))->count, 1);
}
END_TEST

START_TEST(opaque)
{
	static const struct {
		const char *type;
		unsigned opaque;
	} types[] = {
	    {"multipart/encrypted; boundary=b", MIME_OPAQUE_ENCRYPTED},
	    {"application/pkcs7-mime; smime-type=enveloped-data", MIME_OPAQUE_ENCRYPTED},
	    {"application/x-pkcs7-mime; name=smime.p7m", 0},
	    {"application/pkcs7-mime; smime-type=signed-data", 0},
	    {"application/mac-binhex40", MIME_OPAQUE_BINHEX},
	    {"application/pkcs7-mime; smime-type=certs-only", 0},
	    {"message/partial; id=x; number=2", MIME_OPAQUE_PARTIAL},
	    {"message/external-body; access-type=url", MIME_OPAQUE_EXTERNAL},
	    {"multipart/signed; boundary=b", 0},
	};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		const struct text t =
		    arena_printf(&arena, "Content-Type: %s\r\n\r\nx\r\n", types[i].type);

		ck_assert_msg(parse(t)->opaque == types[i].opaque, "%s", types[i].type);
	}
	ck_assert_str_eq(mime_opaque_text(MIME_OPAQUE_ENCRYPTED), "encrypted");
	ck_assert_str_eq(mime_opaque_text(0), "");
}
END_TEST

/* --- decoders */

static struct text decode(enum mime_encoding encoding, struct text t, size_t piece)
{
	struct mime_decoder d = {.encoding = encoding};
	char *out = arena_alloc(&arena, t.n + 64);
	size_t n = 0;

	for (size_t at = 0; at < t.n; at += piece) {
		const size_t take = t.n - at < piece ? t.n - at : piece;

		n += mime_decode(&d, t.p + at, take, out + n);
	}
	return text_make(out, n);
}

START_TEST(decoders)
{
	static const struct {
		enum mime_encoding encoding;
		struct text in, out;
	} cases[] = {
	    {MIME_BASE64, LIT("aGVsbG8="), LIT("hello")},
	    {MIME_BASE64, LIT("aGVs\r\n bG8"), LIT("hello")},
	    {MIME_BASE64, LIT("a*G-V!s.bG8"), LIT("hello")},
	    {MIME_BASE64, LIT("aA==aA==aGk="), LIT("hhhi")},
	    {MIME_BASE64, LIT("//79"), LIT("\xff\xfe\xfd")},
	    {MIME_BASE64, LIT(""), LIT("")},
	    {MIME_QUOTED_PRINTABLE, LIT("a=3Db=\r\nc=3dd"), LIT("a=bc=d")},
	    {MIME_QUOTED_PRINTABLE, LIT("a= \t\r\nb=\nc"), LIT("abc")},
	    {MIME_QUOTED_PRINTABLE, LIT("=zz=4z==41"), LIT("=zz=4z=A")},
	    {MIME_QUOTED_PRINTABLE, LIT("x\r\ny"), LIT("x\r\ny")},
	    {MIME_UU, LIT("%:&5L;&\\\r\n`\r\n"), LIT("hello")},
	    {MIME_YENC, LIT("\x77\x84\xba=y=Mkg"),
	     LIT("MZ\x90\x0f\xe3"
		 "A=")},
	    {MIME_YENC, LIT("=ypart begin=1\r\n\x92\x8f\x96\r\n=n\x96\x99\r\n=yend"),
	     LIT("hel\x04lo")},
	    {MIME_UU, LIT("#86)Cgarbage\n#86)C\n"), LIT("abcabc")},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (size_t piece = 1; piece < 9; piece++) {
			const struct text got = decode(cases[i].encoding, cases[i].in, piece);

			ck_assert_msg(text_eq(got, cases[i].out), "case %zu in %zu: \"%.*s\"", i,
				      piece, TEXT(got));
		}
	}
}
END_TEST

#define OID_SIGNED    "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02"
#define OID_ENVELOPED "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03"
#define OID_DATA      "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01"
/* What stands before the content, with lengths that nobody knows yet; the digests' set is empty. */
#define CMS "\x30\x80" OID_SIGNED "\xa0\x80\x30\x80\x02\x01\x01\x31\x00\x30\x80" OID_DATA "\xa0\x80"

static struct text message_of(struct text body)
{
	static const struct text head = LIT("X: y\r\n\r\n");
	char *p = arena_alloc(&arena, head.n + body.n);

	memcpy(p, head.p, head.n);
	memcpy(p + head.n, body.p, body.n);
	return text_make(p, head.n + body.n);
}

/* The content of signed messages, however it is written; what can't be read is said. */
START_TEST(signed_content)
{
	static const struct {
		struct text file, content;
		unsigned opaque;
	} cases[] = {
	    {LIT(CMS "\x04\x05hello"), LIT("hello"), 0},
	    {LIT(CMS "\x04\x81\x05hello\0\0\0\0\xa0\x02\x04\x00"), LIT("hello"), 0},
	    {LIT(CMS "\x24\x80\x04\x03hel\x04\x00\x04\x84\0\0\0\x02lo\0\0\0\0\x31\x02\x04\x00"),
	     LIT("hello"), 0},
	    {LIT(CMS "\x24\x80\x24\x80\x04\x01h\0\0\x24\x06\x04\x04"
		     "ello\0\0\0\0\x31\x02\x04\x00"),
	     LIT("hello"), 0},
	    {LIT(CMS "\x30\x03\x04\x01x"), LIT(""), 0},
	    {LIT("\x30\x80" OID_SIGNED "\xa0\x80\x30\x80\x02\x01\x01\x31\x80"), LIT(""),
	     MIME_OPAQUE_SIGNED},
	    {LIT("\x30\x80" OID_SIGNED "\xa0\x80\x31\x80"), LIT(""), MIME_OPAQUE_SIGNED},
	    {LIT(CMS "\x04\x85\x01\0\0\0\0"), LIT(""), MIME_OPAQUE_SIGNED},
	    {LIT("\x30\x80" OID_ENVELOPED "\xa0\x80"), LIT(""), MIME_OPAQUE_ENCRYPTED},
	    {LIT("\x30\x80" OID_DATA "\xa0\x80\x04\x05hello"), LIT(""), 0},
	    {LIT("\x30\x05hello"), LIT(""), 0},
	    {LIT("0 and some text"), LIT(""), 0},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (size_t piece = 1; piece < 9; piece++) {
			const struct text got = decode(MIME_CMS, cases[i].file, piece);

			ck_assert_msg(text_eq(got, cases[i].content), "case %zu in %zu: \"%.*s\"",
				      i, piece, TEXT(got));
		}
		ck_assert_msg(parse(message_of(cases[i].file))->opaque == cases[i].opaque,
			      "case %zu", i);
	}
}
END_TEST

START_TEST(magic)
{
	static const struct {
		struct text head;
		enum mime_kind kind;
	} heads[] = {
	    {LIT("MZ\x90\0\3\0\0\0\4\0\0\0\xff\xff\0\0\xb8\0\0\0\0\0\0\0@\0\0\0"), MIME_PE},
	    {LIT("\x7f"
		 "ELF\2\1\1"),
	     MIME_ELF},
	    {LIT("#!/bin/sh"), MIME_SCRIPT},
	    {LIT("#! /usr/bin/perl"), MIME_SCRIPT},
	    {LIT("\xca\xfe\xba\xbe\0\0\0\2"), MIME_MACH_O},
	    {LIT("\xca\xfe\xba\xbe\0\0\0\x41"), MIME_JAVA_CLASS},
	    {LIT("PK\3\4\x14"), MIME_ZIP},
	    {LIT("7z\xbc\xaf\x27\x1c\0\4"), MIME_7Z},
	    {LIT("Rar!\x1a\7\1\0"), MIME_RAR},
	    {LIT("\x1f\x8b\x08"), MIME_GZIP},
	    {LIT("\x1f\x9d\x90"), MIME_COMPRESS},
	    {LIT("\x60\xea\x28\0\x22\x0b\1\0\x10\0\2"), MIME_ARJ},
	    {LIT("\xc7\x71 dev ino mode      \2\0sizea\0"), MIME_CPIO},
	    {LIT("BZh91AY"), MIME_BZIP2},
	    {LIT("MSCF\0\0\0\0"), MIME_CAB},
	    {LIT("\0\0-lh5-"), MIME_LHA},
	    {LIT("1234567**ACE**"), MIME_ACE},
	    {LIT("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), MIME_OLE},
	    {LIT("%PDF-1.7"), MIME_PDF},
	};

	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++)
		ck_assert_msg(mime_magic((const unsigned char *)heads[i].head.p, heads[i].head.n) ==
				  UINT64_C(1) << heads[i].kind,
			      "%s", mime_kind_name(heads[i].kind));
	ck_assert_uint_eq(mime_magic((const unsigned char *)"MZ is a text", 12), 0);
	ck_assert_uint_eq(mime_magic((const unsigned char *)"#!no path", 9), 0);
	ck_assert_uint_eq(mime_magic(NULL, 0), 0);
}
END_TEST

/* Of a file of `n` bytes that begins so, with the four bytes at the place. */
static bool is_program(unsigned lfanew, const char *there, size_t n)
{
	static unsigned char head[40000];

	memset(head, 0xee, sizeof(head));
	memcpy(head, "MZ", 2);
	for (int i = 0; i < 4; i++)
		head[60 + i] = (unsigned char)(lfanew >> 8 * i);
	if (there)
		memcpy(head + lfanew, there, 4);
	return mime_magic(head, n) == UINT64_C(1) << MIME_PE;
}

/* What Windows starts has its header at the place that byte 60 tells, whatever stands before. */
START_TEST(windows_programs)
{
	ck_assert(is_program(128, "PE\0", MIME_HEAD));
	ck_assert(is_program(4, "PE\0", MIME_HEAD));
	ck_assert(is_program(4096, NULL, MIME_HEAD));
	ck_assert(is_program(63 << 20, NULL, MIME_HEAD));
	ck_assert(!is_program(128, "none", MIME_HEAD));
	ck_assert(!is_program(4098, NULL, MIME_HEAD));
	ck_assert(!is_program(64 << 20, NULL, MIME_HEAD));
	ck_assert(!is_program(0, NULL, MIME_HEAD));
	/* a short file is there as a whole; of one in an archive more is known */
	ck_assert(!is_program(4096, NULL, MIME_HEAD - 1));
	ck_assert(is_program(36000, "PE\0", 40000));
	ck_assert(!is_program(36000, "none", 40000));
	ck_assert(is_program(50000, NULL, 40000));
}
END_TEST

/* Files that look like noise, as encrypted and compressed ones do, are nothing but by rare chance.
 */
START_TEST(noise_is_nothing)
{
	static const char *const starts[] = {"MZ",       "ZM",       "\x1f\x8b",
					     "\x1f\x9d", "\x60\xea", "\xc7\x71"};
	enum { FILES = 200000 };
	uint64_t seed = 1;

	for (size_t s = 0; s < sizeof(starts) / sizeof(starts[0]); s++) {
		unsigned char head[MIME_HEAD];
		unsigned taken = 0;

		for (int i = 0; i < FILES; i++) {
			for (size_t k = 0; k < sizeof(head); k++) {
				seed = seed * 6364136223846793005u + 1442695040888963407u;
				head[k] = (unsigned char)(seed >> 56);
			}
			memcpy(head, starts[s], 2);
			taken += mime_magic(head, sizeof(head)) != 0;
		}
		/* of 65,536 times as many files */
		ck_assert_msg(taken < FILES / 12, "%u begin with %02x %02x", taken,
			      (unsigned char)starts[s][0], (unsigned char)starts[s][1]);
		if (s < 2)
			ck_assert_uint_lt(taken, FILES / 150);
	}
}
END_TEST

START_TEST(tar_and_disc)
{
	static const char head[] = "Content-Type: image/png\r\n\r\n";
	static char message[40000];
	const size_t n = sizeof(head) - 1;

	memcpy(message, head, n);
	memcpy(message + n + 257, "ustar", 5);
	ck_assert(mime_part_is(&parse(text_make(message, n + 1000))->parts[0], MIME_TAR));
	memset(message + n, 0, sizeof(message) - n);
	memcpy(message + n + 32769, "CD001", 5);
	ck_assert(mime_part_is(&parse(text_make(message, sizeof(message)))->parts[0], MIME_ISO));
	/* a tar of before POSIX: a sum in octal */
	memset(message + n, 0, 512);
	memcpy(message + n, "a.txt", 5);
	unsigned sum = 8 * ' ';
	for (int i = 0; i < 5; i++)
		sum += (unsigned char)message[n + (size_t)i];
	snprintf(message + n + 148, 8, "%06o", sum);
	ck_assert(mime_part_is(&parse(text_make(message, n + 1000))->parts[0], MIME_TAR));
}
END_TEST

/* --- bounds */

/* The message that a writer makes piece by piece, never as a whole. */
static const struct mime_facts *repeat(const char *head, const char *piece, size_t times,
				       const struct mime_bounds *bounds)
{
	struct mime *m = mime_begin(&arena, bounds);
	const size_t n = strlen(piece), many = 65536 / n + 1;
	char *block = malloc(n * many);

	ck_assert_ptr_nonnull(block);
	for (size_t i = 0; i < many; i++)
		memcpy(block + i * n, piece, n);
	mime_feed(m, head, strlen(head));
	for (size_t left = times; left > 0;) {
		const size_t now = left < many ? left : many;

		mime_feed(m, block, now * n);
		left -= now;
	}
	free(block);
	return mime_end(m);
}

enum { MEMORY_MAX = 12 << 20 };

START_TEST(limit_depth)
{
	const struct mime_bounds b = {3, 1000, 2000, 4096};
	const struct mime_facts *f = repeat("", "Content-Type: message/rfc822\r\n\r\n", 3, &b);

	ck_assert_uint_eq(f->limits, 0);
	f = repeat("", "Content-Type: message/rfc822\r\n\r\n", 4, &b);
	ck_assert_uint_eq(f->limits, MIME_LIMIT_DEPTH);
	ck_assert_str_eq(mime_limit_text(f->limits), "parts are nested too deep");
}
END_TEST

START_TEST(limit_parts)
{
	const struct mime_bounds b = {50, 10, 2000, 4096};
	const char *head = "Content-Type: multipart/mixed; boundary=b\r\n\r\n";

	ck_assert_uint_eq(repeat(head, "--b\r\n\r\nx\r\n", 9, &b)->limits, 0);
	ck_assert_uint_eq(repeat(head, "--b\r\n\r\nx\r\n", 10, &b)->limits, MIME_LIMIT_PARTS);
}
END_TEST

START_TEST(limit_names)
{
	const struct mime_bounds b = {50, 1000, 10, 64};
	struct text t = LIT("Content-Type: a/b;");

	for (int i = 0; i < 11; i++)
		t = arena_printf(&arena, "%.*s name=n%d;", TEXT(t), i);
	ck_assert_uint_eq(repeat(t.p, "\r\n\r\n", 1, &b)->limits, MIME_LIMIT_NAMES);
	t = arena_printf(&arena, "Content-Type: a/b; name=%065d\r\n\r\n", 1);
	ck_assert_uint_eq(repeat(t.p, "x", 1, &b)->limits, MIME_LIMIT_NAME_BYTES);
	t = arena_printf(&arena, "Content-Type: a/b; name=%064d\r\n\r\n", 1);
	ck_assert_uint_eq(repeat(t.p, "x", 1, &b)->limits, 0);
}
END_TEST

/* ClamAV CVE-2019-15961: 10 MB of lines that begin parts, or nearly. */
START_TEST(many_delimiters)
{
	const char *head = "Content-Type: multipart/mixed; boundary=b\r\n\r\n";

	ck_assert_uint_eq(repeat(head, "--b\n", 2500000, &usual)->limits, MIME_LIMIT_PARTS);
	ck_assert_uint_eq(repeat(head, "--c\n", 2500000, &usual)->limits, 0);
	ck_assert_uint_eq(repeat(head, "--b--\n", 1700000, &usual)->limits, 0);
	ck_assert_uint_eq(
	    repeat("Content-Type: multipart/mixed\r\n\r\n", "--b\n", 2500000, &usual)->limits,
	    MIME_LIMIT_PARTS);
	ck_assert_uint_lt(arena.used, MEMORY_MAX);
}
END_TEST

/* Dovecot CVE-2020-12100 and its kin. */
START_TEST(deep_nesting)
{
	struct mime *m = mime_begin(&arena, &usual);
	char piece[100];

	for (int i = 0; i < 100000; i++) {
		const int n =
		    snprintf(piece, sizeof(piece),
			     "Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n", i, i);

		mime_feed(m, piece, (size_t)n);
	}
	ck_assert_uint_eq(mime_end(m)->limits, MIME_LIMIT_DEPTH);
	ck_assert_uint_eq(
	    repeat("", "Content-Type: message/rfc822\r\n\r\n", 100000, &usual)->limits,
	    MIME_LIMIT_DEPTH);
	ck_assert_uint_lt(arena.used, MEMORY_MAX);
}
END_TEST

/* To: with a million addresses; a header without end; one line without end. */
START_TEST(large_headers)
{
	ck_assert_uint_eq(repeat("To: ", "someone@example.com,\r\n ", 1000000, &usual)->limits, 0);
	ck_assert_uint_eq(repeat("", "X-Field: and its value\r\n", 1000000, &usual)->limits, 0);
	ck_assert_uint_eq(repeat("Subject: ", "x", 20000000, &usual)->limits, 0);
	ck_assert_uint_eq(repeat("\r\n", "x", 20000000, &usual)->limits, 0);
	ck_assert_uint_lt(arena.used, MEMORY_MAX);
}
END_TEST

/* What is collected has its bounds, whatever it is. */
START_TEST(costly_fields)
{
	static const char *const pieces[] = {
	    "name=a;",
	    "name=\"a",
	    "name=\"a\\\";",
	    "name*0=a;",
	    "name((((",
	    "boundary=aaaaaaa ",
	    "boundary*0=b;",
	    "filename*=''%41%42 ",
	    "name==?utf-8?Q?a?= ",
	    "=?utf-8?Q?name=3Da?=",
	    "name=a;\r\n b; ",
	    "name*1*=%41;",
	    "(((((",
	    "name*name*name*",
	    "name = ( = ",
	};

	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		arena_reset(&arena);
		repeat("Content-Type: multipart/mixed; ", pieces[i], 200000, &usual);
		ck_assert_msg(arena.used < MEMORY_MAX, "%s: %zu", pieces[i], arena.used);
		arena_reset(&arena);
		repeat("", "Content-Disposition: attachment; filename=aaaaaaaaa\r\n", 20000,
		       &usual);
		repeat("", "Content-Type: x/aaaaaaa\r\n", 200000, &usual);
		ck_assert_uint_lt(arena.used, MEMORY_MAX);
	}
}
END_TEST

/* Encoded containers in one another. */
START_TEST(layers)
{
	struct text t = LIT("Subject: x\r\n\r\nx");

	for (int i = 0; i < 6; i++) {
		char *text = arena_alloc(&arena, t.n * 3 + 200);
		size_t n = (size_t)sprintf(text, "Content-Type: message/rfc822\r\n"
						 "Content-Transfer-Encoding: quoted-printable\r\n"
						 "\r\n");

		for (size_t k = 0; k < t.n; k++)
			n += (size_t)sprintf(text + n, t.p[k] == '=' ? "=3D" : "%c", t.p[k]);
		t = text_make(text, n);
	}
	ck_assert_uint_eq(parse(t)->limits, MIME_LIMIT_DEPTH);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("mime");
	TCase *tc = tcase_create("mime");
	SRunner *sr = srunner_create(suite);

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, start, stop);
	tcase_add_test(tc, parts_and_places);
	tcase_add_test(tc, places_in_encoded_containers);
	tcase_add_test(tc, nothing);
	tcase_add_test(tc, opaque);
	tcase_add_test(tc, decoders);
	tcase_add_test(tc, signed_content);
	tcase_add_test(tc, magic);
	tcase_add_test(tc, windows_programs);
	tcase_add_test(tc, noise_is_nothing);
	tcase_add_test(tc, tar_and_disc);
	tcase_add_test(tc, limit_depth);
	tcase_add_test(tc, limit_parts);
	tcase_add_test(tc, limit_names);
	tcase_add_test(tc, many_delimiters);
	tcase_add_test(tc, deep_nesting);
	tcase_add_test(tc, large_headers);
	tcase_add_test(tc, costly_fields);
	tcase_add_test(tc, layers);
	suite_add_tcase(suite, tc);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
