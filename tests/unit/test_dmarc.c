/* policy/dmarc*.c: records, the tree walk, alignment and policy of RFC 9989. */
#include "policy/dmarc.h"

#include "policy/check.h"
#include "tests/unit/world_table.h"

#include <check.h>
#include <stdlib.h>

static struct fixture f;

static void start(void)
{
	fixture_init(&f);
	ck_said(fixture_send(&f, "198.51.100.7", "b@example.net"), "pass");
}

static void stop(void)
{
	fixture_free(&f);
}

/* ---- Records */

static const struct {
	const char *text;
	const char *shown; /* "" if it is no record */
} records[] = {
    {"v=DMARC1; p=reject", "p=reject sp=reject np=reject"},
    {"v=DMARC1;p=none;", "p=none sp=none np=none"},
    {"v = DMARC1 ; p = Quarantine ; sp=none", "p=quarantine sp=none np=none"},
    {"V=DMARC1; rua=mailto:a@example.org; p=reject; np=none", "p=reject sp=reject np=none"},
    {"v=DMARC1; p=reject; adkim=s; aspf=S", "p=reject sp=reject np=reject adkim aspf"},
    {"v=DMARC1; p=reject; adkim=r; aspf=x", "p=reject sp=reject np=reject"},
    {"v=DMARC1; p=reject; t=y", "p=reject sp=reject np=reject t"},
    {"v=DMARC1; p=reject; t=n; pct=0", "p=reject sp=reject np=reject"},
    {"v=DMARC1; p=reject; pct=0", "p=reject sp=reject np=reject t"},
    {"v=DMARC1; p=reject; pct=50; rf=afrf; ri=3600; fo=1", "p=reject sp=reject np=reject"},
    {"v=DMARC1; p=reject; psd=y", "p=reject sp=reject np=reject psd"},
    {"v=DMARC1; p=reject; psd=n", "p=reject sp=reject np=reject no-psd"},
    {"v=DMARC1; p=reject; psd=u", "p=reject sp=reject np=reject"},
    {"v=DMARC1; p=reject; p=none", "p=reject sp=reject np=reject"},
    {"v=DMARC1; p=rejekt; p=none", "p=none sp=none np=none"},
    {"v=DMARC1; p=reject; ; nonsense; =; x=", "p=reject sp=reject np=reject"},
    {"v=DMARC1; rua=mailto:a@example.org", "p=none sp=none np=none"},
    {"v=DMARC1; p=rejekt; rua=https://example.org/, mailto:a@example.org",
     "p=none sp=none np=none"},
    {"v=DMARC1; rua=a@example.org", "p=none sp=none np=none no-policy"},
    {"v=DMARC1", "p=none sp=none np=none no-policy"},
    {"v=dmarc1; p=reject", ""},
    {"v=DMARC10; p=reject", ""},
    {"v=DMARC1 p=reject", ""},
    {" v=DMARC1; p=reject", ""},
    {"p=reject; v=DMARC1", ""},
    {"v=spf1 -all", ""},
    {"", ""},
    {"=", ""},
};

static void show(const struct dmarc_record *r, struct buf *b)
{
	buf_printf(b, "p=%s sp=%s np=%s", dmarc_policy_name(r->p), dmarc_policy_name(r->sp),
		   dmarc_policy_name(r->np));
	buf_printf(b, "%s%s%s", r->strict_dkim ? " adkim" : "", r->strict_spf ? " aspf" : "",
		   r->testing ? " t" : "");
	buf_printf(b, "%s%s",
		   r->psd == DMARC_PSD_YES  ? " psd"
		   : r->psd == DMARC_PSD_NO ? " no-psd"
					    : "",
		   r->has_policy ? "" : " no-policy");
}

START_TEST(one_record)
{
	char text[200];
	struct buf b = buf_over(text, sizeof(text));
	struct dmarc_record r;

	if (dmarc_record_parse(text_of(records[_i].text), &r))
		show(&r, &b);
	ck_assert_str_eq(text, records[_i].shown);
}
END_TEST

/* ---- The tree walk */

