/* DNS lists: the sections of the configuration, answers and weights, health and shares. */
#include "policy/dnsbl.h"
#include "tests/unit/world_table.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CLIENT "198.51.100.7"
#define TO     "b@example.net"
#define SECOND INT64_C(1000000)

static struct fixture f;
static struct config *loaded;
static char mistakes[4096], path[] = "/tmp/gatepost-dnsbl-XXXXXX",
			    key_path[] = "/tmp/gatepost-key-XXXXXX";

/* --- the configuration */

static void write_text(const char *name, const char *text)
{
	FILE *file = fopen(name, "w");

	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	ck_assert_int_eq(fclose(file), 0);
}

static struct config *load(const char *text)
{
	FILE *err = fmemopen(mistakes, sizeof(mistakes), "w");

	config_free(loaded);
	write_text(path, text);
	loaded = config_load(path, NULL, err, NULL);
	fclose(err);
	return loaded;
}

static void start(void)
{
	strcpy(strrchr(path, '-'), "-XXXXXX");
	strcpy(strrchr(key_path, '-'), "-XXXXXX");
	close(mkstemp(path));
	close(mkstemp(key_path));
	fixture_init(&f);
	f.config.base.spf.mode = MODE_OFF; /* only the lists' questions are counted */
}

static void stop(void)
{
	fixture_free(&f);
	if (loaded)
		config_free(loaded);
	loaded = NULL;
	unlink(path);
	unlink(key_path);
}

#define BASE "listener \"mx\" { address = { \"127.0.0.1:2525\" } }\n"

static const struct {
	const char *section, *mistake;
} bad[] = {
    {"dnsbl \"a.test\" { }", "dnsbl \"a.test\": listed: which answers count must be said"},
    {"rhsbl \"a.test\" { weight = 5 }", "rhsbl \"a.test\": listed: which answers count must be"},
    {"dnsbl \"a.test\" { listed = { \"127.0.0\" } }", "\"127.0.0\" is no set of answers"},
    {"dnsbl \"a.test\" { listed = { \"127.0.0.2.3\" } }", "is no set of answers"},
    {"dnsbl \"a.test\" { listed = { \"127.0.0.256\" } }", "is no set of answers"},
    {"dnsbl \"a.test\" { listed = { \"127.0.0.4-2\" } }", "is no set of answers"},
    {"dnsbl \"a.test\" { listed = { \"127.0.0.&0\" } }", "is no set of answers"},
    {"dnsbl \"a.test\" { listed = { \"127.0.0.\" } }", "is no set of answers"},
    {"dnsbl \"a.test\" { listed = { \"*.0.0.2\" } }", "is no set of answers"},
    {"dnsbl \"a.test\" { listed = { \"10.0.0.2\" } }", "is no set of answers"},
    {"dnsbl \"not a zone\" { listed = { \"127.0.0.2\" } }", "\"not a zone\" is no DNS zone"},
    {"dnsbl \"a\" { zone = \"KEY.a.test\" listed = { \"127.0.0.2\" } }", "there is no key-file"},
    {"dnsbl \"a.test\" { listed = { \"127.0.0.2\" } key-file = \"/no/such/file\" }", "cannot read"},
    {"dnsbl \"a.test\" { listed = { \"127.0.0.2\" } weight = 0 }", "out of range"},
    {"dnsbl \"a.test\" { listed = { \"127.0.0.2\" } }\ndnsbl \"a.test\" { listed = { \"127.0.0.2\" "
     "} }",
     "dnsbl \"a.test\" stands twice, first in line 2"},
    {"dnsbl_ \"a.test\" { listed = { \"127.0.0.2\" } }", "unknown section \"dnsbl_\""},
};

START_TEST(mistakes_of_a_section)
{
	char text[512];

	snprintf(text, sizeof(text), BASE "%s\n", bad[_i].section);
	ck_assert_ptr_null(load(text));
	ck_assert_msg(strstr(mistakes, bad[_i].mistake), "%s", mistakes);
}
END_TEST

