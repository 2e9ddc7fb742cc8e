/* PROXY headers: both versions cut at every byte, what must be refused, what lies behind. */
#include "worker/smtp/proxy.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"

/* Fed one byte more each time from memory of exactly that size, so that a sanitizer sees any read
 * past what has come. */
static enum proxy_result feed(const char *p, size_t n, struct proxy_header *out, size_t *needed)
{
	enum proxy_result r = PROXY_MORE;

	for (size_t i = 1; i <= n && r == PROXY_MORE; i++) {
		char *copy = malloc(i);

		memcpy(copy, p, i);
		r = proxy_parse(text_make(copy, i), out);
		free(copy);
		*needed = i;
	}
	return r;
}

static struct proxy_header done(const char *p, size_t n)
{
	struct proxy_header h, whole;
	size_t needed;

	ck_assert_int_eq(feed(p, n, &h, &needed), PROXY_DONE);
	ck_assert_uint_eq(needed, n);
	ck_assert_uint_eq(h.length, n);
	/* With more behind it, it is the same header. */
	char *more = malloc(n + 6);
	memcpy(more, p, n);
	memcpy(more + n, "EHLO x", 6);
	ck_assert_int_eq(proxy_parse(text_make(more, n + 6), &whole), PROXY_DONE);
	free(more);
	ck_assert_uint_eq(whole.length, n);
	ck_assert(ip_eq(&whole.client, &h.client));
	return h;
}

static void client_is(const struct proxy_header *h, const char *client, unsigned port)
{
	char text[IP_TEXT_MAX];

	ck_assert(!h->local);
	ck_assert_str_eq(ip_format(&h->client, text), client);
	ck_assert_uint_eq(h->client_port, port);
}

static void bad(const char *p, size_t n)
{
	struct proxy_header h;
	size_t needed;

	ck_assert_msg(feed(p, n, &h, &needed) == PROXY_BAD, "%.*s", (int)n, p);
}

START_TEST(version_1)
{
	static const char four[] = "PROXY TCP4 192.0.2.1 198.51.100.2 56324 25\r\n";
	static const char six[] = "PROXY TCP6 2001:db8::1 2001:db8::2 65535 25\r\n";
	static const char longest[] = "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
				      "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n";
	static const char unknown[] = "PROXY UNKNOWN\r\n";
	static const char unknown_more[] = "PROXY UNKNOWN ffff::1 whatever stands here\r\n";
	struct proxy_header h = done(four, sizeof(four) - 1);

	client_is(&h, "192.0.2.1", 56324);
	h = done(six, sizeof(six) - 1);
	client_is(&h, "2001:db8::1", 65535);
	h = done(longest, sizeof(longest) - 1);
	client_is(&h, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 65535);
	ck_assert(done(unknown, sizeof(unknown) - 1).local);
	ck_assert(done(unknown_more, sizeof(unknown_more) - 1).local);
}
END_TEST

