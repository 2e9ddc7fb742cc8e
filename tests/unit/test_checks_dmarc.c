/* The check dmarc: what is refused, marked, saved by a forwarder, left undecided; and what
 * Authentication-Results and the log say of it. */
#include "policy/dmarc.h"
#include "policy/forwarders.h"
#include "policy/results.h"
#include "tests/unit/world_table.h"

#include <check.h>
#include <stdlib.h>

#define FAILED  "550 5.7.26 The message failed DMARC checks"
#define NO_ONE  "550 5.7.1 The message has no single author"
#define DNS_451 "451 4.4.3 A DNS look-up could not be completed, try again later"
#define FROM    "From: <ann@bank.example>\r\nDate: x\r\n\r\n"

static struct fixture f;
static struct text trusted[4];

static void trust(const char *a, const char *b)
{
	trusted[0] = text_of(a);
	trusted[1] = text_of(b);
	f.config.base.dmarc.trusted_forwarders = (struct text_list){trusted, b ? 2 : 1};
}

static void start(void)
{
	fixture_init(&f);
	f.config.base.dmarc.mode = MODE_ENFORCE;
	f.config.base.dmarc.policy = DMARC_REJECT;
	table_records(&f.world, "_dmarc.bank.example", DNS_TXT, "v=DMARC1; p=reject");
	table_dns(&f.world, "_dmarc.example", DNS_TXT, DNS_NXDOMAIN, NULL);
	ck_said(fixture_send(&f, "198.51.100.7", "b@example.net"), "pass");
}

static void stop(void)
{
	fixture_free(&f);
}

static struct dkim_signature *sign(const char *domain, enum dkim_code code)
{
	struct dkim_signature *g = &f.world.dkim.signatures[f.world.dkim.count++];

	*g = (struct dkim_signature){.code = code, .domain = text_of(domain)};
	return g;
}

/* Whatever was asked of it before. */
static void spf_says(enum spf_code code)
{
	f.world.spf[SPF_MAILFROM].code = code;
	f.tx.spf.asked[SPF_MAILFROM] = false;
}

/* The message is another one. */
static void forget(void)
{
	f.tx.dkim = NULL;
	f.tx.dmarc = NULL;
}

static struct decision judge(const char *header)
{
	return fixture_message(&f, header, 1000);
}

static bool said_in_results(const char *what)
{
	struct text field = results_field(&f.s);
	char *copy = (char *)arena_text(&f.tx.arena, field).p;

	/* Unfolded. */
	for (char *p = copy; *p; p++) {
		if (*p == '\r')
			memmove(p, p + 2, strlen(p + 2) + 1);
		if (*p == '\t')
			*p = ' ';
	}
	ck_assert_msg(strstr(copy, what) != NULL, "%s is not in %s", what, copy);
	return true;
}

static void said_in_log(const char *what)
{
	char text[300];
	struct buf b = buf_over(text, sizeof(text));

	results_dmarc(&f.s, &b);
	ck_assert_str_eq(text, what);
}

START_TEST(a_failure)
{
	ck_said(judge(FROM), FAILED);
	ck_assert(strstr(table_field(table_event(&f.world, EVENT_INCIDENT, 0), FIELD_facts),
			 "fail bank.example: no aligned SPF or DKIM pass, p=reject of "
			 "bank.example") != NULL);
	said_in_log("fail bank.example reject");
	ck_assert_uint_eq(f.world.metrics[METRIC_dmarc_failed], 1);
	/* Asked early, and once each. */
	ck_assert_uint_eq(f.world.spf_asked, 1);
	ck_assert_uint_eq(f.world.dkim_asked, 1);
}
END_TEST

START_TEST(marked)
{
	f.config.base.dmarc.policy = DMARC_MARK;
	ck_said(judge(FROM), "pass");
	said_in_results("; dmarc=fail (p=reject) policy.dmarc=reject header.from=bank.example");
}
END_TEST

