/* The check spf, by the whole engine: which result is refused when, and what is never a 5xx. */
#include "tests/unit/world_table.h"

#include <check.h>
#include <stdlib.h>

#define HEADER "From: a@example.org\r\nDate: Mon, 1 Jun 2026 09:14:07 +0200\r\n"
#define FAILED "550 5.7.23 The message failed SPF checks"

static struct fixture f;

static struct text fail = LIT("fail");

/* The defaults of settings.def, enforced. */
static void start(void)
{
	fixture_init(&f);
	f.config.base.spf.mode = MODE_ENFORCE;
	f.config.base.spf.refuse = (struct text_list){&fail, 1};
	f.config.base.spf.helo = MODE_MONITOR;
}

static void stop(void)
{
	fixture_free(&f);
}

static void says(enum spf_identity identity, enum spf_code code)
{
	f.world.spf[identity] = (struct spf_result){.code = code, .reason = LIT("a test")};
}

static struct decision rcpt(void)
{
	return fixture_send(&f, "198.51.100.7", "b@example.net");
}

static struct decision message(void)
{
	ck_said(rcpt(), "pass");
	return fixture_message(&f, HEADER, 100);
}

/* What each result comes to with the defaults. */
START_TEST(only_a_fail_is_refused)
{
	static const char *const said_of[SPF_CODES] = {
	    [SPF_UNDECIDED] = "pass", [SPF_NONE] = "pass",     [SPF_NEUTRAL] = "pass",
	    [SPF_PASS] = "pass",      [SPF_FAIL] = FAILED,     [SPF_SOFTFAIL] = "pass",
	    [SPF_TEMPERROR] = "pass", [SPF_PERMERROR] = "pass"};

	for (int code = 0; code < SPF_CODES; code++) {
		says(SPF_MAILFROM, (enum spf_code)code);
		ck_said(message(), said_of[code]);
	}
}
END_TEST

/* Ours or the network's: 451 at most. */
START_TEST(unknown_may_be_put_off)
{
	f.config.base.spf.temperror = SPF_TEMPERROR_DEFER;
	says(SPF_MAILFROM, SPF_TEMPERROR);
	ck_said(message(), "451 4.4.3 A DNS look-up could not be completed, try again later");
	says(SPF_MAILFROM, SPF_UNDECIDED);
	ck_said(message(), "451 4.3.0 A check could not be completed, try again later");
}
END_TEST

/* ---- What saves a forwarded message */

static void signed_by(const char *domain, enum dkim_reason reason)
{
	f.world.dkim = (struct dkim_result){
	    .judged = true,
	    .count = 1,
	    .signatures = {{.code = dkim_code_of(reason),
			    .reason = reason,
			    .domain = text_of(domain),
			    .algorithm = DKIM_ALGORITHM_RSA_SHA256,
			    .key_bits = 2048}},
	};
}

static struct decision message_from(const char *header)
{
	ck_said(rcpt(), "pass");
	return fixture_message(&f, header, 100);
}

START_TEST(a_signature_saves)
{
	table_dns(&f.world, "_dmarc.example.org", DNS_TXT, DNS_NXDOMAIN);
	table_dns(&f.world, "_dmarc.news.example.org", DNS_TXT, DNS_NXDOMAIN);
	table_dns(&f.world, "_dmarc.org", DNS_TXT, DNS_NXDOMAIN);
	says(SPF_MAILFROM, SPF_FAIL);
	signed_by("example.org", DKIM_REASON_NONE); /* the sender's */
	ck_said(message_from("From: x@other.example\r\n"), "pass");
	signed_by("other.example", DKIM_REASON_NONE); /* the author's */
	ck_said(message_from("From: x@other.example\r\n"), "pass");
	ck_said(message(), FAILED);
	/* Not a broken one, and not one that isn't accepted. */
	signed_by("example.org", DKIM_REASON_BODY);
	ck_said(message(), FAILED);
	signed_by("example.org", DKIM_REASON_NONE);
	f.world.dkim.signatures[0].key_bits = 768;
	ck_said(message(), FAILED);
	/* Another name of the organisation, where it is one. */
	signed_by("news.example.org", DKIM_REASON_NONE);
	ck_said(message(), FAILED);
	table_records(&f.world, "_dmarc.example.org", DNS_TXT, "v=DMARC1; p=none");
	ck_said(message(), "pass");
	f.config.base.spf.unless_dkim = false;
	ck_said(message(), FAILED);
}
END_TEST

/* Ours or the network's: what might save it may not refuse it. */
START_TEST(what_might_save_it)
{
	says(SPF_MAILFROM, SPF_FAIL);
	f.world.dkim = (struct dkim_result){.why = LIT("nobody")};
	ck_said(message(), "pass");
	signed_by("example.org", DKIM_REASON_NO_ANSWER);
	ck_said(message(), "pass");
	signed_by("elsewhere.example", DKIM_REASON_NO_ANSWER);
	ck_said(message(), FAILED);
	signed_by("news.example.org", DKIM_REASON_NONE); /* whose is it?  The DNS is silent */
	ck_said(message(), "pass");
	f.config.base.spf.temperror = SPF_TEMPERROR_DEFER;
	ck_said(message(), "451 4.4.3 A DNS look-up could not be completed, try again later");
}
END_TEST