static void load_keyed(const char *zone, const char *key)
{
	char text[512];

	write_text(key_path, key);
	snprintf(text, sizeof(text),
		 BASE
		 "dnsbl \"zen\" { zone = \"%s\" key-file = \"%s\" listed = { \"127.0.0.2\" } }\n",
		 zone, key_path);
	load(text);
}

START_TEST(keys_of_zones)
{
	load_keyed("zen.test", "  k3y\n");
	ck_assert_msg(loaded != NULL, "%s", mistakes);
	ck_assert(text_eq(loaded->dnsbls[0].zone, LIT("k3y.zen.test")));
	load_keyed("a.KEY.zen.test", "k3y");
	ck_assert(text_eq(loaded->dnsbls[0].zone, LIT("a.k3y.zen.test")));
	load_keyed("zen.KEY", "k3y");
	ck_assert(text_eq(loaded->dnsbls[0].zone, LIT("zen.k3y")));
	load_keyed("zen.test", "two words of a secret");
	ck_assert_ptr_null(loaded);
	ck_assert(strstr(mistakes, "holds no key") && !strstr(mistakes, "secret"));
	load_keyed("zen.test", "\n");
	ck_assert_ptr_null(loaded);
}
END_TEST

START_TEST(printed_without_the_key_and_read_back)
{
	char *shown = NULL;
	size_t n = 0;
	FILE *out;

	load_keyed("zen.test", "k3y");
	out = open_memstream(&shown, &n);
	config_print(loaded, out);
	fclose(out);
	ck_assert(strstr(shown, "dnsbl \"zen\"") && strstr(shown, "zone = \"zen.test\""));
	ck_assert(!strstr(shown, "k3y"));
	ck_assert_msg(load(shown) != NULL, "%s", mistakes);
	ck_assert(text_eq(loaded->dnsbls[0].zone, LIT("k3y.zen.test")));
	free(shown);
}
END_TEST

/* --- answers */

static const struct {
	const char *listed, *answer;
	bool counts;
} answers[] = {
    {"127.0.0.2", "127.0.0.2", true},
    {"127.0.0.2", "127.0.0.3", false},
    {"127.0.0.2-4", "127.0.0.2", true},
    {"127.0.0.2-4", "127.0.0.4", true},
    {"127.0.0.2-4", "127.0.0.5", false},
    {"127.0.0.2-4", "127.0.1.3", false},
    {"127.0.*.2-3", "127.0.99.3", true},
    {"127.0.*.2-3", "127.1.99.3", false},
    {"127.0.0.&6", "127.0.0.4", true},
    {"127.0.0.&6", "127.0.0.3", true},
    {"127.0.0.&6", "127.0.0.9", false},
    {"127.*.*.*", "127.9.8.7", true},
    {"127.*.*.*", "127.255.255.254", false},
    {"127.*.*.*", "128.0.0.2", false},
    {"127.255.255.254", "127.255.255.254", false},
};

START_TEST(which_answers_count)
{
	struct dns_record record = {0};
	struct dns_answer a = {.records = &record, .count = 1};
	char text[256];

	snprintf(text, sizeof(text),
		 BASE "dnsbl \"a.test\" { listed = { \"127.9.9.9\", \"%s\" } }\n",
		 answers[_i].listed);
	ck_assert_msg(load(text) != NULL, "%s", mistakes);
	ck_assert(ip_parse(text_of(answers[_i].answer), &record.ip));
	ck_assert_int_eq(dnsbl_listing(&loaded->dnsbls[0], &a) != NULL, answers[_i].counts);
	a.status = DNS_SERVFAIL;
	ck_assert_ptr_null(dnsbl_listing(&loaded->dnsbls[0], &a));
}
END_TEST

static struct dns_answer answer(struct dns_record *room, const char *text)
{
	struct dns_answer a = {.status = DNS_NXDOMAIN, .records = room};