START_TEST(quarantine_is_marked)
{
	table_records(&f.world, "_dmarc.bank.example", DNS_TXT, "v=DMARC1; p=quarantine");
	ck_said(judge(FROM), "pass");
	said_in_results(
	    "; dmarc=fail (p=quarantine) policy.dmarc=quarantine header.from=bank.example");
}
END_TEST

START_TEST(passes)
{
	spf_says(SPF_PASS);
	ck_said(judge("From: <ann@example.org>\r\n\r\n"), "pass");
	/* No record that anybody could answer for. */
	said_in_log("temperror example.org");
	forget();
	table_records(&f.world, "_dmarc.example.org", DNS_TXT, "v=DMARC1; p=reject");
	table_dns(&f.world, "_dmarc.org", DNS_TXT, DNS_NXDOMAIN, NULL);
	ck_said(judge("From: <ann@example.org>\r\n\r\n"), "pass");
	said_in_results("; dmarc=pass (p=reject) header.from=example.org");
	said_in_log("pass example.org");
	/* By the signature. */
	forget();
	sign("evil.example", DKIM_PASS);
	sign("bank.example", DKIM_FAIL);
	ck_said(judge(FROM), FAILED);
	forget();
	sign("bank.example", DKIM_PASS);
	ck_said(judge(FROM), "pass");
	said_in_results("; dmarc=pass (p=reject) header.from=bank.example");
}
END_TEST

/* HELO stands for the null sender, as it was written. */
START_TEST(null_sender)
{
	fixture_helo(&f, "BANK.example");
	fixture_mail(&f, "");
	ck_said(fixture_rcpt(&f, "b@example.net"), "pass");
	spf_says(SPF_PASS);
	ck_said(judge(FROM), "pass");
	said_in_log("pass bank.example");
}
END_TEST

START_TEST(forwarders)
{
	static const struct {
		const char *entries[2];
		const char *host, *signer;
		const char *override; /* NULL: not saved */
	} rows[] = {
	    {{"lists.example"}, "lists.example", NULL, "host lists.example"},
	    {{"x.example", "lists.example"}, "LISTS.example", NULL, "host lists.example"},
	    {{"lists.example"}, "mout.lists.example", NULL, NULL},
	    {{".lists.example"}, "mout.lists.example", NULL, "host .lists.example"},
	    {{".lists.example"}, "lists.example", NULL, "host .lists.example"},
	    {{".lists.example"}, "badlists.example", NULL, NULL},
	    {{"lists.example"}, "", "lists.example", "signature of lists.example"},
	    {{".lists.example"}, "", "a.lists.example", "signature of .lists.example"},
	    {{"lists.example"}, "", "other.example", NULL},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		trust(rows[i].entries[0], rows[i].entries[1]);
		f.s.host = text_of(rows[i].host);
		f.s.host_state = f.s.host.n ? HOST_CONFIRMED : HOST_NONE;
		f.world.dkim.count = 0;
		forget();
		if (rows[i].signer)
			sign(rows[i].signer, DKIM_PASS);
		if (!rows[i].override) {
			ck_said(judge(FROM), FAILED);
			continue;
		}
		ck_said(judge(FROM), "pass");
		said_in_results(fact(&f.s,
				     "; dmarc=fail (p=reject; trusted_forwarder: %s) "
				     "policy.dmarc=none header.from=bank.example",
				     rows[i].override)
				    .p);
		said_in_log(
		    fact(&f.s, "fail bank.example reject, trusted_forwarder: %s", rows[i].override)
			.p);
	}
	ck_assert_uint_gt(f.world.metrics[METRIC_dmarc_overridden], 0);
}
END_TEST

/* A signature that doesn't pass saves nothing; one that nobody could judge, or a name that nobody
 * could confirm, is no reason to refuse. */
