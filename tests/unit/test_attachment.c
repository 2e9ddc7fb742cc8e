/* The check attachment: the list of the configuration, the live ones, recipients' domains, programs
 * by content, limits.  What is found in messages: test_mime.c, test_mime_corpus.c. */
#include "policy/attachment.h"
#include "policy/extensions.h"
#include "tests/unit/world_table.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

static struct fixture f;
static struct extension exe = {"exe"};
static const struct extension_list extensions = {.v = &exe, .n = 1, .capacity = 1};

static void start(void)
{
	fixture_init(&f);
	f.config.base.extensions = &extensions;
	f.other = f.config.base;
}

static void stop(void)
{
	fixture_free(&f);
}

#define REFUSED "550 5.7.1 Blacklisted file extension detected."
#define PROGRAM "550 5.7.1 Executable file detected."
#define LIMIT   "550 5.7.1 The message could not be inspected"

/* A message to these recipients with one part. */
static struct decision with_part(const char *name, uint64_t kinds, const char *to,
				 const char *and_to)
{
	static struct mime_text text;
	static struct mime_part part;
	static struct mime_facts facts;

	ck_said(fixture_send(&f, "198.51.100.7", to), "pass");
	if (and_to)
		ck_said(fixture_rcpt(&f, and_to), "pass");
	text = (struct mime_text){.t = text_of(name)};
	part = (struct mime_part){.inside = -1, .encodings = 1, .kinds = kinds};
	part.names = *name ? &text : NULL;
	facts.parts = &part;
	facts.count = 1;
	f.tx.parts = &facts;
	return fixture_message(&f, "From: a@example.org\r\nDate: x\r\n", 1000);
}

static struct decision named(const char *name)
{
	return with_part(name, 0, "b@example.net", NULL);
}

static struct text facts_said(void)
{
	return f.s.runs[CHECK_attachment].verdict->facts;
}

START_TEST(list_of_the_configuration)
{
	ck_said(named("a.txt"), "pass");
	ck_assert(text_empty(engine_not_inspected(&f.s)));
	ck_said(named(""), "pass");
	ck_said(named("a.EXE"), REFUSED);
	ck_assert(text_eq(facts_said(), LIT("a file with the extension exe: a.EXE")));
	f.config.base.attachment.mode = MODE_MONITOR;
	ck_said(named("a.exe"), "pass");
	f.config.base.attachment.mode = MODE_OFF;
	ck_said(named("a.exe"), "pass");
	/* no parts: nothing was asked for */
	f.config.base.attachment.mode = MODE_ENFORCE;
	ck_said(fixture_send(&f, "198.51.100.7", "b@example.net"), "pass");
	ck_said(fixture_message(&f, "From: a@example.org\r\nDate: x\r\n", 1000), "pass");
}
END_TEST

START_TEST(long_names_are_cut)
{
	char name[1001], shown[400];

	memset(name, 'a', 996);
	memcpy(name + 996, ".exe", 5);
	ck_said(named(name), REFUSED);
	snprintf(shown, sizeof(shown), "a file with the extension exe: ...%s", name + 880);
	ck_assert(text_eq(facts_said(), text_of(shown)));
}
END_TEST

START_TEST(live_entries)
{
	table_ban(&f.world, LIST_EXTENSION, "zip");
	ck_said(named("a.zip"), REFUSED);
	ck_assert_ptr_nonnull(table_event(&f.world, EVENT_HIT, 0));
	table_exempt(&f.world, "attachment", LIST_EXTENSION, "exe");
	ck_said(named("a.exe"), "pass");
	ck_assert_ptr_nonnull(table_event(&f.world, EVENT_HIT, 1));
	/* for other checks it says nothing */
	f.world.listed[1].check = "subject";
	ck_said(named("a.exe"), REFUSED);
	f.world.listed[1].check = "*";
	ck_said(named("a.exe"), "pass");
}
END_TEST

START_TEST(one_domain)
{
	table_exempt(&f.world, "attachment", LIST_EXTENSION, "exe@example.net");
	table_ban(&f.world, LIST_EXTENSION, "zip@other.example");
	ck_said(named("a.exe"), "pass");
	ck_said(with_part("a.exe", 0, "b@other.example", NULL), REFUSED);
	ck_said(named("a.zip"), "pass");
	ck_said(with_part("a.zip", 0, "b@other.example", NULL), REFUSED);
	/* A message to both gets what the stricter says. */
	ck_said(with_part("a.exe", 0, "b@example.net", "b@other.example"), REFUSED);
	ck_said(with_part("a.zip", 0, "b@example.net", "b@other.example"), REFUSED);
	/* The closest entry counts. */
	table_exempt(&f.world, "attachment", LIST_EXTENSION, "zip");
	ck_said(with_part("a.zip", 0, "b@other.example", NULL), REFUSED);
	table_ban(&f.world, LIST_EXTENSION, "exe");
	ck_said(named("a.exe"), "pass");
}
END_TEST

/* What can't be read refuses nobody for good, and lets nobody pass who would be refused. */
START_TEST(lists_away)
{
	f.world.exemptions_away = true;
	ck_said(named("a.txt"), "pass");
	ck_said(named("a.exe"), "451 4.3.0 A check could not be completed, try again later");
	f.world.exemptions_away = false;
	f.world.lists_away = true;
	ck_said(named("a.txt"), "pass");
	ck_said(named("a.exe"), "451 4.3.0 A check could not be completed, try again later");
}
END_TEST