/* `records` are "name record", the rest of the DNS is empty. */
static void dns(const char *name, const char *record)
{
	if (record)
		table_records(&f.world, name, DNS_TXT, record);
	else
		table_dns(&f.world, name, DNS_TXT, DNS_NXDOMAIN, NULL);
}

static const struct {
	const char *start;
	const char *names[3], *records[3];
	const char *organisation;
} walks[] = {
    {"example.org", {"_dmarc.example.org"}, {"v=DMARC1; p=none"}, "example.org"},
    {"a.b.example.org", {"_dmarc.example.org"}, {"v=DMARC1; p=none"}, "example.org"},
    {"a.b.example.org", {0}, {0}, "a.b.example.org"},
    {"a.b.example.org",
     {"_dmarc.b.example.org", "_dmarc.example.org"},
     {"v=DMARC1; p=none", "v=DMARC1; p=none"},
     "example.org"},
    {"a.b.example.org",
     {"_dmarc.b.example.org", "_dmarc.example.org"},
     {"v=DMARC1; p=none; psd=n", "v=DMARC1; p=none"},
     "b.example.org"},
    {"a.b.example.org", {"_dmarc.org"}, {"v=DMARC1; p=none; psd=y"}, "example.org"},
    {"a.b.example.org",
     {"_dmarc.a.b.example.org", "_dmarc.org"},
     {"v=DMARC1; p=none", "v=DMARC1; p=none; psd=y"},
     "example.org"},
    /* A public suffix that is itself the start. */
    {"co.example", {"_dmarc.co.example"}, {"v=DMARC1; p=none; psd=y"}, "co.example"},
    /* Not DMARC, or two: none. */
    {"a.example.org", {"_dmarc.example.org"}, {"v=spf1 -all"}, "a.example.org"},
    /* Eight labels and more: the name itself, and from seven labels on. */
    {"a.b.c.d.e.f.g.h.i.j.example.org",
     {"_dmarc.h.i.j.example.org", "_dmarc.i.j.example.org"},
     {"v=DMARC1; p=none", "v=DMARC1; p=none"},
     "i.j.example.org"},
    {"a.b.c.d.e.f.g.h.i.j.example.org",
     {"_dmarc.e.f.g.h.i.j.example.org"},
     {"v=DMARC1; p=none"},
     "a.b.c.d.e.f.g.h.i.j.example.org"},
};

/* All names but those of a row are empty. */
static void empty_dns(const char *name)
{
	for (const char *at = name; at; at = strchr(at, '.')) {
		at += at != name;
		struct text asked = fact(&f.s, "_dmarc.%s", at);
		table_dns(&f.world, asked.p, DNS_TXT, DNS_NXDOMAIN, NULL);
	}
}

START_TEST(one_walk)
{
	struct dmarc_walk w;

	empty_dns(walks[_i].start);
	for (int i = 0; i < 3 && walks[_i].names[i]; i++)
		dns(walks[_i].names[i], walks[_i].records[i]);
	dmarc_walk(&f.s, text_of(walks[_i].start), &w);
	ck_assert(w.unanswered.n == 0);
	struct text org = dmarc_walk_organisation(&w);
	ck_assert_str_eq(fact(&f.s, "%.*s", TEXT(org)).p, walks[_i].organisation);
	ck_assert_uint_le(f.world.dns_awaited, DMARC_WALK_MAX);
}
END_TEST

START_TEST(walk_of_many_labels)
{
	struct dmarc_walk w;

	empty_dns("a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r.s.t.u.v.w.x.y.z.example.org");
	f.world.dns_started = 0;
	dmarc_walk_start(&f.s,
			 LIT("a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r.s.t.u.v.w.x.y.z.example.org"));
	ck_assert_uint_eq(f.world.dns_started, DMARC_WALK_MAX);
	dmarc_walk(&f.s, LIT("a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r.s.t.u.v.w.x.y.z.example.org"),
		   &w);
	ck_assert_uint_eq(f.world.dns_awaited, DMARC_WALK_MAX);
	ck_assert_uint_eq(w.count, 0);
}
END_TEST