	if (!strcmp(text, "servfail"))
		a.status = DNS_SERVFAIL;
	else if (!strcmp(text, "timeout"))
		a.status = DNS_TIMEOUT;
	else if (!strcmp(text, "refused"))
		a.status = DNS_REFUSED;
	else if (*text) {
		ck_assert(ip_parse(text_of(text), &room->ip));
		a.status = DNS_OK;
		a.count = 1;
	}
	return a;
}

static const struct {
	const char *must, *must_not;
	enum dnsbl_state state;
} points[] = {
    {"127.0.0.2", "", DNSBL_GOOD},
    {"127.0.0.10", "", DNSBL_GOOD},
    {"", "", DNSBL_EMPTY},
    {"127.0.0.2", "127.0.0.2", DNSBL_WILD},
    {"", "127.0.0.2", DNSBL_WILD},
    {"servfail", "servfail", DNSBL_SILENT},
    {"timeout", "", DNSBL_SILENT},
    {"127.0.0.2", "timeout", DNSBL_SILENT},
    {"timeout", "127.0.0.2", DNSBL_WILD},
    {"refused", "refused", DNSBL_REFUSES},
    {"127.255.255.254", "", DNSBL_REFUSES},
    {"127.255.255.255", "127.255.255.255", DNSBL_REFUSES},
    {"192.0.2.1", "192.0.2.1", DNSBL_LIES},
    {"127.0.0.2", "192.0.2.1", DNSBL_LIES},
};

START_TEST(test_points)
{
	struct dns_record rooms[2] = {0};
	struct dns_answer must = answer(&rooms[0], points[_i].must);
	struct dns_answer must_not = answer(&rooms[1], points[_i].must_not);

	ck_assert_int_eq(dnsbl_judge(&must, &must_not), points[_i].state);
}
END_TEST

/* --- sessions */

#define SECTIONS                                                                                   \
	BASE "dnsbl \"ten.test\" { listed = { \"127.0.0.2\" } weight = 10 }\n"                     \
	     "dnsbl \"five.test\" { listed = { \"127.0.0.2\" } weight = 5 }\n"                     \
	     "dnsbl \"other.test\" { listed = { \"127.0.0.2\" } weight = 5 }\n"                    \
	     "dnsbl \"seen.test\" { listed = { \"127.0.0.2\" } mode = \"monitor\" }\n"             \
	     "dnsbl \"off.test\" { listed = { \"127.0.0.2\" } mode = \"off\" }\n"                  \
	     "dnsbl \"good.test\" { listed = { \"127.0.0.2\" } allow = true }\n"                   \
	     "rhsbl \"names.test\" { listed = { \"127.0.0.2\" } }\n"

enum { TEN, FIVE, OTHER, SEEN, OFF, GOOD, NAMES, LISTS };

static const char *const asked[LISTS] = {"7.100.51.198.ten.test",   "7.100.51.198.five.test",
					 "7.100.51.198.other.test", "7.100.51.198.seen.test",
					 "7.100.51.198.off.test",   "7.100.51.198.good.test",
					 "example.org.names.test"};

/* All lists are in use, and know nobody. */
static void with_lists(void)
{
	struct world w;

	ck_assert_msg(load(SECTIONS) != NULL, "%s", mistakes);
	f.config.dnsbls = loaded->dnsbls;
	f.config.dnsbl_count = loaded->dnsbl_count;
	ck_assert_uint_eq(f.config.dnsbl_count, LISTS);
	fixture_connect(&f, CLIENT);
	w = f.s.world;
	for (int i = 0; i < LISTS; i++) {
		dnsbl_set_state(&w, &f.config.dnsbls[i], DNSBL_GOOD, 3600 * SECOND);
		table_dns(&f.world, asked[i], DNS_A, DNS_NXDOMAIN);
	}
	table_dns(&f.world, "client.example.org.names.test", DNS_A, DNS_NXDOMAIN);
}