START_TEST(who_is_exempt)
{
	table_exempt(&f.world, "attachment", LIST_ADDRESS, "a@example.org");
	ck_said(named("a.exe"), "pass");
	ck_said(with_part("a.exe", 0, "postmaster@example.net", NULL), "pass");
	f.world.listed_count = 0;
	ck_said(with_part("a.exe", 0, "postmaster@example.net", NULL), "pass");
	ck_said(named("a.exe"), REFUSED);
}
END_TEST

#define KIND(k) (UINT64_C(1) << (k))

START_TEST(content)
{
	ck_said(with_part("photo.jpg", KIND(MIME_PE), "b@example.net", NULL), PROGRAM);
	ck_assert(text_eq(facts_said(), LIT("a program by its content (pe): photo.jpg")));
	ck_said(with_part("", KIND(MIME_ELF), "b@example.net", NULL), PROGRAM);
	ck_said(with_part("a.txt", KIND(MIME_SCRIPT), "b@example.net", NULL), PROGRAM);
	/* a text that begins so */
	ck_said(with_part("", KIND(MIME_SCRIPT), "b@example.net", NULL), "pass");
	ck_said(with_part("a.zip", KIND(MIME_ZIP), "b@example.net", NULL), "pass");
	f.config.base.attachment.content = MODE_MONITOR;
	ck_said(with_part("photo.jpg", KIND(MIME_PE), "b@example.net", NULL), "pass");
	ck_assert_uint_eq(f.world.metrics[METRIC_would_refuse], 1);
	f.config.base.attachment.content = MODE_OFF;
	ck_said(with_part("photo.jpg", KIND(MIME_PE), "b@example.net", NULL), "pass");
	ck_assert_uint_eq(f.world.metrics[METRIC_would_refuse], 1);
	/* Who allows a name allows what stands in it. */
	f.config.base.attachment.content = MODE_ENFORCE;
	table_exempt(&f.world, "attachment", LIST_EXTENSION, "exe");
	ck_said(with_part("a.exe", KIND(MIME_PE), "b@example.net", NULL), "pass");
	ck_said(with_part("a.jpg", KIND(MIME_PE), "b@example.net", NULL), PROGRAM);
}
END_TEST

static struct decision with_facts(unsigned limits, unsigned opaque, const char *name)
{
	static struct mime_facts facts;
	static struct mime_text text;
	static struct mime_part part;

	ck_said(fixture_send(&f, "198.51.100.7", "b@example.net"), "pass");
	text = (struct mime_text){.t = text_of(name)};
	part = (struct mime_part){.inside = -1, .encodings = 1, .names = &text};
	facts = (struct mime_facts){.parts = &part, .count = 1, .limits = limits, .opaque = opaque};
	f.tx.parts = &facts;
	return fixture_message(&f, "From: a@example.org\r\nDate: x\r\n", 1000);
}

START_TEST(limits)
{
	ck_said(with_facts(MIME_LIMIT_DEPTH, 0, "a"), LIMIT);
	ck_assert(text_eq(facts_said(), LIT("not inspected: parts are nested too deep")));
	/* What was seen before the limit decides. */
	ck_said(with_facts(MIME_LIMIT_PARTS, 0, "a.exe"), REFUSED);
	f.config.base.attachment.limits = LIMITS_DEFER;
	ck_said(with_facts(MIME_LIMIT_DEPTH, 0, "a"),
		"451 4.3.0 A check could not be completed, try again later");
	f.config.base.attachment.limits = LIMITS_PASS;
	ck_said(with_facts(MIME_LIMIT_DEPTH, 0, "a"), "pass");
	ck_assert(text_eq(facts_said(), LIT("not inspected: parts are nested too deep")));
	ck_assert_int_eq(f.s.runs[CHECK_attachment].verdict->outcome, OUTCOME_UNDECIDED);
	ck_assert(text_eq(engine_not_inspected(&f.s),
			  LIT("attachment: not inspected: parts are nested too deep")));
	ck_said(with_facts(MIME_LIMIT_DEPTH, 0, "a.exe"), REFUSED);
}
END_TEST

START_TEST(not_to_be_looked_into)
{
	ck_said(with_facts(0, MIME_OPAQUE_ENCRYPTED, "a"), "pass");
	ck_assert(text_eq(facts_said(), LIT("not inspected: encrypted")));
	ck_assert(text_eq(engine_not_inspected(&f.s), LIT("attachment: not inspected: encrypted")));
	ck_said(with_facts(0, MIME_OPAQUE_ENCRYPTED, "a.exe"), REFUSED);
}
END_TEST

/* The parser runs only where a check needs it, within the bounds of the recipients' domain. */
START_TEST(wanted)
{
	struct mime_bounds b;

	ck_said(fixture_send(&f, "198.51.100.7", "b@other.example"), "pass");
	f.other.attachment.max_parts = 7;
	ck_assert(attachment_wants_parts(&f.s, &b));
	ck_assert_uint_eq(b.parts, 7);
	ck_assert_uint_eq(b.depth, 50);
	f.other.attachment.mode = MODE_OFF;
	ck_assert(!attachment_wants_parts(&f.s, &b));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("attachment");
	TCase *tc = tcase_create("attachment");
	SRunner *sr = srunner_create(suite);

	tcase_add_checked_fixture(tc, start, stop);
	tcase_add_test(tc, list_of_the_configuration);
	tcase_add_test(tc, long_names_are_cut);
	tcase_add_test(tc, live_entries);
	tcase_add_test(tc, one_domain);
	tcase_add_test(tc, lists_away);
	tcase_add_test(tc, who_is_exempt);
	tcase_add_test(tc, content);
	tcase_add_test(tc, limits);
	tcase_add_test(tc, not_to_be_looked_into);
	tcase_add_test(tc, wanted);
	suite_add_tcase(suite, tc);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
