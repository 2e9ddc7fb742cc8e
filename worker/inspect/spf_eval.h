/* What the files of check_host() share (RFC 7208 4 to 6), and nobody else includes.
 *
 * What is not known of the DNS yet ends the evaluation with SPF_BLOCKED; it begins anew when it is.
 * So nothing here waits, and every count starts from zero in each round. */
#ifndef WORKER_INSPECT_SPF_EVAL_H
#define WORKER_INSPECT_SPF_EVAL_H

#include "worker/inspect/spf.h"
#include "worker/inspect/spf_record.h"

/* 4.6.4 */
enum {
	SPF_TERMS_MAX = 10, /* that cause look-ups, over all includes */
	SPF_VOID_MAX = 2,
	SPF_MX_MAX = 10,
	SPF_PTR_MAX = 10,
	/* Every include and redirect is one of SPF_TERMS_MAX, so no chain is deeper. */
};

/* A result that is none: something has to be looked up first. */
#define SPF_BLOCKED SPF_CODES

enum spf_match { MATCH_NO, MATCH_YES, MATCH_TEMPERROR, MATCH_PERMERROR, MATCH_BLOCKED };

struct spf_eval {
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
struct spf_frame {
	struct spf_eval *e;
	struct text domain;
	bool included;
};

/* ---- spf_eval.c */

enum spf_code spf_check_host(struct spf_eval *e, struct text domain, bool included);
/* Says why, in printable ASCII; the last word counts. */
void spf_because(struct spf_eval *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* MATCH_PERMERROR, with its reason. */
enum spf_match spf_permerror(struct spf_eval *e, const char *why);
/* One more term that looks something up: MATCH_NO, or MATCH_PERMERROR. */
enum spf_match spf_count_term(struct spf_eval *e);
/* Expands a domain-spec (empty: the record's own domain).  False: a name for %{p} is needed. */
bool spf_target(const struct spf_frame *f, struct text spec, struct text *out);

/* ---- spf_names.c */

uint16_t spf_address_type(const struct spf_eval *e);
bool spf_same_network(const struct spf_eval *e, const struct ip *ip, const struct spf_directive *d);
bool spf_any_in_network(const struct spf_eval *e, const struct known_answer *a,
			const struct spf_directive *d);
bool spf_is_below(struct text name, struct text domain);
/* The client's PTR records (5.5); NULL: blocked. */
const struct known_answer *spf_client_names(const struct spf_eval *e);
/* Does the name lead back to the client?  A name whose look-up fails is passed over. */
enum spf_match spf_leads_back(const struct spf_eval *e, struct text name);
/* %{p}, for struct spf_macro_values (`self` is the spf_eval). */
bool spf_validated(void *self, struct text domain, struct text *out);

/* ---- spf_match.c */

bool spf_looks_up(const struct spf_directive *d);
enum spf_match spf_match(struct spf_frame *f, const struct spf_directive *d);

#endif
