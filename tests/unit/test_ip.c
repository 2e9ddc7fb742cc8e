/* Addresses and networks: text both ways against the C library, masks against a plain model. */
#include "shm/base/ip.h"

#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

static struct ip ip(const char *s)
{
	struct ip out;

	ck_assert_msg(ip_parse(text_of(s), &out), "%s", s);
	return out;
}

static struct net net(const char *s)
{
	struct net out;

	ck_assert_msg(net_parse(text_of(s), &out), "%s", s);
	return out;
}

START_TEST(canonical_text)
{
	static const char *const cases[][2] = {
	    {"192.0.2.1", "192.0.2.1"},
	    {"::ffff:192.0.2.1", "192.0.2.1"},
	    {"::", "::"},
	    {"::1", "::1"},
	    {"::1:2", "::1:2"},
	    {"::192.0.2.1", "::c000:201"},
	    {"2001:DB8:0:0:0:0:0:1", "2001:db8::1"},
	    {"2001:0db8::0001:0", "2001:db8::1:0"},
	    {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
	    {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},
	    {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
	    {"1:0:0:0:0:0:0:0", "1::"},
	    {"fe80:0:0:1:0:0:0:0", "fe80:0:0:1::"},
	    {"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255",
	     "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
	};
	char dst[IP_TEXT_MAX];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ip a = ip(cases[i][0]);

		ck_assert_str_eq(ip_format(&a, dst), cases[i][1]);
	}
}
END_TEST

START_TEST(not_addresses)
{
	static const char *const cases[] = {
	    "",           " 192.0.2.1",        "192.0.2.1 ",   "192.0.2",    "192.0.2.256",
	    "192.0.2.01", "1.2.3.4.5",         "3221225985",   "0x7f.0.0.1", ":",
	    ":::",        "1::2::3",           "fe80::1%eth0", "[::1]",      "12345::",
	    "::1/128",    "1:2:3:4:5:6:7:8:9", "g::",          "localhost",
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ck_assert_msg(!ip_parse(text_of(cases[i]), NULL), "%s", cases[i]);
	ck_assert(!ip_parse(LIT("192.0.2.1\0"), NULL));
	ck_assert(!ip_parse(LIT("192.0.2.1\0x"), NULL));
	ck_assert(!ip_parse(text_make(NULL, 0), NULL));
	ck_assert(ip_parse(text_make("192.0.2.19", 9), NULL));
}
END_TEST

/* Whatever bytes: the same answer as inet_pton of the same string. */
START_TEST(agrees_with_inet_pton)
{
	static const char alphabet[] = "0123456789abcdef::::....Fg%/ ";

	srand(2);
	for (int i = 0; i < 200000; i++) {
		char s[50];
		size_t n = (size_t)rand() % (i % 10 ? 16 : 49);
		unsigned char raw[16];

		for (size_t k = 0; k < n; k++)
			s[k] = alphabet[(size_t)rand() % (sizeof(alphabet) - 1)];
		s[n] = '\0';
		bool want = inet_pton(AF_INET, s, raw) == 1 || inet_pton(AF_INET6, s, raw) == 1;
		ck_assert_msg(ip_parse(text_make(s, n), NULL) == want, "%s", s);
	}
}
END_TEST

START_TEST(ports)
{
	static const struct {
		const char *text, *ip; /* ip NULL: it is none */
		unsigned port;
	} cases[] = {
	    {"192.0.2.1", "192.0.2.1", 53},
	    {"192.0.2.1:5353", "192.0.2.1", 5353},
	    {"::1", "::1", 53},
	    {"[::1]", "::1", 53},
	    {"[2001:db8::1]:65535", "2001:db8::1", 65535},
	    {"2001:db8::1:53", "2001:db8::1:53", 53},
	    {"", NULL, 0},
	    {"192.0.2.1:", NULL, 0},
	    {"192.0.2.1:0", NULL, 0},
	    {"192.0.2.1:65536", NULL, 0},
	    {"192.0.2.1:53x", NULL, 0},
	    {"[192.0.2.1]:53", NULL, 0},
	    {"[::1", NULL, 0},
	    {"[::1]53", NULL, 0},
	    {"[::1]:", NULL, 0},
	    {"localhost:53", NULL, 0},
	    {":53", NULL, 0},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char dst[IP_TEXT_MAX];
		uint16_t port;
		struct ip ip;

		if (!ip_parse_port(text_of(cases[i].text), 53, &ip, &port)) {
			ck_assert_msg(!cases[i].ip, "%s", cases[i].text);
			continue;
		}
		ck_assert_msg(cases[i].ip != NULL, "%s", cases[i].text);
		ck_assert_str_eq(ip_format(&ip, dst), cases[i].ip);
		ck_assert_uint_eq(port, cases[i].port);
	}
}
END_TEST

START_TEST(round_trip)
{
	char dst[IP_TEXT_MAX];

	srand(3);
	for (int i = 0; i < 50000; i++) {
		struct ip a, back;
		unsigned char raw[16];

		/* many zero groups, so that every place of "::" comes up */
		for (int k = 0; k < 8; k++) {
			int group = rand() % 2 ? 0 : rand() % (rand() % 2 ? 16 : 65536);

			a.b[2 * k] = (uint8_t)(group >> 8);
			a.b[2 * k + 1] = (uint8_t)group;
		}
		ip_format(&a, dst);
		ck_assert_msg(ip_parse(text_of(dst), &back) && ip_eq(&a, &back), "%s", dst);
		if (!ip_is4(&a)) {
			ck_assert_int_eq(inet_pton(AF_INET6, dst, raw), 1);
			ck_assert_int_eq(memcmp(raw, a.b, 16), 0);
		}
	}
}
END_TEST

START_TEST(literals)
{
	struct ip out, want = ip("192.0.2.1");

	ck_assert(ip_parse_literal(LIT("[192.0.2.1]"), &out) && ip_eq(&out, &want));
	want = ip("2001:db8::1");
	ck_assert(ip_parse_literal(LIT("[IPv6:2001:db8::1]"), &out) && ip_eq(&out, &want));
	ck_assert(ip_parse_literal(LIT("[ipv6:2001:db8::1]"), NULL));
	ck_assert(!ip_parse_literal(LIT("[2001:db8::1]"), NULL));
	ck_assert(!ip_parse_literal(LIT("[IPv6:192.0.2.1]"), NULL));
	ck_assert(!ip_parse_literal(LIT("192.0.2.1"), NULL));
	ck_assert(!ip_parse_literal(LIT("[192.0.2.1"), NULL));
	ck_assert(!ip_parse_literal(LIT("[192.0.2.1]]"), NULL));
	ck_assert(!ip_parse_literal(LIT("[ 192.0.2.1]"), NULL));
	ck_assert(!ip_parse_literal(LIT("[]"), NULL));
	ck_assert(!ip_parse_literal(LIT("["), NULL));
	ck_assert(!ip_parse_literal(LIT(""), NULL));
	ck_assert(!ip_parse_literal(LIT("[IPv6:]"), NULL));
}
END_TEST

START_TEST(sockaddrs)
{
	struct sockaddr_storage ss;
	struct ip a = ip("192.0.2.1"), b;
	struct sockaddr un = {.sa_family = AF_UNIX};
	uint16_t port;

	ck_assert_uint_eq(ip_to_sockaddr(&a, 25, &ss), sizeof(struct sockaddr_in));
	ck_assert_int_eq(ss.ss_family, AF_INET);
	ck_assert(ip_from_sockaddr((struct sockaddr *)&ss, &b, &port));
	ck_assert(ip_eq(&a, &b) && port == 25);
	a = ip("2001:db8::1");
	ck_assert_uint_eq(ip_to_sockaddr(&a, 2525, &ss), sizeof(struct sockaddr_in6));
	ck_assert(ip_from_sockaddr((struct sockaddr *)&ss, &b, &port));
	ck_assert(ip_eq(&a, &b) && port == 2525);
	ck_assert(ip_from_sockaddr((struct sockaddr *)&ss, &b, NULL));
	ck_assert(!ip_from_sockaddr(&un, &b, &port));
}
END_TEST

START_TEST(masks)
{
	struct ip all;

	memset(&all, 0xff, sizeof(all));
	for (unsigned bits = 0; bits <= 128; bits++) {
		struct ip m = ip_mask(&all, bits);

		for (unsigned i = 0; i < 128; i++)
			ck_assert_int_eq(m.b[i / 8] >> (7 - i % 8) & 1, i < bits);
	}
}
END_TEST

START_TEST(networks)
{
	static const char *const bad[] = {
	    "192.0.2.1/24",    "192.0.2.0/33",  "192.0.2.0/",
	    "192.0.2.0/-1",    "192.0.2.0/024", "2001:db8::/129",
	    "2001:db8::1/64",  "/24",           "",
	    "192.0.2.0/24/24", "192.0.2.0/ 24", "192.0.2/24",
	    "::/1000",
	};
	static const char *const good[][2] = {
	    {"192.0.2.0/24", "192.0.2.0/24"},
	    {"192.0.2.1", "192.0.2.1/32"},
	    {"0.0.0.0/0", "0.0.0.0/0"},
	    {"::/0", "::/0"},
	    {"2001:DB8::/32", "2001:db8::/32"},
	    {"2001:db8::1", "2001:db8::1/128"},
	    {"::ffff:192.0.2.0/120", "192.0.2.0/24"},
	    {"::ffff:0:0/96", "0.0.0.0/0"},
	};
	struct net out;
	char dst[NET_TEXT_MAX];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(!net_parse(text_of(bad[i]), &out), "%s", bad[i]);
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		out = net(good[i][0]);
		ck_assert_str_eq(net_format(&out, dst), good[i][1]);
	}
	out = net("192.0.2.0/24");
	ck_assert_uint_eq(out.bits, 120);
	ck_assert_uint_eq(net_bits_shown(&out), 24);
}
END_TEST

static bool contains(const char *n, const char *a)
{
	struct net outer = net(n);
	struct ip inner = ip(a);

	return net_contains(&outer, &inner);
}

static bool covers(const char *o, const char *i)
{
	struct net outer = net(o), inner = net(i);

	return net_covers(&outer, &inner);
}

START_TEST(containment)
{
	ck_assert(contains("192.0.2.0/24", "192.0.2.255"));
	ck_assert(!contains("192.0.2.0/24", "192.0.3.0"));
	ck_assert(contains("192.0.2.128/25", "192.0.2.128"));
	ck_assert(!contains("192.0.2.128/25", "192.0.2.127"));
	ck_assert(contains("0.0.0.0/0", "255.0.0.1"));
	ck_assert(!contains("0.0.0.0/0", "2001:db8::1"));
	ck_assert(contains("::/0", "2001:db8::1"));
	ck_assert(!contains("::/0", "192.0.2.1"));
	ck_assert(covers("192.0.2.0/24", "192.0.2.0/24"));
	ck_assert(covers("192.0.2.0/24", "192.0.2.128/25"));
	ck_assert(!covers("192.0.2.128/25", "192.0.2.0/24"));
	ck_assert(!covers("192.0.2.0/24", "192.0.3.0/25"));
	ck_assert(!covers("::/0", "192.0.2.0/24"));
	ck_assert(covers("::/0", "2001:db8::/32"));
	ck_assert(!covers("0.0.0.0/0", "::/0"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ip");
	TCase *tc = tcase_create("ip");
	SRunner *sr = srunner_create(s);

	tcase_add_test(tc, canonical_text);
	tcase_add_test(tc, not_addresses);
	tcase_add_test(tc, agrees_with_inet_pton);
	tcase_add_test(tc, ports);
	tcase_add_test(tc, round_trip);
	tcase_add_test(tc, literals);
	tcase_add_test(tc, sockaddrs);
	tcase_add_test(tc, masks);
	tcase_add_test(tc, networks);
	tcase_add_test(tc, containment);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