START_TEST(walk_unanswered)
{
	struct dmarc_walk w;

	dns("_dmarc.a.example.org", "v=DMARC1; p=none");
	table_dns(&f.world, "_dmarc.example.org", DNS_TXT, DNS_SERVFAIL, NULL);
	dmarc_walk(&f.s, LIT("a.example.org"), &w);
	ck_assert_uint_eq(w.count, 1);
	ck_assert(text_eq(w.unanswered, LIT("example.org")));
	ck_assert_str_eq(w.why, "SERVFAIL");
}
END_TEST

START_TEST(two_records_are_none)
{
	struct dmarc_walk w;

	empty_dns("example.org");
	table_records(&f.world, "_dmarc.example.org", DNS_TXT, "v=DMARC1; p=none", "other",
		      "v=DMARC1; p=reject");
	dmarc_walk(&f.s, LIT("example.org"), &w);
	ck_assert_uint_eq(w.count, 0);
}
END_TEST

/* ---- The result */

struct row {
	const char *from; /* body of From: */
	/* "example.org=v=DMARC1; ..." or "example.org!SERVFAIL" (others don't exist) */
	const char *dns[4];
	const char *spf, *dkim; /* domain, "?domain" for temperror, NULL: none */
	bool exists;            /* the author's domain has an A record */
	const char *result;
};

