/* Names that are asked for (shm/base/dns.h). */
#include "shm/base/dns.h"

#include <check.h>
#include <stdlib.h>

static char dst[DNS_NAME_SIZE];

static struct ip ip_of(const char *text)
{
	struct ip ip;

	ck_assert(ip_parse(text_of(text), &ip));
	return ip;
}

static void ck_name(struct text got, const char *want)
{
	ck_assert_msg(text_eq(got, text_of(want)), "\"%.*s\" is not \"%s\"", TEXT(got), want);
}

START_TEST(what_is_a_name)
{
	char longest[256];

	ck_assert(dns_name_ok(LIT("example.org")));
	ck_assert(dns_name_ok(LIT("example.org.")));
	ck_assert(dns_name_ok(LIT("_dmarc.example.org")));
	ck_assert(dns_name_ok(LIT("a b.\\.org")));
	ck_assert(!dns_name_ok(LIT("")));
	ck_assert(!dns_name_ok(LIT(".")));
	ck_assert(!dns_name_ok(LIT(".org")));
	ck_assert(!dns_name_ok(LIT("a..org")));
	ck_assert(!dns_name_ok(LIT("a.org..")));

	memset(longest, 'a', sizeof(longest));
	for (int i = 63; i < 256; i += 64)
		longest[i] = '.';
	ck_assert(dns_name_ok(text_make(longest, 63)));
	ck_assert(dns_name_ok(text_make(longest, 253)));
	ck_assert(!dns_name_ok(text_make(longest, 254)));
	longest[63] = 'a';
	ck_assert(!dns_name_ok(text_make(longest, 64)));
	ck_assert(!dns_name_ok(text_make(longest, 253)));
}
END_TEST

START_TEST(reverse_names)
{
	struct ip ip = ip_of("192.0.2.1");

	ck_name(dns_reverse_name(&ip, dst), "1.2.0.192.in-addr.arpa");
	ip = ip_of("::ffff:198.51.100.7");
	ck_name(dns_reverse_name(&ip, dst), "7.100.51.198.in-addr.arpa");
	ip = ip_of("2001:db8::567:89ab");
	ck_name(dns_reverse_name(&ip, dst),
		"b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa");
}
END_TEST

START_TEST(names_in_lists)
{
	const struct ip ip = ip_of("127.0.0.2");
	const struct ip six = ip_of("2001:db8::1");
	char zone[240];

	ck_name(dns_list_name(&ip, LIT("zen.example.org"), dst), "2.0.0.127.zen.example.org");
	ck_name(dns_list_name(&ip, LIT("zen.example.org."), dst), "2.0.0.127.zen.example.org");
	ck_name(dns_list_name(&six, LIT("l.test"), dst),
		"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.l.test");
	ck_name(dns_domain_list_name(LIT("Example.com."), LIT("dbl.test"), dst),
		"Example.com.dbl.test");
	ck_name(dns_domain_list_name(LIT(""), LIT("dbl.test"), dst), "");
	ck_name(dns_domain_list_name(LIT("a..b"), LIT("dbl.test"), dst), "");

	/* too long in all: nothing rather than a part */
	memset(zone, 'z', sizeof(zone));
	for (size_t i = 50; i < sizeof(zone); i += 51)
		zone[i] = '.';
	ck_assert_uint_gt(dns_list_name(&ip, text_make(zone, 238), dst).n, 0);
	ck_name(dns_list_name(&six, text_make(zone, 238), dst), "");
}
END_TEST

START_TEST(statuses)
{
	for (int i = DNS_OK; i <= DNS_OURS; i++)
		ck_assert_ptr_nonnull(dns_status_text((enum dns_status)i));
	ck_assert(dns_known(DNS_OK) && dns_known(DNS_NXDOMAIN) && dns_known(DNS_NODATA));
	ck_assert(!dns_known(DNS_TIMEOUT) && !dns_known(DNS_SERVFAIL) && !dns_known(DNS_OURS));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("dns_names");
	TCase *t = tcase_create("names");

	tcase_add_test(t, what_is_a_name);
	tcase_add_test(t, reverse_names);
	tcase_add_test(t, names_in_lists);
	tcase_add_test(t, statuses);
	suite_add_tcase(s, t);

	SRunner *sr = srunner_create(s);

	srunner_run_all(sr, CK_NORMAL);
	const int failed = srunner_ntests_failed(sr);

	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
