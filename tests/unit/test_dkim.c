/* The check dkim, by the whole engine: what is accepted of what verifies, which signatures are
 * refused by which option, and what is never a 5xx. */
#include "tests/unit/world_table.h"

#include <check.h>
#include <stdlib.h>

#define HEADER "From: a@example.org\r\nDate: Mon, 1 Jun 2026 09:14:07 +0200\r\n"
#define NO_DNS "451 4.4.3 A DNS look-up could not be completed, try again later"
#define NOBODY "451 4.3.0 A check could not be completed, try again later"

static struct fixture f;

static void start(void)
{
	fixture_init(&f);
	f.config.base.dkim.mode = MODE_ENFORCE;
	/* Neither example.org nor anything near has a DMARC record. */
	table_dns(&f.world, "_dmarc.example.org", DNS_TXT, DNS_NXDOMAIN);
	table_dns(&f.world, "_dmarc.news.example.org", DNS_TXT, DNS_NXDOMAIN);
	table_dns(&f.world, "_dmarc.org", DNS_TXT, DNS_NXDOMAIN);
}

static void stop(void)
{
	fixture_free(&f);
}

/* One signature more, by rsa-sha256 and 2,048 bits. */
static struct dkim_signature *says(const char *domain, enum dkim_reason reason)
{
	struct dkim_signature *g = &f.world.dkim.signatures[f.world.dkim.count++];

	*g = (struct dkim_signature){
	    .code = dkim_code_of(reason),
	    .reason = reason,
	    .domain = text_of(domain),
	    .algorithm = DKIM_ALGORITHM_RSA_SHA256,
	    .key_bits = 2048,
	};
	return g;
}

static void forget(void)
{
	f.world.dkim = (struct dkim_result){.judged = true};
}

static struct decision message_of(const char *header)
{
	ck_said(fixture_send(&f, "198.51.100.7", "b@example.net"), "pass");
	return fixture_message(&f, header, 100);
}

static struct decision message(void)
{
	return message_of(HEADER);
}

static void organisation(const char *record)
{
	table_records(&f.world, "_dmarc.example.org", DNS_TXT, record);
}

START_TEST(nothing_is_refused_by_default)
{
	ck_said(message(), "pass");
	for (int r = DKIM_REASON_BODY; r < DKIM_REASONS; r++) {
		forget();
		says("example.org", (enum dkim_reason)r);
		ck_said(message(), "pass");
	}
	forget();
	f.world.dkim.judged = false;
	ck_said(message(), "pass");
}
END_TEST

START_TEST(but_it_is_noted)
{
	says("example.org", DKIM_REASON_BODY);
	ck_said(message(), "pass");
	ck_assert_uint_eq(f.world.metrics[METRIC_would_refuse], 1);
	forget();
	says("example.org", DKIM_REASON_BODY)->testing = true;
	ck_said(message(), "pass");
	ck_assert_uint_eq(f.world.metrics[METRIC_would_refuse], 1);
}
END_TEST

/* Each in its words. */
START_TEST(broken)
{
	f.config.base.dkim.broken = MODE_ENFORCE;
	says("example.org", DKIM_REASON_BODY);
	ck_said(message(), "550 5.7.20 DKIM failure: body changed");
	forget();
	says("example.org", DKIM_REASON_KEY_NONE);
	ck_said(message(), "550 5.7.20 DKIM failure: key not found");
	forget();
	says("example.org", DKIM_REASON_EXPIRED);
	says("example.org", DKIM_REASON_KEY_REVOKED);
	ck_said(message(), "550 5.7.20 DKIM failure: signature expired");
	/* As good as none. */
	forget();
	says("", DKIM_REASON_SYNTAX);
	says("example.org", DKIM_REASON_ALGORITHM);
	ck_said(message(), "pass");
	forget();
	says("example.org", DKIM_REASON_SIGNATURE)->testing = true;
	ck_said(message(), "pass");
	forget();
	ck_said(message(), "pass");
}
END_TEST

START_TEST(one_that_passes_is_enough)
{
	f.config.base.dkim.broken = MODE_ENFORCE;
	says("example.org", DKIM_REASON_BODY);
	says("list.example", DKIM_REASON_NONE);
	says("other.example", DKIM_REASON_NO_ANSWER);
	ck_said(message(), "pass");
}
END_TEST