START_TEST(perhaps_a_forwarder)
{
	trust("lists.example", NULL);
	f.s.host_state = HOST_NONE;
	sign("lists.example", DKIM_FAIL);
	ck_said(judge(FROM), FAILED);
	f.world.dkim.count = 0;
	sign("lists.example", DKIM_TEMPERROR);
	forget();
	ck_said(judge(FROM), "pass");
	f.config.base.dmarc.unknown = NO_ANSWER_DEFER;
	ck_said(judge(FROM), DNS_451);
	f.world.dkim.count = 0;
	forget();
	ck_said(judge(FROM), FAILED);
	f.s.host_state = HOST_UNSURE;
	ck_said(judge(FROM), DNS_451);
}
END_TEST

START_TEST(what_nobody_could_judge)
{
	f.config.base.dmarc.unknown = NO_ANSWER_DEFER;
	spf_says(SPF_UNDECIDED);
	/* Of a domain that has nothing to do with the author's. */
	ck_said(judge(FROM), FAILED);
	forget();
	f.world.dkim.judged = false;
	ck_said(judge(FROM), DNS_451);
	said_in_results("; dmarc=temperror (p=reject) header.from=bank.example");
	f.config.base.dmarc.policy = DMARC_MARK;
	ck_said(judge(FROM), "pass");
	f.config.base.dmarc.policy = DMARC_REJECT;
	f.world.dkim.judged = true;
	forget();
	table_dns(&f.world, "_dmarc.bank.example", DNS_TXT, DNS_SERVFAIL, NULL);
	ck_said(judge(FROM), DNS_451);
	said_in_results("; dmarc=temperror header.from=bank.example");
	f.config.base.dmarc.unknown = NO_ANSWER_PASS;
	ck_said(judge(FROM), "pass");
	ck_assert_uint_gt(f.world.metrics[METRIC_undecided], 0);
}
END_TEST

/* The victim's name never stands beside a pass. */
static const struct {
	const char *from;
	const char *said, *results;
} authors[] = {
    {"Subject: x\r\n\r\n", "pass", "; dmarc=permerror (no From field)"},
    {"From: undisclosed:;\r\n\r\n", "pass", "; dmarc=permerror (From names nobody)"},
    {"From: ceo@bank.example <x@evil.example>\r\n\r\n", "pass",
     "; dmarc=permerror (From shows an address of another domain in the name)"},
    {"From: <x@evil.example>\r\nFrom: <ceo@bank.example>\r\n\r\n", NO_ONE,
     "; dmarc=permerror (several From fields)"},
    {"From: <x@evil.example>, <ceo@bank.example>\r\n\r\n", NO_ONE,
     "; dmarc=permerror (From names several domains)"},
    {"From: <x@evil.example>\r\nFrom : <ceo@bank.example>\r\n\r\n", NO_ONE,
     "; dmarc=permerror (several From fields)"},
    {"From: G: <x@evil.example>;\r\n\r\n", NO_ONE, "; dmarc=permerror (From holds a group)"},
    {"From: <x@evil.example@bank.example>\r\n\r\n", NO_ONE,
     "; dmarc=permerror (From is malformed)"},
    {"From: <@evil.example,@bank.example:ceo@bank.example>\r\n\r\n", NO_ONE,
     "; dmarc=permerror (From is malformed)"},
    {"Foo\r\nFrom: <x@evil.example>\r\nFrom\r\n : <ceo@bank.example>\r\n\r\n", NO_ONE,
     "; dmarc=permerror (From is malformed)"},
    {"From: <x@evil.example>\r\nFrom\r\n : <ceo@bank.example>\r\n\r\n", NO_ONE,
     "; dmarc=permerror (From is malformed)"},
};