static const struct row rows[] = {
    /* alignment */
    {"a@example.org", {"example.org=v=DMARC1; p=reject"}, "example.org", NULL, 0, "pass spf"},
    {"a@example.org", {"example.org=v=DMARC1; p=reject"}, NULL, "example.org", 0, "pass dkim"},
    {"a@example.org",
     {"example.org=v=DMARC1; p=reject"},
     "example.org",
     "m.example.org",
     0,
     "pass spf and dkim"},
    {"a@example.org", {"example.org=v=DMARC1; p=reject"}, "b.example.org", NULL, 0, "pass spf"},
    {"a@x.example.org", {"example.org=v=DMARC1; p=reject"}, NULL, "y.example.org", 0, "pass dkim"},
    {"a@x.example.org", {"example.org=v=DMARC1; p=reject"}, NULL, "example.org", 0, "pass dkim"},
    {"a@example.org",
     {"example.org=v=DMARC1; p=reject; aspf=s"},
     "b.example.org",
     NULL,
     0,
     "fail reject: no aligned SPF or DKIM pass"},
    {"a@example.org",
     {"example.org=v=DMARC1; p=reject; adkim=s"},
     NULL,
     "b.example.org",
     0,
     "fail reject: no aligned SPF or DKIM pass"},
    {"a@example.org",
     {"example.org=v=DMARC1; p=reject; adkim=s; aspf=s"},
     "example.org",
     NULL,
     0,
     "pass spf"},
    {"a@example.org",
     {"example.org=v=DMARC1; p=reject"},
     "evil.example",
     "badexample.org",
     0,
     "fail reject: no aligned SPF or DKIM pass"},
    {"a@example.org",
     {"example.org=v=DMARC1; p=reject"},
     NULL,
     NULL,
     0,
     "fail reject: no aligned SPF or DKIM pass"},
    /* The public suffix is nobody's: two names below it aren't aligned. */
    {"a@one.co.example",
     {"co.example=v=DMARC1; p=reject; psd=y"},
     NULL,
     "two.co.example",
     0,
     "fail reject: no aligned SPF or DKIM pass"},
    {"a@one.co.example",
     {"co.example=v=DMARC1; p=reject; psd=y"},
     NULL,
     "m.one.co.example",
     0,
     "pass dkim"},
    {"a@one.co.example",
     {"co.example=v=DMARC1; p=reject; psd=y"},
     NULL,
     "co.example",
     0,
     "fail reject: no aligned SPF or DKIM pass"},
    /* An organisation of its own below the author's. */
    {"a@example.org",
     {"example.org=v=DMARC1; p=reject", "m.example.org=v=DMARC1; p=none; psd=n"},
     NULL,
     "m.example.org",
     0,
     "fail reject: no aligned SPF or DKIM pass"},
    /* policies */
    {"a@example.org",
     {"example.org=v=DMARC1; p=quarantine"},
     NULL,
     NULL,
     0,
     "fail quarantine: no aligned SPF or DKIM pass"},
    {"a@example.org",
     {"example.org=v=DMARC1; p=reject; t=y"},
     NULL,
     NULL,
     0,
     "fail quarantine: no aligned SPF or DKIM pass"},
    {"a@example.org",
     {"example.org=v=DMARC1; p=quarantine; t=y"},
     NULL,
     NULL,
     0,
     "fail none: no aligned SPF or DKIM pass"},
    {"a@x.example.org",
     {"example.org=v=DMARC1; p=reject; sp=none"},
     NULL,
     NULL,
     1,
     "fail none: no aligned SPF or DKIM pass"},
    {"a@x.example.org",
     {"example.org=v=DMARC1; p=none; sp=quarantine; np=reject"},
     NULL,
     NULL,
     1,
     "fail quarantine: no aligned SPF or DKIM pass"},
    {"a@x.example.org",
     {"example.org=v=DMARC1; p=none; sp=quarantine; np=reject"},
     NULL,
     NULL,
     0,
     "fail reject: no aligned SPF or DKIM pass"},
    {"a@x.example.org",
     {"example.org=v=DMARC1; p=reject", "x.example.org=v=DMARC1; p=none"},
     NULL,
     NULL,
     0,
     "fail none: no aligned SPF or DKIM pass"},
    {"a@x.y.example.org",
     {"example.org=v=DMARC1; p=reject", "y.example.org=v=DMARC1; p=none"},
     NULL,
     NULL,
     1,
     "fail reject: no aligned SPF or DKIM pass"},
    {"a@one.co.example",
     {"co.example=v=DMARC1; p=none; sp=quarantine; np=reject; psd=y"},
     NULL,
     NULL,
     0,
     "fail reject: no aligned SPF or DKIM pass"},
    /* no policy */
    {"a@example.org", {0}, "example.org", NULL, 0, "none: no record"},
    {"a@example.org", {"example.org=v=DMARC1"}, NULL, NULL, 0, "none: record without a policy"},
    {"a@[192.0.2.1]", {0}, NULL, NULL, 0, "none: the author's domain is an address"},
    /* what can't be known */
    {"a@example.org",
     {"example.org!"},
     "example.org",
     NULL,
     0,
     "temperror: SERVFAIL for _dmarc.example.org"},
    {"a@x.example.org",
     {"example.org!"},
     "x.example.org",
     NULL,
     0,
     "temperror: SERVFAIL for _dmarc.example.org"},
    {"a@x.example.org",
     {"x.example.org=v=DMARC1; p=reject", "example.org!"},
     "x.example.org",
     NULL,
     0,
     "pass spf"},
    {"a@x.example.org",
     {"x.example.org=v=DMARC1; p=reject", "example.org!"},
     "y.example.org",
     NULL,
     0,
     "temperror: SERVFAIL for _dmarc.example.org"},
    {"a@example.org",
     {"example.org=v=DMARC1; p=reject", "m.example.org!"},
     NULL,
     "m.example.org",
     0,
     "temperror: SPF, DKIM or an alignment could not be judged"},
    {"a@example.org",
     {"example.org=v=DMARC1; p=reject"},
     "?example.org",
     NULL,
     0,
     "temperror: SPF, DKIM or an alignment could not be judged"},
    {"a@example.org",
     {"example.org=v=DMARC1; p=reject"},
     NULL,
     "?evil.example",
     0,
     "fail reject: no aligned SPF or DKIM pass"},
    {"a@example.org",
     {"example.org=v=DMARC1; p=reject"},
     "?example.org",
     "example.org",
     0,
     "pass dkim"},
    /* From: */
    {"a@example.org, b@evil.example",
     {"evil.example=v=DMARC1; p=none"},
     "evil.example",
     NULL,
     0,
     "permerror ambiguous: From names several domains"},
    {"G: a@example.org;", {0}, "example.org", NULL, 0, "permerror ambiguous: From holds a group"},
    {"b@example.org <a@evil.example>",
     {0},
     "evil.example",
     NULL,
     0,
     "permerror: From shows an address of another domain in the name"},
    {"undisclosed:;", {0}, "example.org", NULL, 0, "permerror: From names nobody"},
    {NULL, {0}, "example.org", NULL, 0, "permerror: no From field"},
};