START_TEST(results_that_are_refused_are_an_option)
{
	struct text words[] = {LIT("softfail"), LIT("permerror"), LIT("none")};

	f.config.base.spf.refuse = (struct text_list){words, 3};
	says(SPF_MAILFROM, SPF_FAIL);
	ck_said(message(), "pass");
	says(SPF_MAILFROM, SPF_SOFTFAIL);
	ck_said(message(), FAILED);
	says(SPF_MAILFROM, SPF_PERMERROR);
	ck_said(message(), "550 5.7.24 The sender's SPF record has an error");
	says(SPF_MAILFROM, SPF_NONE);
	ck_said(message(), FAILED);
}
END_TEST

START_TEST(at_rcpt_where_nobody_passes)
{
	says(SPF_MAILFROM, SPF_FAIL);
	ck_said(rcpt(), "pass");
	f.world.spf[SPF_MAILFROM].passes_nobody = true;
	ck_said(rcpt(), FAILED);
	f.world.spf[SPF_MAILFROM].passes_nobody = false;
	f.config.base.spf.at = SPF_AT_RCPT;
	ck_said(rcpt(), FAILED);
	says(SPF_MAILFROM, SPF_PASS);
	ck_said(rcpt(), "pass");
}
END_TEST

START_TEST(judged_with_the_message)
{
	says(SPF_MAILFROM, SPF_FAIL);
	ck_said(rcpt(), "pass");
	ck_said(fixture_message(&f, HEADER, 100), FAILED);
}
END_TEST

START_TEST(helo_is_monitored)
{
	says(SPF_HELO, SPF_FAIL);
	ck_said(message(), "pass");
	ck_assert_uint_eq(f.world.metrics[METRIC_would_refuse], 1);
	f.config.base.spf.helo = MODE_ENFORCE;
	ck_said(message(), FAILED);
	f.config.base.spf.helo = MODE_OFF;
	f.world.spf_asked = 0;
	ck_said(message(), "pass");
	ck_assert_uint_eq(f.world.spf_asked, 1);
}
END_TEST

/* Asked once a transaction, and of the HELO name for the null sender. */
START_TEST(remembered)
{
	ck_said(message(), "pass");
	ck_assert_uint_eq(f.world.spf_asked, 2);
	ck_assert(text_eq(f.tx.spf.results[SPF_MAILFROM].domain, LIT("example.org")));
	ck_assert(text_eq(f.tx.spf.results[SPF_HELO].domain, LIT("client.example.org")));
	f.world.spf_asked = 0;
	fixture_connect(&f, "198.51.100.7");
	fixture_helo(&f, "client.example.org");
	fixture_mail(&f, "");
	ck_said(fixture_rcpt(&f, "b@example.net"), "pass");
	ck_said(fixture_message(&f, HEADER, 100), "pass");
	ck_assert_uint_eq(f.world.spf_asked, 1);
	ck_assert(text_eq(f.tx.spf.results[SPF_MAILFROM].domain, LIT("client.example.org")));
	ck_assert(
	    text_eq(f.tx.spf.results[SPF_MAILFROM].sender, LIT("postmaster@client.example.org")));
}
END_TEST

START_TEST(exempt_and_monitored)
{
	says(SPF_MAILFROM, SPF_FAIL);
	f.config.base.spf.mode = MODE_MONITOR;
	ck_said(message(), "pass");
	f.config.base.spf.mode = MODE_ENFORCE;
	table_exempt(&f.world, "spf", LIST_DOMAIN, "example.org");
	ck_said(message(), "pass");
	f.world.listed_count = 0;
	ck_said(fixture_send(&f, "198.51.100.7", "postmaster@example.net"), "pass");
	ck_said(fixture_message(&f, HEADER, 100), "pass");
}
END_TEST

START_TEST(the_domains_own_words)
{
	says(SPF_MAILFROM, SPF_FAIL);
	f.world.spf[SPF_MAILFROM].explanation = LIT("see why.example.org");
	ck_said(message(), FAILED);
	f.config.base.spf.explanation = true;
	ck_said(message(), FAILED ": example.org explains: see why.example.org");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("spf");
	TCase *tc = tcase_create("spf");
	SRunner *sr = srunner_create(s);

	tcase_add_checked_fixture(tc, start, stop);
	tcase_add_test(tc, only_a_fail_is_refused);
	tcase_add_test(tc, unknown_may_be_put_off);
	tcase_add_test(tc, a_signature_saves);
	tcase_add_test(tc, what_might_save_it);
	tcase_add_test(tc, results_that_are_refused_are_an_option);
	tcase_add_test(tc, at_rcpt_where_nobody_passes);
	tcase_add_test(tc, judged_with_the_message);
	tcase_add_test(tc, helo_is_monitored);
	tcase_add_test(tc, remembered);
	tcase_add_test(tc, exempt_and_monitored);
	tcase_add_test(tc, the_domains_own_words);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
