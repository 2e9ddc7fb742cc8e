/* Names by /etc/hosts: a file of the test stands in its place, as a bundle's does. */
#include "policy/config/internal.h"

#include <check.h>
#include <stdlib.h>

static const char hosts[] = "# comment\n"
			    "127.0.0.1\tlocalhost\n"
			    "192.0.2.1  mx1 # mx9\n"
			    "  192.0.2.2 mx1.example.net mx1 MX-Alias\n"
			    "2001:db8::1 mx1\n"
			    "not-an-address mx1\n"
			    "192.0.2.3 last";

static struct arena arena;
static struct source source;

static void set_up(void)
{
	arena_init(&arena, NULL, NULL);
	source = (struct source){.arena = &arena, .sealed = true};
}

static void tear_down(void)
{
	arena_reset(&arena);
}

static void with(const char *content, const char *own_name)
{
	source_add(&source, SOURCE_FILE, LIT("/etc/hosts"), text_of(content), 0);
	source_add(&source, SOURCE_FACT, LIT("host-name"), text_of(own_name), 0);
}

static const char *addresses(const char *name)
{
	static char shown[512];
	struct buf out = buf_over(shown, sizeof(shown));
	struct ip found[4];
	size_t n = hosts_find(&source, text_of(name), found, 4);

	for (size_t i = 0; i < n; i++) {
		char one[IP_TEXT_MAX];

		buf_printf(&out, "%s%s", i ? " " : "", ip_format(&found[i], one));
	}
	return shown;
}

START_TEST(all_addresses_of_a_name_in_their_order)
{
	with(hosts, "x");
	ck_assert_str_eq(addresses("mx1"), "192.0.2.1 192.0.2.2 2001:db8::1");
	ck_assert_str_eq(addresses("mx-alias"), "192.0.2.2");
	ck_assert_str_eq(addresses("MX1.Example.Net"), "192.0.2.2");
	ck_assert_str_eq(addresses("last"), "192.0.2.3");
	ck_assert_str_eq(addresses("localhost"), "127.0.0.1");
	ck_assert_str_eq(addresses("mx9"), "");
	ck_assert_str_eq(addresses("example.net"), "");
	ck_assert_str_eq(addresses(""), "");
}
END_TEST

START_TEST(localhost_is_always_there)
{
	with("", "x");
	ck_assert_str_eq(addresses("localhost"), "127.0.0.1");
	ck_assert_str_eq(addresses("other"), "");
}
END_TEST

START_TEST(a_missing_file_names_nobody)
{
	ck_assert_str_eq(addresses("localhost"), "127.0.0.1");
	ck_assert_str_eq(addresses("mx1"), "");
}
END_TEST

START_TEST(own_name_gets_its_domain)
{
	with(hosts, "mx1");
	ck_assert(text_eq(hosts_own_name(&source), LIT("mx1.example.net")));
}
END_TEST

START_TEST(own_name_stays_where_nothing_is_known)
{
	with(hosts, "unheard");
	ck_assert(text_eq(hosts_own_name(&source), LIT("unheard")));
}
END_TEST

START_TEST(own_name_with_a_domain_is_taken)
{
	with(hosts, "mx1.example.org");
	ck_assert(text_eq(hosts_own_name(&source), LIT("mx1.example.org")));
}
END_TEST

START_TEST(paths_are_seen_from_the_first_directory)
{
	source_add(&source, SOURCE_FACT, LIT("directory"), LIT("/srv/gate"), 0);
	ck_assert(text_eq(source_absolute(&source, LIT("/a/b")), LIT("/a/b")));
	ck_assert(text_eq(source_absolute(&source, LIT("a/b")), LIT("/srv/gate/a/b")));
	ck_assert(text_eq(source_absolute(&source, LIT("./a")), LIT("/srv/gate/a")));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("config_hosts");
	TCase *t = tcase_create("config_hosts");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, all_addresses_of_a_name_in_their_order);
	tcase_add_test(t, localhost_is_always_there);
	tcase_add_test(t, a_missing_file_names_nobody);
	tcase_add_test(t, own_name_gets_its_domain);
	tcase_add_test(t, own_name_stays_where_nothing_is_known);
	tcase_add_test(t, own_name_with_a_domain_is_taken);
	tcase_add_test(t, paths_are_seen_from_the_first_directory);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