static void list(int i)
{
	table_records(&f.world, asked[i], DNS_A, "127.0.0.2");
}

static void silence(int i)
{
	table_dns(&f.world, asked[i], DNS_A, DNS_TIMEOUT);
}

#define ON(name) "550 5.7.1 The sender is in a black list " name

START_TEST(weights)
{
	with_lists();
	ck_said(fixture_send(&f, CLIENT, TO), "pass");
	list(OTHER);
	ck_said(fixture_send(&f, CLIENT, TO), "pass");
	list(FIVE);
	ck_said(fixture_send(&f, CLIENT, TO), ON("five.test"));
	list(TEN);
	ck_said(fixture_send(&f, CLIENT, TO), ON("ten.test"));
	ck_said(fixture_send(&f, CLIENT, "postmaster@example.net"), "pass");
	list(GOOD);
	ck_said(fixture_send(&f, CLIENT, TO), "pass");
	f.s.own = true;
	f.world.dns_started = f.world.dns_awaited = 0;
	ck_said(fixture_send(&f, CLIENT, TO), "pass");
	ck_assert_uint_eq(f.world.dns_started + f.world.dns_awaited, 0);
}
END_TEST

START_TEST(all_are_asked_at_the_connection)
{
	with_lists();
	f.world.dns_started = f.world.dns_awaited = 0;
	fixture_connect(&f, CLIENT);
	ck_assert_uint_eq(f.world.dns_started, 5); /* not off.test, not names.test */
	fixture_helo(&f, "client.example.org");
	ck_assert_uint_eq(f.world.dns_started, 6);
	fixture_mail(&f, "a@example.org");
	ck_assert_uint_eq(f.world.dns_started, 7);
	ck_assert_uint_eq(f.world.dns_awaited, 0);
	ck_said(fixture_rcpt(&f, TO), "pass");
	ck_assert_uint_eq(f.world.dns_awaited, 7);
	/* the verdict holds for the other recipients */
	ck_said(fixture_rcpt(&f, "c@example.net"), "pass");
	ck_assert_uint_eq(f.world.dns_awaited, 7);
}
END_TEST

START_TEST(monitored_lists_weigh_nothing)
{
	with_lists();
	list(SEEN);
	list(OFF);
	ck_said(fixture_send(&f, CLIENT, TO), "pass");
	ck_assert_uint_eq(f.world.metrics[METRIC_would_refuse], 1);
	list(FIVE);
	ck_said(fixture_send(&f, CLIENT, TO), "pass");
}
END_TEST

START_TEST(domains)
{
	with_lists();
	list(NAMES);
	ck_said(fixture_send(&f, CLIENT, TO), ON("names.test"));
	table_dns(&f.world, asked[NAMES], DNS_A, DNS_NXDOMAIN);
	table_records(&f.world, "client.example.org.names.test", DNS_A, "127.0.0.2");
	ck_said(fixture_send(&f, CLIENT, TO), ON("names.test"));
}
END_TEST

START_TEST(lists_without_an_answer)
{
	with_lists();
	silence(FIVE);
	ck_said(fixture_send(&f, CLIENT, TO), "pass");
	ck_assert_uint_eq(f.world.metrics[METRIC_undecided], 0);
	silence(OTHER); /* together they would decide */
	ck_said(fixture_send(&f, CLIENT, TO), "pass");
	ck_assert_uint_eq(f.world.metrics[METRIC_undecided], 1);
	f.config.base.dnsbl.unknown = NO_ANSWER_DEFER;
	ck_said(fixture_send(&f, CLIENT, TO),
		"451 4.4.3 A DNS look-up could not be completed, try again later");
	list(TEN);
	ck_said(fixture_send(&f, CLIENT, TO), ON("ten.test"));
	silence(GOOD); /* which might have allowed it */
	ck_said(fixture_send(&f, CLIENT, TO),
		"451 4.4.3 A DNS look-up could not be completed, try again later");
}
END_TEST