/* What verifies, and isn't accepted. */
START_TEST(not_acceptable)
{
	struct dkim_signature *g;

	f.config.base.dkim.broken = MODE_ENFORCE;
	g = says("example.org", DKIM_REASON_NONE);
	g->key_bits = 1023;
	ck_said(message(), "550 5.7.21 DKIM failure: key too weak");
	g->key_bits = 1024;
	ck_said(message(), "pass");
	f.config.base.dkim.min_key_bits = 2048;
	ck_said(message(), "550 5.7.21 DKIM failure: key too weak");
	g->algorithm = DKIM_ALGORITHM_ED25519_SHA256;
	g->key_bits = 256;
	ck_said(message(), "pass");
	g->algorithm = DKIM_ALGORITHM_RSA_SHA1;
	g->key_bits = 4096;
	ck_said(message(), "550 5.7.21 DKIM failure: SHA-1 is too weak");
	g->algorithm = DKIM_ALGORITHM_RSA_SHA256;
	g->partial = true;
	says("other.example", DKIM_REASON_BODY);
	ck_said(message(), "550 5.7.21 DKIM failure: body not signed to its end");
	f.config.base.dkim.partial = true;
	ck_said(message(), "pass");
}
END_TEST

START_TEST(the_authors)
{
	f.config.base.dkim.author = MODE_ENFORCE;
	says("example.org", DKIM_REASON_BODY);
	ck_said(message(), "550 5.7.20 DKIM failure: body changed");
	says("list.example", DKIM_REASON_NONE);
	ck_said(message(), "550 5.7.22 DKIM failure: body changed");
	says("example.org", DKIM_REASON_NONE);
	ck_said(message(), "pass");
	forget();
	says("list.example", DKIM_REASON_BODY);
	ck_said(message(), "pass");
	/* Another name of the same organisation. */
	forget();
	organisation("v=DMARC1; p=none");
	says("news.example.org", DKIM_REASON_SIGNATURE);
	ck_said(message(), "550 5.7.20 DKIM failure: bad signature");
	organisation("v=DMARC1; p=none; psd=y");
	ck_said(message(), "pass");
	/* Who the author is can't be told. */
	forget();
	says("example.org", DKIM_REASON_BODY);
	ck_said(message_of("From: a@example.org, b@other.example\r\n"), "pass");
}
END_TEST

START_TEST(who_must_sign)
{
	static struct text required[] = {LIT("example.com"), LIT("example.org")};

	f.config.base.dkim.require = (struct text_list){required, 2};
	ck_said(message(), "550 5.7.20 DKIM failure: no signature");
	says("list.example", DKIM_REASON_NONE);
	ck_said(message(), "550 5.7.22 DKIM failure: no signature");
	says("example.org", DKIM_REASON_BODY);
	ck_said(message(), "550 5.7.22 DKIM failure: body changed");
	says("example.org", DKIM_REASON_NONE);
	ck_said(message(), "pass");
	forget();
	says("example.org", DKIM_REASON_NONE)->key_bits = 512;
	ck_said(message(), "550 5.7.21 DKIM failure: key too weak");
	forget();
	ck_said(message_of("From: a@b.example.org\r\n"), "550 5.7.20 DKIM failure: no signature");
	ck_said(message_of("From: a@anexample.org\r\n"), "pass");
	ck_said(message_of("From: a@org\r\n"), "pass");
}
END_TEST

/* Ours or the network's: 451 at most, and only where a refusal hangs on it. */
START_TEST(unknown)
{
	static struct text required[] = {LIT("example.org")};

	says("example.org", DKIM_REASON_NO_ANSWER);
	f.config.base.dkim.require = (struct text_list){required, 1};
	ck_said(message(), "pass");
	f.config.base.dkim.unknown = NO_ANSWER_DEFER;
	ck_said(message(), NO_DNS);
	f.world.dkim.judged = false;
	f.world.dkim.count = 0;
	ck_said(message(), NOBODY);
	f.config.base.dkim.require.n = 0;
	ck_said(message(), "pass");
	/* A signature that has failed, and one of which nobody knows. */
	forget();
	f.config.base.dkim.broken = MODE_ENFORCE;
	says("example.org", DKIM_REASON_BODY);
	says("example.org", DKIM_REASON_NO_ANSWER);
	ck_said(message(), NO_DNS);
	/* Whose it is, isn't known. */
	forget();
	f.config.base.dkim.broken = MODE_MONITOR;
	f.config.base.dkim.author = MODE_ENFORCE;
	table_dns(&f.world, "_dmarc.example.org", DNS_TXT, DNS_TIMEOUT);
	says("news.example.org", DKIM_REASON_NONE);
	says("example.org", DKIM_REASON_BODY);
	ck_said(message(), NO_DNS);
}
END_TEST

