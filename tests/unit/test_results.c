/* policy/results.c: the words of Authentication-Results, and what a sender could want to put in. */
#include "policy/results.h"

#include <check.h>
#include <stdlib.h>

static struct config config;
static struct transaction tx;
static struct session s;
static struct dkim_result dkim;
static struct text id;

static void setup(void)
{
	id = LIT("mx1.test");
	config = (struct config){.authserv_ids = {&id, 1}};
	tx = (struct transaction){.from = {.domain = LIT("example.org")}};
	arena_init(&tx.arena, NULL, NULL);
	s = (struct session){.config = &config,
			     .tx = &tx,
			     .helo = LIT("client.example"),
			     .client_text = LIT("192.0.2.1")};
	dkim = (struct dkim_result){.judged = true};
}

static void teardown(void)
{
	arena_reset(&tx.arena);
}

/* No line that is too long but for one long value, no line end that isn't folding. */
static const char *format(void)
{
	struct text field = results_field(&s), rest = field, line;

	ck_assert(text_iends(field, LIT("\r\n")));
	while (text_split(rest, '\n', &line, &rest)) {
		ck_assert_uint_le(line.n, 400);
		ck_assert(line.n > 1 && line.p[line.n - 1] == '\r');
		ck_assert(memchr(line.p, '\r', line.n) == line.p + line.n - 1);
		ck_assert(rest.n == 0 || rest.p[0] == '\t');
	}
	return arena_text(&tx.arena, field).p;
}

static void spf(enum spf_identity i, enum spf_code code, struct text domain)
{
	tx.spf.asked[i] = true;
	tx.spf.results[i] = (struct spf_result){.code = code, .identity = i, .domain = domain};
}

static struct dkim_signature *sign(enum dkim_code code, struct text domain)
{
	struct dkim_signature *g = &dkim.signatures[dkim.count++];

	*g = (struct dkim_signature){.code = code,
				     .algorithm = DKIM_ALGORITHM_RSA_SHA256,
				     .domain = domain,
				     .selector = LIT("s1"),
				     .b = LIT("aB3+/Zz9")};
	tx.dkim = &dkim;
	return g;
}

START_TEST(nothing_judged)
{
	ck_assert_str_eq(format(), "Authentication-Results: mx1.test; none\r\n");
}
END_TEST

START_TEST(all_methods)
{
	s.host_state = HOST_CONFIRMED;
	s.host = LIT("mout.example.org");
	spf(SPF_MAILFROM, SPF_PASS, LIT("example.org"));
	spf(SPF_HELO, SPF_NONE, s.helo);
	sign(DKIM_PASS, LIT("example.org"));
	sign(DKIM_FAIL, LIT("lists.example.net"))->reason = DKIM_REASON_BODY;
	ck_assert_str_eq(format(),
			 "Authentication-Results: mx1.test;\r\n"
			 "\tiprev=pass (mout.example.org) policy.iprev=192.0.2.1;\r\n"
			 "\tspf=pass smtp.mailfrom=example.org;\r\n"
			 "\tspf=none smtp.helo=client.example;\r\n"
			 "\tdkim=pass header.d=example.org header.s=s1 header.a=rsa-sha256\r\n"
			 "\theader.b=\"aB3+/Zz9\";\r\n"
			 "\tdkim=fail (body changed) header.d=lists.example.net header.s=s1\r\n"
			 "\theader.a=rsa-sha256 header.b=\"aB3+/Zz9\"\r\n");
}
END_TEST

START_TEST(what_could_not_be_judged)
{
	s.host_state = HOST_NO_ANSWER;
	spf(SPF_MAILFROM, SPF_UNDECIDED, LIT("example.org"));
	dkim.judged = false;
	tx.dkim = &dkim;
	ck_assert_str_eq(format(), "Authentication-Results: mx1.test;\r\n"
				   "\tiprev=temperror policy.iprev=192.0.2.1;\r\n"
				   "\tspf=temperror smtp.mailfrom=example.org;\r\n"
				   "\tdkim=temperror\r\n");
	dkim.judged = true;
	s.host_state = HOST_NONE;
	tx.null_sender = true;
	s.client_text = LIT("2001:db8::1");
	spf(SPF_MAILFROM, SPF_FAIL, s.helo);
	spf(SPF_HELO, SPF_FAIL, s.helo);
	ck_assert_str_eq(format(), "Authentication-Results: mx1.test;\r\n"
				   "\tiprev=permerror policy.iprev=\"2001:db8::1\";\r\n"
				   "\tspf=fail smtp.helo=client.example;\r\n"
				   "\tdkim=none\r\n");
}
END_TEST

