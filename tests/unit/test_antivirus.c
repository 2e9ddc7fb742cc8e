/* Names of an anti-virus engine, and what the check makes of them. */
#include "policy/antivirus.h"

#include "world_table.h"

#include <check.h>
#include <stdlib.h>

START_TEST(kinds_by_name)
{
	static const struct {
		const char *name;
		enum scan_kind kind;
	} rows[] = {
	    {"Win.Test.EICAR_HDB-1", SCAN_SIGNATURE},
	    {"Eicar-Test-Signature.UNOFFICIAL", SCAN_SIGNATURE},
	    {"Email.Phishing.VOF1-6296802-0", SCAN_SIGNATURE},
	    {"PUA.Win.Tool.Packed-177", SCAN_PUA},
	    {"Heuristics.Limits.Exceeded.MaxFileSize", SCAN_LIMITS},
	    {"Heuristics.Limits.Exceeded.MaxScanTime", SCAN_TIME},
	    {"Heuristics.Limits.Exceeded", SCAN_LIMITS},
	    {"Heuristics.Encrypted.Zip", SCAN_ENCRYPTED},
	    {"Heuristics.OLE2.ContainsMacros.VBA", SCAN_MACROS},
	    {"Heuristics.Phishing.Email.SpoofedDomain", SCAN_PHISHING},
	    {"Heuristics.Broken.Executable", SCAN_BROKEN},
	    {"Heuristics.W32.Parite.B", SCAN_HEURISTIC},
	    {"BC.Heuristics.X", SCAN_HEURISTIC},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		ck_assert_msg(scan_kind_of(text_of(rows[i].name)) == rows[i].kind, "%s",
			      rows[i].name);
	ck_assert(scan_name_ok(LIT("A.b-1")));
	ck_assert(!scan_name_ok(LIT("")) && !scan_name_ok(LIT("a b")) && !scan_name_ok(LIT("a\n")));
}
END_TEST

/* ---- The check */

static struct fixture f;

static void set_up(void)
{
	struct antivirus_settings *a = &f.config.base.antivirus;

	fixture_init(&f);
	a->mode = MODE_ENFORCE;
	a->limits = LIMITS_REFUSE;
	a->unwanted = a->heuristics = a->phishing = a->macros = MODE_MONITOR;
	a->broken = a->encrypted = MODE_MONITOR;
}

static void tear_down(void)
{
	fixture_free(&f);
}

static void found(const char *name)
{
	struct scan_result *r = &f.world.scan;

	r->code = SCAN_DONE;
	r->matches[r->match_count++] =
	    (struct scan_match){scan_kind_of(text_of(name)), text_of(name)};
}

static struct decision message(void)
{
	fixture_connect(&f, "198.51.100.7");
	fixture_helo(&f, "client.example.org");
	fixture_mail(&f, "a@example.org");
	ck_said(fixture_rcpt(&f, "b@example.net"), "pass");
	return fixture_message(&f, "From: a@example.org\r\nDate: x\r\n\r\n", 100);
}

static void expect(const char *reply)
{
	ck_said(message(), reply);
}

static const char *facts(void)
{
	return table_field(table_event(&f.world, EVENT_INCIDENT, 0), FIELD_facts);
}

#define VIRUS    "550 5.7.1 The message was rejected due to security policies"
#define LATER    "451 4.3.0 A check could not be completed, try again later"
#define TOO_DEEP "550 5.7.1 The message could not be inspected"

START_TEST(clean)
{
	expect("pass");
	ck_assert_uint_eq(f.world.scans_asked, 1);
}
END_TEST

START_TEST(a_signature_is_refused_and_not_named)
{
	const struct decision d = (found("Win.Test.EICAR_HDB-1"), message());
	char text[200];

	ck_said(d, VIRUS);
	text_cstr(d.text, text, sizeof(text));
	ck_assert_ptr_null(strstr(text, "EICAR"));
	ck_assert_str_eq(facts(), "signature Win.Test.EICAR_HDB-1");
}
END_TEST

START_TEST(opinions_are_noted)
{
	found("PUA.Win.Tool.X");
	found("Heuristics.Encrypted.Zip");
	expect("pass");
	ck_assert_uint_eq(f.world.metrics[METRIC_would_refuse], 1);
}
END_TEST

START_TEST(opinions_by_option)
{
	static const struct {
		const char *name, *reply;
	} rows[] = {
	    {"PUA.X", "550 5.7.1 The message contains an unwanted program"},
	    {"Heuristics.Phishing.X", "550 5.7.1 The message contains deceptive links"},
	    {"Heuristics.OLE2.ContainsMacros",
	     "550 5.7.1 The message contains a document with macros"},
	    {"Heuristics.Encrypted.PDF", "550 5.7.1 The message contains encrypted files"},
	    {"Heuristics.Broken.Media", "550 5.7.1 The message contains a suspicious file"},
	    {"Heuristics.X", "550 5.7.1 The message contains a suspicious file"},
	};
	struct antivirus_settings *a = &f.config.base.antivirus;

	found(rows[_i].name);
	a->unwanted = a->heuristics = a->phishing = a->macros = MODE_ENFORCE;
	a->broken = a->encrypted = MODE_ENFORCE;
	expect(rows[_i].reply);
}
END_TEST

START_TEST(an_opinion_that_is_off_is_none)
{
	found("PUA.X");
	f.config.base.antivirus.unwanted = MODE_OFF;
	expect("pass");
	ck_assert_uint_eq(f.world.metrics[METRIC_would_refuse], 0);
}
END_TEST

/* Whatever else was found, also in front of it. */
START_TEST(a_signature_comes_first)
{
	found("Heuristics.Limits.Exceeded.MaxFiles");
	found("PUA.X");
	found("Eicar");
	f.config.base.antivirus.unwanted = MODE_ENFORCE;
	expect(VIRUS);
}
END_TEST

START_TEST(limits)
{
	found("Heuristics.Limits.Exceeded.MaxRecursion");
	expect(TOO_DEEP);
	ck_assert_str_eq(facts(), "limits exceeded Heuristics.Limits.Exceeded.MaxRecursion");
	f.config.base.antivirus.limits = LIMITS_DEFER;
	expect(LATER);
	f.config.base.antivirus.limits = LIMITS_PASS;
	expect("pass");
}
END_TEST

/* A busy machine is no fault of the sender's. */
START_TEST(want_of_time_is_ours)
{
	found("Heuristics.Limits.Exceeded.MaxScanTime");
	expect(LATER);
}
END_TEST

START_TEST(what_is_ours_is_never_final)
{
	f.world.scan = (struct scan_result){.code = SCAN_FAILED, .reason = LIT("x")};
	expect(LATER);
	f.world.scan.code = SCAN_KILLER;
	expect(LATER);
	f.world.scan.code = SCAN_ABSENT;
	expect("pass");
	ck_assert_uint_eq(f.world.metrics[METRIC_undecided], 3);
	f.config.base.antivirus.required = true;
	expect(LATER);
}
END_TEST

START_TEST(killers_by_option)
{
	f.world.scan.code = SCAN_KILLER;
	f.config.base.antivirus.killers = KILLERS_REFUSE;
	expect(TOO_DEEP);
}
END_TEST

START_TEST(ignored_signatures)
{
	found("Some.False-1.Alarm.UNOFFICIAL");
	table_exempt(&f.world, "antivirus", LIST_SIGNATURE, "some.false-1.alarm");
	expect("pass");
	ck_assert_ptr_nonnull(table_event(&f.world, EVENT_HIT, 0));
	/* Only that one. */
	found("Eicar");
	expect(VIRUS);
}
END_TEST

/* Which would cost a scan for nothing. */
START_TEST(what_is_refused_is_not_scanned)
{
	fixture_connect(&f, "198.51.100.7");
	fixture_helo(&f, "client.example.org");
	fixture_mail(&f, "a@example.org");
	fixture_rcpt(&f, "b@example.net");
	ck_said(fixture_message(&f, "Fr\xc3\xb6m: a@example.org\r\n\r\n", 100),
		"550 5.6.0 This message contains invalid headers");
	ck_assert_uint_eq(f.world.scans_asked, 0);
}
END_TEST

/* Own clients, postmaster: nobody is exempt by nature, but by name. */
START_TEST(nobody_is_spared)
{
	found("Eicar");
	fixture_connect(&f, "198.51.100.7");
	fixture_helo(&f, "client.example.org");
	f.s.own = true;
	fixture_mail(&f, "a@example.org");
	ck_said(fixture_rcpt(&f, "postmaster@example.net"), "pass");
	ck_said(fixture_message(&f, "From: a@example.org\r\n\r\n", 100), VIRUS);
	table_exempt(&f.world, "antivirus", LIST_RECIPIENT, "abuse@example.net");
	fixture_mail(&f, "a@example.org");
	ck_said(fixture_rcpt(&f, "abuse@example.net"), "pass");
	ck_said(fixture_message(&f, "From: a@example.org\r\n\r\n", 100), "pass");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("antivirus");
	TCase *tc = tcase_create("antivirus");
	SRunner *sr = srunner_create(s);

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, kinds_by_name);
	tcase_add_test(tc, clean);
	tcase_add_test(tc, a_signature_is_refused_and_not_named);
	tcase_add_test(tc, opinions_are_noted);
	tcase_add_loop_test(tc, opinions_by_option, 0, 6);
	tcase_add_test(tc, an_opinion_that_is_off_is_none);
	tcase_add_test(tc, a_signature_comes_first);
	tcase_add_test(tc, limits);
	tcase_add_test(tc, want_of_time_is_ours);
	tcase_add_test(tc, what_is_ours_is_never_final);
	tcase_add_test(tc, killers_by_option);
	tcase_add_test(tc, ignored_signatures);
	tcase_add_test(tc, what_is_refused_is_not_scanned);
	tcase_add_test(tc, nobody_is_spared);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