START_TEST(bad_version_1)
{
	static const char *const cases[] = {
	    "EHLO client.example\r\n",
	    "PROXY\r\n",
	    "PROXZ TCP4",
	    "PROXY \r\n",
	    "PROXY TCP4\r\n",
	    "PROXY TCP5 192.0.2.1 192.0.2.2 1 2\r\n",
	    "PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n",
	    "PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n",
	    "PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n",
	    "PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n",
	    "PROXY TCP4 192.0.2.1 192.0.2.2 -1 2\r\n",
	    "PROXY TCP4  192.0.2.1 192.0.2.2 1 2\r\n",
	    "PROXY TCP4 192.0.2.1  192.0.2.2 1 2\r\n",
	    "PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n",
	    "PROXY TCP4 192.0.2.256 192.0.2.2 1 2\r\n",
	    "PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n",
	    "PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n",
	    "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n",
	    "PROXY TCP4 192.0.2.1\r 192.0.2.2 1 2\r\n",
	    "PROXY UNKNOWNX\r\n",
	    "PROXY UNKNOWN a\r\r\n",
	    "proxy TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		bad(cases[i], strlen(cases[i]));
}
END_TEST

START_TEST(version_1_without_end)
{
	/* A line of 106 to 200 bytes, without its end: refused as soon as none can come. */
	for (size_t n = 106; n <= 200; n++) {
		struct proxy_header h;
		char line[200];
		size_t needed;

		memset(line, 'x', sizeof(line));
		memcpy(line, "PROXY UNKNOWN ", 14);
		const enum proxy_result r = feed(line, n, &h, &needed);
		ck_assert_int_eq(r, n < PROXY_V1_MAX ? PROXY_MORE : PROXY_BAD);
		if (r == PROXY_BAD)
			ck_assert_uint_eq(needed, PROXY_V1_MAX);
	}
}
END_TEST

struct v2 {
	char bytes[PROXY_V2_FIXED + PROXY_V2_MAX + 64];
	size_t n;
};

static struct v2 v2(int command, int family, size_t length)
{
	struct v2 h = {.n = PROXY_V2_FIXED};

	memcpy(h.bytes, SIGNATURE, 12);
	h.bytes[12] = (char)command;
	h.bytes[13] = (char)family;
	h.bytes[14] = (char)(length >> 8);
	h.bytes[15] = (char)length;
	return h;
}

static void put(struct v2 *h, const char *p, size_t n)
{
	memcpy(h->bytes + h->n, p, n);
	h->n += n;
}

static const char addresses4[12] = {(char)192, 0, 2, 1, (char)198, 51, 100, 2, 1, 2, 0, 25};

START_TEST(version_2)
{
	static const char addresses6[36] = {
	    0x20,       1, 0xd, (char)0xb8, [15] = 7, [16] = 0x20, [31] = 8, [32] = (char)0xff,
	    (char)0xff, 0, 25};
	struct v2 four = v2(0x21, 0x11, 12), six = v2(0x21, 0x21, 36),
		  tlv = v2(0x21, 0x11, 12 + 3 + 7);
	struct proxy_header h;

	put(&four, addresses4, 12);
	h = done(four.bytes, four.n);
	client_is(&h, "192.0.2.1", 258);
	put(&six, addresses6, 36);
	h = done(six.bytes, six.n);
	client_is(&h, "2001:db8::7", 65535);
	put(&tlv, addresses4, 12);
	put(&tlv, "\x04\0\x03xyz\x20\0\0\0", 10);
	tlv.bytes[15] = 12 + 6 + 3;
	tlv.n = PROXY_V2_FIXED + 12 + 6 + 3;
	h = done(tlv.bytes, tlv.n);
	client_is(&h, "192.0.2.1", 258);
}
END_TEST

START_TEST(version_2_local)
{
	struct v2 local = v2(0x20, 0, 0), with_rest = v2(0x20, 0x11, 12),
		  unspecified = v2(0x21, 0, 5);

	ck_assert(done(local.bytes, local.n).local);
	put(&with_rest, addresses4, 12);
	ck_assert(done(with_rest.bytes, with_rest.n).local);
	put(&unspecified, "abcde", 5);
	ck_assert(done(unspecified.bytes, unspecified.n).local);
}
END_TEST

START_TEST(bad_version_2)
{
	struct v2 h;

	/* Version and command. */
	for (int c = 0; c < 256; c++) {
		h = v2(c, 0x11, 12);
		put(&h, addresses4, 12);
		if (c != 0x20 && c != 0x21)
			bad(h.bytes, h.n);
	}
	/* Families that carry no mail. */
	for (int f = 1; f < 256; f++) {
		if (f == 0x11 || f == 0x21)
			continue;
		h = v2(0x21, f, 12);
		put(&h, addresses4, 12);
		bad(h.bytes, h.n);
	}
	/* Shorter than its addresses, at each length. */
	for (size_t n = 0; n < 12; n++) {
		h = v2(0x21, 0x11, n);
		put(&h, addresses4, n);
		bad(h.bytes, h.n);
	}
	/* A TLV past the end, and half a TLV. */
	h = v2(0x21, 0x11, 12 + 4);
	put(&h, addresses4, 12);
	put(&h, "\x04\0\x02x", 4);
	bad(h.bytes, h.n);
	h = v2(0x21, 0x11, 12 + 2);
	put(&h, addresses4, 12);
	put(&h, "\x04\0", 2);
	bad(h.bytes, h.n);
	/* Longer than we wait for: known from the fixed part. */
	h = v2(0x21, 0x11, 65535);
	bad(h.bytes, h.n);
	h = v2(0x21, 0x11, PROXY_V2_MAX + 1);
	bad(h.bytes, h.n);
}
END_TEST

START_TEST(signature)
{
	/* Each byte of it matters. */
	for (size_t i = 0; i < 12; i++) {
		struct v2 h = v2(0x21, 0x11, 12);

		put(&h, addresses4, 12);
		h.bytes[i] ^= 0x01;
		bad(h.bytes, h.n);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("proxy");
	TCase *tc = tcase_create("proxy");
	SRunner *sr = srunner_create(s);

	tcase_add_test(tc, version_1);
	tcase_add_test(tc, bad_version_1);
	tcase_add_test(tc, version_1_without_end);
	tcase_add_test(tc, version_2);
	tcase_add_test(tc, version_2_local);
	tcase_add_test(tc, bad_version_2);
	tcase_add_test(tc, signature);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
