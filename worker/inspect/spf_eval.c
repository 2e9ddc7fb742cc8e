/* check_host(): evaluating records (RFC 7208 4 to 6).
 *
 * What is not known of the DNS yet ends the evaluation with BLOCKED; it begins anew when it is.  So
 * nothing here waits, and every count starts from zero in each round. */
#include "worker/inspect/spf.h"
#include "worker/inspect/spf_macro.h"
#include "worker/inspect/spf_record.h"

#include <stdarg.h>
#include <stdio.h>

enum {
	/* 4.6.4 */
	TERMS_MAX = 10, /* that cause look-ups, over all includes */
	VOID_MAX = 2,
	MX_MAX = 10,
	PTR_MAX = 10,
	/* Every include and redirect is one of TERMS_MAX, so no chain is deeper. */
};

/* A result that is none: something has to be looked up first. */
#define BLOCKED SPF_CODES

enum match { MATCH_NO, MATCH_YES, MATCH_TEMPERROR, MATCH_PERMERROR, MATCH_BLOCKED };

struct eval {
	struct inquiry *i;
	const struct spf_question *q;
	struct text local;
	unsigned terms, voids;
	char why[SPF_REASON_MAX + 1]; /* of the last word spoken */
	struct buf reason;
	/* The record that gave the result, includes aside: its exp= and its domain. */
	struct text explanation, explanation_domain;
	bool passes_nobody;
};

/* One record that is evaluated. */
struct frame {
	struct eval *e;
	struct text domain;
	bool included;
};

static enum spf_code check_host(struct eval *e, struct text domain, bool included);