static struct dmarc_identity identity(const char *domain)
{
	bool unsure = domain && domain[0] == '?';

	return (struct dmarc_identity){.domain = text_of(domain + unsure), .passed = !unsure};
}

static void fill_dns(const struct row *row)
{
	static const char *const ends[] = {"x.y.example.org", "y.example.org", "m.example.org",
					   "b.example.org",   "x.example.org", "m.one.co.example",
					   "two.co.example",  "evil.example"};

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		empty_dns(ends[i]);
	for (int i = 0; i < 4 && row->dns[i]; i++) {
		size_t n = strcspn(row->dns[i], "=!");
		struct text name = fact(&f.s, "_dmarc.%.*s", (int)n, row->dns[i]);

		if (row->dns[i][n] == '!')
			table_dns(&f.world, name.p, DNS_TXT, DNS_SERVFAIL, NULL);
		else
			table_records(&f.world, name.p, DNS_TXT, row->dns[i] + n + 1);
	}
	if (row->exists) {
		table_dns(&f.world, "x.example.org", DNS_A, DNS_NODATA, NULL);
		table_dns(&f.world, "x.y.example.org", DNS_A, DNS_NODATA, NULL);
	} else {
		table_dns(&f.world, "x.example.org", DNS_A, DNS_NXDOMAIN, NULL);
		table_dns(&f.world, "one.co.example", DNS_A, DNS_NXDOMAIN, NULL);
	}
}

static const char *shown(const struct dmarc_result *r)
{
	if (r->code == DMARC_PASS)
		return fact(&f.s, "pass %.*s", TEXT(r->aligned_by)).p;
	ck_assert(r->reason.n > 0);
	return fact(&f.s, "%s%s%s%s: %.*s", dmarc_code_name(r->code),
		    r->code == DMARC_FAIL ? " " : "",
		    r->code == DMARC_FAIL ? dmarc_policy_name(r->policy) : "",
		    author_is_ambiguous(r->author) ? " ambiguous" : "", TEXT(r->reason))
	    .p;
}

START_TEST(one_result)
{
	const struct row *row = &rows[_i];
	struct dmarc_identity spf = identity(row->spf), dkim = identity(row->dkim);
	struct dmarc_identities ids = {&spf, row->spf != NULL, &dkim, row->dkim != NULL, false};
	struct dmarc_result r;
	struct text header =
	    row->from ? fact(&f.s, "From: %s\r\n", row->from) : LIT("Subject: x\r\n");

	fill_dns(row);
	f.tx.header = header_parse(header, 0, &f.tx.arena);
	dmarc_evaluate(&f.s, &ids, &r);
	ck_assert_str_eq(shown(&r), row->result);
	ck_assert_uint_le(f.world.dns_awaited, 12);
	/* What nobody could judge is never a failure. */
	ids.undecided = true;
	dmarc_evaluate(&f.s, &ids, &r);
	ck_assert_int_ne(r.code, DMARC_FAIL);
}
END_TEST

#define COUNT(a) (int)(sizeof(a) / sizeof((a)[0]))

int main(void)
{
	TCase *tc = tcase_create("dmarc");
	Suite *suite = suite_create("dmarc");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, start, stop);
	tcase_add_loop_test(tc, one_record, 0, COUNT(records));
	tcase_add_loop_test(tc, one_walk, 0, COUNT(walks));
	tcase_add_test(tc, walk_of_many_labels);
	tcase_add_test(tc, walk_unanswered);
	tcase_add_test(tc, two_records_are_none);
	tcase_add_loop_test(tc, one_result, 0, COUNT(rows));
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