START_TEST(own_clients)
{
	s.own = true;
	s.host_state = HOST_CONFIRMED;
	spf(SPF_MAILFROM, SPF_PASS, LIT("example.org"));
	ck_assert_str_eq(format(), "Authentication-Results: mx1.test; none\r\n");
	s.login = LIT("ann@example.net");
	ck_assert_str_eq(format(), "Authentication-Results: mx1.test;\r\n"
				   "\tauth=pass smtp.auth=ann@example.net\r\n");
	s.login = LIT("ann smith\r\n; dmarc=pass (x) header.from=bank.example");
	ck_assert_str_eq(
	    format(), "Authentication-Results: mx1.test;\r\n"
		      "\tauth=pass\r\n"
		      "\tsmtp.auth=\"ann?smith????dmarc?pass??x??header.from?bank.example\"\r\n");
	s.login = LIT("@");
	ck_assert_str_eq(format(), "Authentication-Results: mx1.test;\r\n"
				   "\tauth=pass smtp.auth=\"@\"\r\n");
}
END_TEST

/* No name may end a value, a comment or the line, nor look like another result. */
START_TEST(hostile_names)
{
	static const char *const names[] = {
	    "x; dmarc=pass header.from=bank.example",
	    "\"; dmarc=pass header.from=bank.example",
	    "x\r\nAuthentication-Results: mx1.test; dmarc=pass",
	    "x\\\"(bank.example)",
	    "[192.0.2.1]; dmarc=pass",
	    "\xc3\xa4; dmarc=pass",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *field;

		s.helo = text_of(names[i]);
		spf(SPF_HELO, SPF_PASS, s.helo);
		spf(SPF_MAILFROM, SPF_PASS, s.helo);
		field = format();
		ck_assert_ptr_null(strstr(field, "dmarc="));
		ck_assert_ptr_null(strstr(field, "header.from="));
		ck_assert_ptr_null(strstr(field, "\nAuthentication-Results"));
		ck_assert_ptr_null(strchr(field, '('));
		ck_assert_ptr_null(strchr(field, '\\'));
	}
}
END_TEST

/* As many and as long names as there can be: all are there, in lines that may be sent. */
START_TEST(long_names)
{
	static char name[254];
	const char *field;
	size_t n = 0;

	memset(name, 'x', 253);
	s.helo = s.host = s.login = text_make(name, 253);
	s.host_state = HOST_CONFIRMED;
	spf(SPF_MAILFROM, SPF_TEMPERROR, s.helo);
	spf(SPF_HELO, SPF_TEMPERROR, s.helo);
	for (int i = 0; i < DKIM_SIGNATURES_MAX; i++) {
		struct dkim_signature *g = sign(DKIM_PERMERROR, s.helo);

		g->selector = s.helo;
		g->reason = DKIM_REASON_PARTIAL;
		g->algorithm = DKIM_ALGORITHM_ED25519_SHA256;
	}
	field = format();
	for (const char *at = field; (at = strstr(at, "dkim=")); at++)
		n++;
	ck_assert_uint_eq(n, DKIM_SIGNATURES_MAX);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("results");
	TCase *tc = tcase_create("results");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, nothing_judged);
	tcase_add_test(tc, all_methods);
	tcase_add_test(tc, what_could_not_be_judged);
	tcase_add_test(tc, own_clients);
	tcase_add_test(tc, hostile_names);
	tcase_add_test(tc, long_names);
	suite_add_tcase(suite, tc);
	r = srunner_create(suite);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