START_TEST(one_author)
{
	table_records(&f.world, "_dmarc.evil.example", DNS_TXT, "v=DMARC1; p=reject");
	spf_says(SPF_PASS);
	sign("evil.example", DKIM_PASS);
	ck_said(judge(authors[_i].from), authors[_i].said);
	said_in_results(authors[_i].results);
	ck_assert_ptr_null(strstr(results_field(&f.s).p, "bank.example"));
	f.config.base.dmarc.ambiguous_from = MODE_OFF;
	f.config.base.dmarc.doubtful_from = MODE_OFF;
	ck_said(judge(authors[_i].from), "pass");
	f.config.base.dmarc.ambiguous_from = MODE_ENFORCE;
	f.config.base.dmarc.doubtful_from = MODE_ENFORCE;
	ck_said(judge(authors[_i].from), NO_ONE);
}
END_TEST

/* SPF fails behind a forwarder as well. */
START_TEST(spf_is_saved_too)
{
	static struct text fail = {"fail", 4};

	f.config.base.dmarc.mode = MODE_OFF;
	f.config.base.spf.mode = MODE_ENFORCE;
	f.config.base.spf.refuse = (struct text_list){&fail, 1};
	spf_says(SPF_FAIL);
	ck_said(judge(FROM), "550 5.7.23 The message failed SPF checks");
	trust(".lists.example", NULL);
	sign("a.lists.example", DKIM_PASS);
	forget();
	ck_said(judge(FROM), "pass");
	f.world.dkim.count = 0;
	forget();
	ck_said(judge(FROM), "550 5.7.23 The message failed SPF checks");
	f.s.host = LIT("m.lists.example");
	ck_said(judge(FROM), "pass");
	/* By name at RCPT, too. */
	f.config.base.spf.at = SPF_AT_RCPT;
	f.s.host_state = HOST_CONFIRMED;
	fixture_mail(&f, "a@example.org");
	ck_said(fixture_rcpt(&f, "c@example.net"), "pass");
	f.s.host = LIT("");
	f.s.host_state = HOST_NONE;
	fixture_mail(&f, "a@example.org");
	ck_said(fixture_rcpt(&f, "c@example.net"), "550 5.7.23 The message failed SPF checks");
	/* Not while nobody knows the name. */
	f.s.host_state = HOST_NO_ANSWER;
	fixture_mail(&f, "a@example.org");
	ck_said(fixture_rcpt(&f, "c@example.net"), "pass");
}
END_TEST

START_TEST(who_is_not_judged)
{
	f.config.base.dmarc.mode = MODE_OFF;
	ck_said(judge(FROM), "pass");
	ck_assert_ptr_null(f.tx.dmarc);
	f.config.base.dmarc.mode = MODE_ENFORCE;
	f.s.own = true;
	ck_said(judge(FROM), "pass");
	ck_assert_ptr_null(f.tx.dmarc);
	f.s.own = false;
	ck_said(fixture_send(&f, "198.51.100.7", "postmaster@example.net"), "pass");
	ck_said(judge(FROM), "pass");
	ck_assert_ptr_null(f.tx.dmarc);
}
END_TEST

START_TEST(exempt)
{
	table_exempt(&f.world, "dmarc", LIST_CLIENT, "198.51.100.7");
	ck_said(judge(FROM), "pass");
	said_in_results("; dmarc=fail (p=reject; local_policy) policy.dmarc=none "
			"header.from=bank.example");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("checks_dmarc");
	TCase *tc = tcase_create("checks_dmarc");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(tc, start, stop);
	tcase_add_test(tc, a_failure);
	tcase_add_test(tc, marked);
	tcase_add_test(tc, quarantine_is_marked);
	tcase_add_test(tc, passes);
	tcase_add_test(tc, null_sender);
	tcase_add_test(tc, forwarders);
	tcase_add_test(tc, perhaps_a_forwarder);
	tcase_add_test(tc, what_nobody_could_judge);
	tcase_add_loop_test(tc, one_author, 0, sizeof(authors) / sizeof(authors[0]));
	tcase_add_test(tc, spf_is_saved_too);
	tcase_add_test(tc, who_is_not_judged);
	tcase_add_test(tc, exempt);
	suite_add_tcase(suite, tc);
	r = srunner_create(suite);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
