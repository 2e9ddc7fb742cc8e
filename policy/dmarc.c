/* DMARC: alignment, policy and result (RFC 9989 4.10, 5.3). */
#include "policy/dmarc.h"

#include "policy/check.h"

const char *dmarc_code_name(enum dmarc_code c)
{
	static const char *const names[] = {
	    [DMARC_NONE] = "none",           [DMARC_PASS] = "pass",           [DMARC_FAIL] = "fail",
	    [DMARC_TEMPERROR] = "temperror", [DMARC_PERMERROR] = "permerror",
	};

	return names[c];
}

/* The author domain's side of it. */
struct author_policy {
	struct dmarc_walk walk;
	struct text organisation; /* empty: an answer is missing */
	const struct dmarc_record *record;
	struct text found_at;
	enum dmarc_policy policy;
};

static struct dmarc_result *undecided_at(const struct session *s, const struct dmarc_walk *w,
					 struct dmarc_result *out)
{
	out->code = DMARC_TEMPERROR;
	out->reason = fact(s, "%s for _dmarc.%.*s", w->why, TEXT(w->unanswered));
	return out;
}

/* Of a name without a record of its own the organisation's is used, else the public suffix's: in
 * both cases it is that of the walk which stands at or above the organisation. */
static bool find_policy_record(struct author_policy *ap)
{
	const struct dmarc_walk *w = &ap->walk;
	struct text org = dmarc_walk_organisation(w);

	for (size_t i = 0; i < w->count; i++) {
		bool own = w->names[i].n == w->start.n;

		if (own || w->names[i].n <= org.n) {
			ap->record = &w->records[i];
			ap->found_at = w->names[i];
			return own;
		}
	}
	return false;
}

static enum dmarc_policy weaker(enum dmarc_policy a, enum dmarc_policy b)
{
	return a < b ? a : b;
}

/* For a name below the record's. */
static enum dmarc_policy policy_below(const struct session *s, const struct author_policy *ap)
{
	const struct dmarc_record *r = ap->record;
	const struct dns_answer *answer;

	/* Where something stands below it, it exists (RFC 8020). */
	if (r->sp == r->np || !ap->walk.start_missing)
		return r->sp;
	answer = s->world.ops->dns_await(s->world.self, s, ap->walk.start, DNS_A);
	if (!dns_known(answer->status))
		return weaker(r->sp, r->np);
	return answer->status == DNS_NXDOMAIN ? r->np : r->sp;
}

/* False: *out says why there is nothing to judge by. */
static bool find_policy(const struct session *s, struct text domain, struct author_policy *ap,
			struct dmarc_result *out)
{
	bool own;

	dmarc_walk_start(s, domain);
	dmarc_walk(s, domain, &ap->walk);
	own = find_policy_record(ap);
	if (ap->walk.unanswered.n && !own) {
		undecided_at(s, &ap->walk, out);
		return false;
	}
	if (!ap->record || !ap->record->has_policy) {
		out->code = DMARC_NONE;
		out->reason = ap->record ? LIT("record without a policy") : LIT("no record");
		return false;
	}
	if (ap->walk.unanswered.n == 0)
		ap->organisation = dmarc_walk_organisation(&ap->walk);
	ap->policy = own ? ap->record->p : policy_below(s, ap);
	if (ap->record->testing && ap->policy != DMARC_POLICY_NONE)
		ap->policy--;
	out->policy = ap->policy;
	out->found_at = ap->found_at;
	return true;
}

static enum answer is_aligned(const struct session *s, const struct author_policy *ap,
			      struct text domain, bool strict)
{
	if (text_eq(domain, ap->walk.start))
		return ANSWER_YES;
	if (strict)
		return ANSWER_NO;
	if (ap->organisation.n == 0)
		return ANSWER_UNKNOWN;
	return dmarc_is_of(s, domain, ap->organisation);
}

/* Does one of them vouch?  Those that passed come first, and the first will do. */
static enum answer vouches(const struct session *s, const struct author_policy *ap,
			   const struct dmarc_identity *ids, size_t n, bool strict)
{
	enum answer best = ANSWER_NO;

	for (size_t i = 0; i < n; i++) {
		enum answer one = is_aligned(s, ap, ids[i].domain, strict);

		if (one == ANSWER_YES && ids[i].passed)
			return ANSWER_YES;
		if (one != ANSWER_NO)
			best = ANSWER_UNKNOWN;
	}
	return best;
}

static void judge(const struct session *s, const struct author_policy *ap,
		  const struct dmarc_identities *ids, struct dmarc_result *out)
{
	enum answer dkim = vouches(s, ap, ids->dkim, ids->dkim_count, ap->record->strict_dkim);
	enum answer spf = vouches(s, ap, ids->spf, ids->spf_count, ap->record->strict_spf);

	if (dkim == ANSWER_YES || spf == ANSWER_YES) {
		out->code = DMARC_PASS;
		out->aligned_by = dkim != ANSWER_YES  ? LIT("spf")
				  : spf != ANSWER_YES ? LIT("dkim")
						      : LIT("spf and dkim");
		return;
	}
	if (dkim == ANSWER_UNKNOWN || spf == ANSWER_UNKNOWN || ids->undecided) {
		if (ap->walk.unanswered.n) {
			undecided_at(s, &ap->walk, out);
			return;
		}
		out->code = DMARC_TEMPERROR;
		out->reason = LIT("SPF, DKIM or an alignment could not be judged");
		return;
	}
	out->code = DMARC_FAIL;
	out->reason = LIT("no aligned SPF or DKIM pass");
}

void dmarc_evaluate(const struct session *s, const struct dmarc_identities *ids,
		    struct dmarc_result *out)
{
	struct author author = author_of(s->tx->header, &s->tx->arena);
	struct author_policy ap = {0};

	*out = (struct dmarc_result){
	    .code = DMARC_PERMERROR, .author = author.status, .domain = author.domain};
	if (author.status != AUTHOR_ONE) {
		out->reason = text_of(author_status_text(author.status));
	} else if (author.domain.p[0] == '[') {
		out->code = DMARC_NONE;
		out->reason = LIT("the author's domain is an address");
	} else if (find_policy(s, author.domain, &ap, out)) {
		judge(s, &ap, ids, out);
	}
}