START_TEST(a_list_that_is_off_is_not_asked)
{
	with_lists();
	list(TEN);
	for (int state = DNSBL_SILENT; state <= DNSBL_LIES; state++) {
		dnsbl_set_state(&f.s.world, &f.config.dnsbls[TEN], (enum dnsbl_state)state,
				3600 * SECOND);
		f.world.dns_started = 0;
		ck_said(fixture_send(&f, CLIENT, TO), "pass");
		ck_assert_uint_eq(f.world.dns_started, 6);
		ck_assert_int_eq(dnsbl_state(&f.s.world, &f.config.dnsbls[TEN]), state);
	}
	ck_assert_uint_eq(f.world.metrics[METRIC_dnsbl_switched_off], 5);
	dnsbl_set_state(&f.s.world, &f.config.dnsbls[TEN], DNSBL_GOOD, 3600 * SECOND);
	ck_said(fixture_send(&f, CLIENT, TO), ON("ten.test"));
	/* Nobody has said so for too long. */
	f.world.boot_us += 7200 * SECOND;
	ck_said(fixture_send(&f, CLIENT, TO), "pass");
	ck_assert_int_eq(dnsbl_state(&f.s.world, &f.config.dnsbls[TEN]), DNSBL_UNPROVEN);
}
END_TEST

static void send_from_many(unsigned from, unsigned to, bool listed)
{
	static char names[256][32], addresses[256][32];

	for (unsigned i = from; i < to; i++) {
		snprintf(names[i], sizeof(names[i]), "%u.113.0.203.ten.test", i);
		snprintf(addresses[i], sizeof(addresses[i]), "203.0.113.%u", i);
		f.world.dns_count = LISTS + 1;
		table_dns(&f.world, names[i], DNS_A, DNS_NXDOMAIN);
		if (listed)
			table_records(&f.world, names[i], DNS_A, "127.0.0.2");
		fixture_send(&f, addresses[i], TO);
	}
}

START_TEST(a_list_that_lists_nearly_everybody)
{
	with_lists();
	send_from_many(0, 99, true);
	send_from_many(98, 99, true); /* the same client again is the same client */
	ck_assert_int_eq(dnsbl_state(&f.s.world, &f.config.dnsbls[TEN]), DNSBL_GOOD);
	send_from_many(99, 100, true);
	ck_assert_int_eq(dnsbl_state(&f.s.world, &f.config.dnsbls[TEN]), DNSBL_CROWDED);
	list(TEN);
	ck_said(fixture_send(&f, CLIENT, TO), "pass");
	/* others bring its share down, and it is used again */
	send_from_many(100, 108, false);
	ck_assert_int_eq(dnsbl_state(&f.s.world, &f.config.dnsbls[TEN]), DNSBL_GOOD);
	f.world.dns_count = LISTS + 1;
	ck_said(fixture_send(&f, CLIENT, TO), ON("ten.test"));
}
END_TEST

#define COUNT(a) (int)(sizeof(a) / sizeof((a)[0]))

int main(void)
{
	TCase *tc = tcase_create("dnsbl");
	Suite *suite = suite_create("dnsbl");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, start, stop);
	tcase_add_loop_test(tc, mistakes_of_a_section, 0, COUNT(bad));
	tcase_add_test(tc, keys_of_zones);
	tcase_add_test(tc, printed_without_the_key_and_read_back);
	tcase_add_loop_test(tc, which_answers_count, 0, COUNT(answers));
	tcase_add_loop_test(tc, test_points, 0, COUNT(points));
	tcase_add_test(tc, weights);
	tcase_add_test(tc, all_are_asked_at_the_connection);
	tcase_add_test(tc, monitored_lists_weigh_nothing);
	tcase_add_test(tc, domains);
	tcase_add_test(tc, lists_without_an_answer);
	tcase_add_test(tc, a_list_that_is_off_is_not_asked);
	tcase_add_test(tc, a_list_that_lists_nearly_everybody);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
