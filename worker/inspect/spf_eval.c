/* check_host(): evaluating records (RFC 7208 4 to 6). */
#include "worker/inspect/spf_eval.h"
#include "worker/inspect/spf_macro.h"

#include <stdarg.h>
#include <stdio.h>

void spf_because(struct spf_eval *e, const char *fmt, ...)
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

enum spf_match spf_permerror(struct spf_eval *e, const char *why)
{
	spf_because(e, "%s", why);
	return MATCH_PERMERROR;
}

enum spf_match spf_count_term(struct spf_eval *e)
{
	return ++e->terms > SPF_TERMS_MAX
		   ? spf_permerror(e, "more than ten terms look something up")
		   : MATCH_NO;
}

bool spf_target(const struct spf_frame *f, struct text spec, struct text *out)
{
	const struct spf_eval *e = f->e;
	const struct spf_macro_values v = {
	    .local = e->local,
	    .domain_of_sender = e->q->domain,
	    .domain = f->domain,
	    .client = e->q->client,
	    .helo = e->q->helo,
	    .receiver = e->q->receiver,
	    .now_s = e->q->now_s,
	    .validated = spf_validated,
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

/* ---- A record */

static uint16_t first_query(const struct spf_eval *e, const struct spf_directive *d)
{
	switch (d->mechanism) {
	case SPF_INCLUDE:
		return DNS_TXT;
	case SPF_A:
		return spf_address_type(e);
	case SPF_MX:
		return DNS_MX;
	default:
		return DNS_A;
	}
}

/* Names that the whole record will need are asked for at once, where they are plain: one wait in
 * place of one for each term. */
static void expect_all(const struct spf_frame *f, const struct spf_record *r)
{
	unsigned left = SPF_TERMS_MAX - (f->e->terms < SPF_TERMS_MAX ? f->e->terms : SPF_TERMS_MAX);

	for (size_t i = 0; i < r->count && left > 0; i++) {
		const struct spf_directive *d = &r->directives[i];

		if (d->mechanism == SPF_ALL)
			return;
		if (!spf_looks_up(d) || d->mechanism == SPF_PTR ||
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

static enum spf_code code_of_error(enum spf_match m)
{
	switch (m) {
	case MATCH_TEMPERROR:
		return SPF_TEMPERROR;
	case MATCH_PERMERROR:
		return SPF_PERMERROR;
	default:
		return SPF_BLOCKED;
	}
}

static enum spf_code redirect(struct spf_frame *f, const struct spf_record *r)
{
	struct text target;

	if (r->redirect.n == 0) {
		spf_because(f->e, "nothing of %.*s matches", TEXT(f->domain));
		return SPF_NEUTRAL;
	}
	if (spf_count_term(f->e) != MATCH_NO)
		return SPF_PERMERROR;
	if (!spf_target(f, r->redirect, &target))
		return SPF_BLOCKED;
	const enum spf_code code = spf_check_host(f->e, target, f->included);
	if (code != SPF_NONE)
		return code;
	spf_because(f->e, "no record at %.*s, to which %.*s redirects", TEXT(target),
		    TEXT(f->domain));
	return SPF_PERMERROR;
}

static enum spf_code evaluate(struct spf_frame *f, const struct spf_record *r)
{
	expect_all(f, r);
	for (size_t i = 0; i < r->count; i++) {
		const struct spf_directive *d = &r->directives[i];
		const enum spf_match m = spf_match(f, d);

		if (m == MATCH_NO)
			continue;
		if (m != MATCH_YES)
			return code_of_error(m);
		spf_because(f->e, "%.*s of %.*s matches",
			    (int)(d->source.n < 80 ? d->source.n : 80), d->source.p,
			    TEXT(f->domain));
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

/* ---- spf_check_host() */

/* A name of two labels at least (4.3). */
static bool is_judged(struct text domain)
{
	const size_t dot = text_find(domain, '.');

	return dns_name_ok(domain) && dot + 1 < domain.n && domain.p[0] != '[';
}

/* The one record among the TXT records (4.5). */
static enum spf_code select_record(struct spf_eval *e, struct text domain,
				   const struct known_answer *a, struct text *record)
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
	spf_because(e, n ? "%.*s has several records" : "%.*s has no record", TEXT(domain));
	return n ? SPF_PERMERROR : SPF_NONE;
}

enum spf_code spf_check_host(struct spf_eval *e, struct text domain, bool included)
{
	struct spf_frame f = {.e = e, .domain = domain, .included = included};
	struct text text, bad;
	struct spf_record r;

	if (domain.n > 0 && domain.p[domain.n - 1] == '.')
		f.domain.n--;
	if (!is_judged(f.domain)) {
		spf_because(e, "%.*s is no domain that has a record", TEXT(f.domain));
		return SPF_NONE;
	}
	const struct known_answer *a = inquiry_dns(e->i, f.domain, DNS_TXT);
	if (!a)
		return SPF_BLOCKED;
	if (!dns_known(a->status)) {
		spf_because(e, "%s for %.*s", dns_status_text(a->status), TEXT(f.domain));
		return SPF_TEMPERROR;
	}
	const enum spf_code selected = select_record(e, f.domain, a, &text);
	if (selected != SPF_PASS)
		return selected;
	if (!spf_record_parse(text, e->i->arena, &r, &bad)) {
		spf_because(e, "%.*s of %.*s is no term of a record",
			    (int)(bad.n < 80 ? bad.n : 80), bad.p, TEXT(f.domain));
		return SPF_PERMERROR;
	}
	return evaluate(&f, &r);
}

/* ---- The explanation (6.2) */

static void explain(struct spf_eval *e, struct spf_result *out)
{
	const struct spf_frame f = {.e = e, .domain = e->explanation_domain};
	const struct spf_macro_values v = {
	    .local = e->local,
	    .domain_of_sender = e->q->domain,
	    .domain = f.domain,
	    .client = e->q->client,
	    .helo = e->q->helo,
	    .receiver = e->q->receiver,
	    .now_s = e->q->now_s,
	    .validated = spf_validated,
	    .self = e,
	};
	char *room = arena_alloc(e->i->arena, SPF_EXPLANATION_MAX + 1);
	struct buf b = buf_over(room, SPF_EXPLANATION_MAX + 1);
	const struct known_answer *a;
	struct text target;

	if (e->explanation.n == 0 || !spf_target(&f, e->explanation, &target))
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
	struct spf_eval e = {
	    .i = i,
	    .q = q,
	    .local = q->local.n ? q->local : LIT("postmaster"),
	};

	e.reason = buf_over(e.why, sizeof(e.why));
	r->code = spf_check_host(&e, q->domain, false);
	if (r->code == SPF_FAIL)
		explain(&e, r);
	r->reason = arena_text(i->arena, buf_view(&e.reason));
	r->passes_nobody = e.passes_nobody;
}