static void because(struct eval *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void because(struct eval *e, const char *fmt, ...)
{
	char text[SPF_REASON_MAX + 1];
	va_list ap;

	va_start(ap, fmt);
	const int n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	e->reason = buf_over(e->why, sizeof(e->why));
	buf_escaped(&e->reason, text_make(text, n < 0                      ? 0
						: (size_t)n < sizeof(text) ? (size_t)n
									   : sizeof(text) - 1));
}

static enum match permerror(struct eval *e, const char *why)
{
	because(e, "%s", why);
	return MATCH_PERMERROR;
}

static uint16_t address_type(const struct eval *e)
{
	return ip_is4(&e->q->client) ? DNS_A : DNS_AAAA;
}

/* ---- Macros */

static bool validated(void *self, struct text domain, struct text *out);

static bool target_of(const struct frame *f, struct text spec, struct text *out)
{
	const struct eval *e = f->e;
	const struct spf_macro_values v = {
	    .local = e->local,
	    .domain_of_sender = e->q->domain,
	    .domain = f->domain,
	    .client = e->q->client,
	    .helo = e->q->helo,
	    .receiver = e->q->receiver,
	    .now_s = e->q->now_s,
	    .validated = validated,
	    .self = f->e,
	};
	char room[SPF_EXPANSION_SIZE];

	if (spec.n == 0) {
		*out = f->domain;
		return true;
	}
	if (!spf_expand_domain(spec, &v, room, out))
		return false;
	*out = arena_text(e->i->arena, *out);
	return true;
}

/* ---- Look-ups */

/* The answer to a term's query, counted if it is void.  NULL: *m is what the term comes to. */
static const struct known_answer *look_up(struct eval *e, struct text name, uint16_t type,
					  enum match *m)
{
	const struct known_answer *a = inquiry_dns(e->i, name, type);

	*m = MATCH_NO;
	if (!a) {
		*m = MATCH_BLOCKED;
		return NULL;
	}
	if (!dns_known(a->status)) {
		because(e, "%s for %.*s", dns_status_text(a->status), TEXT(name));
		*m = MATCH_TEMPERROR;
		return NULL;
	}
	if (a->count == 0 && ++e->voids > VOID_MAX) {
		*m = permerror(e, "more than two look-ups found nothing");
		return NULL;
	}
	return a;
}

static bool same_network(const struct eval *e, const struct ip *ip, const struct spf_directive *d)
{
	const unsigned bits = ip_is4(&e->q->client) ? 96 + d->bits4 : d->bits6;
	const struct ip a = ip_mask(ip, bits), b = ip_mask(&e->q->client, bits);

	return ip_is4(ip) == ip_is4(&e->q->client) && ip_eq(&a, &b);
}

static bool any_in_network(const struct eval *e, const struct known_answer *a,
			   const struct spf_directive *d)
{
	for (size_t i = 0; i < a->count; i++) {
		if (same_network(e, &a->records[i].ip, d))
			return true;
	}
	return false;
}

/* ---- The client's names (5.5) */

static const struct spf_directive exactly = {.bits4 = 32, .bits6 = 128};

static bool is_below(struct text name, struct text domain)
{
	if (text_ieq(name, domain))
		return true;
	return name.n > domain.n + 1 && name.p[name.n - domain.n - 1] == '.' &&
	       text_iends(name, domain);
}

static const struct known_answer *client_names(const struct eval *e)
{
	char room[DNS_NAME_SIZE];

	return inquiry_dns(e->i, dns_reverse_name(&e->q->client, room), DNS_PTR);
}

/* Does the name lead back to the client?  A name whose look-up fails is passed over. */
static enum match leads_back(const struct eval *e, struct text name)
{
	const struct known_answer *a = inquiry_dns(e->i, name, address_type(e));

	if (!a)
		return MATCH_BLOCKED;
	return any_in_network(e, a, &exactly) ? MATCH_YES : MATCH_NO;
}

/* How well a name suits %{p}: the domain itself, one below it, any other. */
static unsigned rank(struct text name, struct text domain)
{
	if (text_ieq(name, domain))
		return 3;
	return is_below(name, domain) ? 2 : 1;
}

static bool validated(void *self, struct text domain, struct text *out)
{
	struct eval *e = self;
	const struct known_answer *ptr = client_names(e);
	bool blocked = false;
	unsigned best = 0;

	*out = LIT("unknown");
	if (!ptr)
		return false;
	for (size_t i = 0; i < ptr->count && i < PTR_MAX; i++) {
		const struct text name = ptr->records[i].text;
		const enum match m = leads_back(e, name);

		if (m == MATCH_BLOCKED)
			blocked = true;
		else if (m == MATCH_YES && rank(name, domain) > best) {
			best = rank(name, domain);
			*out = name;
		}
	}
	return !blocked;
}

/* ---- Mechanisms */

static enum match match_a(struct frame *f, const struct spf_directive *d, struct text target)
{
	enum match m;
	const struct known_answer *a = look_up(f->e, target, address_type(f->e), &m);

	if (!a)
		return m;
	return any_in_network(f->e, a, d) ? MATCH_YES : MATCH_NO;
}

static enum match match_mx_host(struct frame *f, const struct spf_directive *d, struct text host)
{
	const struct known_answer *a = inquiry_dns(f->e->i, host, address_type(f->e));

	if (!a)
		return MATCH_BLOCKED;
	if (!dns_known(a->status)) {
		because(f->e, "%s for %.*s", dns_status_text(a->status), TEXT(host));
		return MATCH_TEMPERROR;
	}
	return any_in_network(f->e, a, d) ? MATCH_YES : MATCH_NO;
}

static enum match match_mx(struct frame *f, const struct spf_directive *d, struct text target)
{
	enum match m, all = MATCH_NO;
	const struct known_answer *mx = look_up(f->e, target, DNS_MX, &m);

	if (!mx)
		return m;
	if (mx->count > MX_MAX)
		return permerror(f->e, "a domain has more than ten MX records");
	for (size_t i = 0; i < mx->count; i++) {
		m = match_mx_host(f, d, mx->records[i].text);
		if (m == MATCH_BLOCKED)
			all = m; /* the others are asked for along with it */
		else if (m != MATCH_NO && all == MATCH_NO)
			return m;
	}
	return all;
}

static enum match match_ptr(struct frame *f, struct text target)
{
	const struct known_answer *ptr = client_names(f->e);
	enum match all = MATCH_NO;

	if (!ptr)
		return MATCH_BLOCKED;
	if (dns_known(ptr->status) && ptr->count == 0 && ++f->e->voids > VOID_MAX)
		return permerror(f->e, "more than two look-ups found nothing");
	for (size_t i = 0; i < ptr->count && i < PTR_MAX; i++) {
		if (!is_below(ptr->records[i].text, target))
			continue;
		const enum match m = leads_back(f->e, ptr->records[i].text);

		if (m == MATCH_YES)
			return m;
		if (m == MATCH_BLOCKED)
			all = m;
	}
	return all;
}

static enum match match_exists(struct frame *f, struct text target)
{
	enum match m;
	const struct known_answer *a = look_up(f->e, target, DNS_A, &m);

	if (!a)
		return m;
	return a->count > 0 ? MATCH_YES : MATCH_NO;
}

static enum match match_include(struct frame *f, struct text target)
{
	switch (check_host(f->e, target, true)) {
	case SPF_PASS:
		return MATCH_YES;
	case SPF_TEMPERROR:
		return MATCH_TEMPERROR;
	case SPF_PERMERROR:
		return MATCH_PERMERROR;
	case SPF_NONE:
		because(f->e, "no record at the included %.*s", TEXT(target));
		return MATCH_PERMERROR;
	case BLOCKED:
		return MATCH_BLOCKED;
	default:
		return MATCH_NO;
	}
}

static bool looks_up(const struct spf_directive *d)
{
	return d->mechanism != SPF_ALL && d->mechanism != SPF_IP4 && d->mechanism != SPF_IP6;
}

static enum match count_term(struct eval *e)
{
	return ++e->terms > TERMS_MAX ? permerror(e, "more than ten terms look something up")
				      : MATCH_NO;
}

static enum match match_directive(struct frame *f, const struct spf_directive *d)
{
	struct text target;

	if (d->mechanism == SPF_ALL)
		return MATCH_YES;
	if (!looks_up(d))
		return (d->mechanism == SPF_IP4) == ip_is4(&f->e->q->client) &&
			       same_network(f->e, &d->ip, d)
			   ? MATCH_YES
			   : MATCH_NO;
	if (count_term(f->e) != MATCH_NO)
		return MATCH_PERMERROR;
	if (!target_of(f, d->domain, &target))
		return MATCH_BLOCKED;
	switch (d->mechanism) {
	case SPF_INCLUDE:
		return match_include(f, target);
	case SPF_A:
		return match_a(f, d, target);
	case SPF_MX:
		return match_mx(f, d, target);
	case SPF_PTR:
		return match_ptr(f, target);
	default:
		return match_exists(f, target);
	}
}

/* ---- A record */

static uint16_t first_query(const struct eval *e, const struct spf_directive *d)
{
	switch (d->mechanism) {
	case SPF_INCLUDE:
		return DNS_TXT;
	case SPF_A:
		return address_type(e);
	case SPF_MX:
		return DNS_MX;
	default:
		return DNS_A;
	}
}

/* Names that the whole record will need are asked for at once, where they are plain: one wait in
 * place of one for each term. */
static void expect_all(const struct frame *f, const struct spf_record *r)
{
	unsigned left = TERMS_MAX - (f->e->terms < TERMS_MAX ? f->e->terms : TERMS_MAX);

	for (size_t i = 0; i < r->count && left > 0; i++) {
		const struct spf_directive *d = &r->directives[i];

		if (d->mechanism == SPF_ALL)
			return;
		if (!looks_up(d) || d->mechanism == SPF_PTR ||
		    text_find(d->domain, '%') < d->domain.n)
			continue;
		inquiry_expect(f->e->i, d->domain.n ? d->domain : f->domain, first_query(f->e, d));
		left--;
	}
}

static enum spf_code code_of(char qualifier)
{
	switch (qualifier) {
	case '-':
		return SPF_FAIL;
	case '~':
		return SPF_SOFTFAIL;
	case '?':
		return SPF_NEUTRAL;
	default:
		return SPF_PASS;
	}
}

static enum spf_code code_of_error(enum match m)
{
	switch (m) {
	case MATCH_TEMPERROR:
		return SPF_TEMPERROR;
	case MATCH_PERMERROR:
		return SPF_PERMERROR;
	default:
		return BLOCKED;
	}
}

static enum spf_code redirect(struct frame *f, const struct spf_record *r)
{
	struct text target;

	if (r->redirect.n == 0) {
		because(f->e, "nothing of %.*s matches", TEXT(f->domain));
		return SPF_NEUTRAL;
	}
	if (count_term(f->e) != MATCH_NO)
		return SPF_PERMERROR;
	if (!target_of(f, r->redirect, &target))
		return BLOCKED;
	const enum spf_code code = check_host(f->e, target, f->included);
	if (code != SPF_NONE)
		return code;
	because(f->e, "no record at %.*s, to which %.*s redirects", TEXT(target), TEXT(f->domain));
	return SPF_PERMERROR;
}

static enum spf_code evaluate(struct frame *f, const struct spf_record *r)
{
	expect_all(f, r);
	for (size_t i = 0; i < r->count; i++) {
		const struct spf_directive *d = &r->directives[i];
		const enum match m = match_directive(f, d);

		if (m == MATCH_NO)
			continue;
		if (m != MATCH_YES)
			return code_of_error(m);
		because(f->e, "%.*s of %.*s matches", (int)(d->source.n < 80 ? d->source.n : 80),
			d->source.p, TEXT(f->domain));
		if (!f->included) {
			f->e->explanation = r->explanation;
			f->e->explanation_domain = f->domain;
			f->e->passes_nobody =
			    i == 0 && d->mechanism == SPF_ALL && d->qualifier == '-';
		}
		return code_of(d->qualifier);
	}
	return redirect(f, r);
}

/* ---- check_host() */

/* A name of two labels at least (4.3). */
static bool is_judged(struct text domain)
{
	const size_t dot = text_find(domain, '.');

	return dns_name_ok(domain) && dot + 1 < domain.n && domain.p[0] != '[';
}

/* The one record among the TXT records (4.5). */
static enum spf_code select_record(struct eval *e, struct text domain, const struct known_answer *a,
				   struct text *record)
{
	unsigned n = 0;

	for (size_t i = 0; i < a->count; i++) {
		if (!spf_is_record(a->records[i].text))
			continue;
		*record = a->records[i].text;
		n++;
	}
	if (n == 1)
		return SPF_PASS;
	because(e, n ? "%.*s has several records" : "%.*s has no record", TEXT(domain));
	return n ? SPF_PERMERROR : SPF_NONE;
}

static enum spf_code check_host(struct eval *e, struct text domain, bool included)
{
	struct frame f = {.e = e, .domain = domain, .included = included};
	struct text text, bad;
	struct spf_record r;

	if (domain.n > 0 && domain.p[domain.n - 1] == '.')
		f.domain.n--;
	if (!is_judged(f.domain)) {
		because(e, "%.*s is no domain that has a record", TEXT(f.domain));
		return SPF_NONE;
	}
	const struct known_answer *a = inquiry_dns(e->i, f.domain, DNS_TXT);
	if (!a)
		return BLOCKED;
	if (!dns_known(a->status)) {
		because(e, "%s for %.*s", dns_status_text(a->status), TEXT(f.domain));
		return SPF_TEMPERROR;
	}
	const enum spf_code selected = select_record(e, f.domain, a, &text);
	if (selected != SPF_PASS)
		return selected;
	if (!spf_record_parse(text, e->i->arena, &r, &bad)) {
		because(e, "%.*s of %.*s is no term of a record", (int)(bad.n < 80 ? bad.n : 80),
			bad.p, TEXT(f.domain));
		return SPF_PERMERROR;
	}
	return evaluate(&f, &r);
}

/* ---- The explanation (6.2) */

static void explain(struct eval *e, struct spf_result *out)
{
	const struct frame f = {.e = e, .domain = e->explanation_domain};
	const struct spf_macro_values v = {
	    .local = e->local,
	    .domain_of_sender = e->q->domain,
	    .domain = f.domain,
	    .client = e->q->client,
	    .helo = e->q->helo,
	    .receiver = e->q->receiver,
	    .now_s = e->q->now_s,
	    .validated = validated,
	    .self = e,
	};
	char *room = arena_alloc(e->i->arena, SPF_EXPLANATION_MAX + 1);
	struct buf b = buf_over(room, SPF_EXPLANATION_MAX + 1);
	const struct known_answer *a;
	struct text target;

	if (e->explanation.n == 0 || !target_of(&f, e->explanation, &target))
		return;
	a = inquiry_dns(e->i, target, DNS_TXT);
	if (!a || a->count != 1 ||
	    !spf_macro_string_ok(a->records[0].text, SPF_MACRO_EXPLANATION) ||
	    !spf_expand_explanation(a->records[0].text, &v, &b))
		return;
	/* What a macro stood for may be anything that the client has said. */
	for (size_t i = 0; i < b.n; i++) {
		if (room[i] < ' ' || room[i] > '~')
			room[i] = '?';
	}
	out->explanation = buf_view(&b);
}

void spf_evaluate(struct inquiry *i, const struct spf_question *q, struct spf_result *r)
{
	struct eval e = {
	    .i = i,
	    .q = q,
	    .local = q->local.n ? q->local : LIT("postmaster"),
	};

	e.reason = buf_over(e.why, sizeof(e.why));
	r->code = check_host(&e, q->domain, false);
	if (r->code == SPF_FAIL)
		explain(&e, r);
	r->reason = arena_text(i->arena, buf_view(&e.reason));
	r->passes_nobody = e.passes_nobody;
}