START_TEST(asked_once)
{
	f.config.base.spf.mode = MODE_ENFORCE;
	ck_said(message(), "pass");
	ck_assert_uint_eq(f.world.dkim_asked, 1);
	ck_assert_ptr_eq(dkim_of(&f.s), dkim_of(&f.s));
	ck_assert_uint_eq(f.world.dkim_asked, 1);
}
END_TEST

START_TEST(counted_and_told)
{
	ck_said(message(), "pass");
	ck_assert_uint_eq(f.world.metrics[METRIC_dkim_passed], 0);
	ck_assert_uint_eq(f.world.metrics[METRIC_dkim_failed], 0);
	says("example.org", DKIM_REASON_BODY);
	ck_said(message(), "pass");
	ck_assert_uint_eq(f.world.metrics[METRIC_dkim_failed], 1);
	says("example.org", DKIM_REASON_NO_ANSWER);
	ck_said(message(), "pass");
	ck_assert_uint_eq(f.world.metrics[METRIC_dkim_undecided], 1);
	says("list.example", DKIM_REASON_NONE)->testing = true;
	f.world.dkim.more = 3;
	ck_said(message(), "pass");
	ck_assert_uint_eq(f.world.metrics[METRIC_dkim_passed], 1);
	const struct text told = dkim_summary(&f.s);
	ck_assert_msg(
	    text_eq(told, LIT("example.org: body changed, example.org: no answer from the "
			      "DNS, list.example: pass (testing), 3 more")),
	    "%.*s", TEXT(told));
}
END_TEST

START_TEST(names_and_words)
{
	for (int r = 0; r < DKIM_REASONS; r++)
		ck_assert_ptr_nonnull(dkim_reason_text((enum dkim_reason)r));
	for (int c = 0; c < DKIM_CODES; c++)
		ck_assert_ptr_nonnull(dkim_code_name((enum dkim_code)c));
	ck_assert_int_eq(dkim_code_of(DKIM_REASON_NONE), DKIM_PASS);
	ck_assert_int_eq(dkim_code_of(DKIM_REASON_FUTURE), DKIM_FAIL);
	ck_assert_int_eq(dkim_code_of(DKIM_REASON_KEY_WEAK), DKIM_POLICY);
	ck_assert_int_eq(dkim_code_of(DKIM_REASON_PARTIAL), DKIM_POLICY);
	ck_assert_int_eq(dkim_code_of(DKIM_REASON_ALGORITHM), DKIM_NEUTRAL);
	ck_assert_int_eq(dkim_code_of(DKIM_REASON_FROM), DKIM_PERMERROR);
	ck_assert_int_eq(dkim_code_of(DKIM_REASON_MESSAGE), DKIM_PERMERROR);
	ck_assert_int_eq(dkim_code_of(DKIM_REASON_NO_ANSWER), DKIM_TEMPERROR);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("dkim");
	TCase *tc = tcase_create("dkim");
	SRunner *sr = srunner_create(s);

	tcase_add_checked_fixture(tc, start, stop);
	tcase_add_test(tc, nothing_is_refused_by_default);
	tcase_add_test(tc, but_it_is_noted);
	tcase_add_test(tc, broken);
	tcase_add_test(tc, one_that_passes_is_enough);
	tcase_add_test(tc, not_acceptable);
	tcase_add_test(tc, the_authors);
	tcase_add_test(tc, who_must_sign);
	tcase_add_test(tc, unknown);
	tcase_add_test(tc, asked_once);
	tcase_add_test(tc, counted_and_told);
	tcase_add_test(tc, names_and_words);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	const int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
