/* DMARC of a transaction's message: what SPF and DKIM have to say goes in, and the result is
 * remembered. */
#include "policy/check.h"
#include "policy/dmarc.h"
#include "shm/segment.h"

struct gathered {
	struct dmarc_identity spf, dkim[DKIM_SIGNATURES_MAX];
	struct dmarc_identities ids;
};

static void gather_spf(const struct session *s, struct gathered *g)
{
	const struct spf_result *r = spf_of(s, SPF_MAILFROM);
	struct text domain;

	if (r->code != SPF_PASS && r->code != SPF_TEMPERROR && r->code != SPF_UNDECIDED)
		return;
	/* For the null sender it is a HELO name, as it was given. */
	if (!domain_to_ascii(r->domain, &s->tx->arena, &domain))
		return;
	g->spf = (struct dmarc_identity){domain, r->code == SPF_PASS};
	g->ids.spf = &g->spf;
	g->ids.spf_count = 1;
}

static void add_signatures(const struct dkim_result *r, bool passed, struct gathered *g)
{
	for (size_t i = 0; i < r->count; i++) {
		const struct dkim_signature *one = &r->signatures[i];
		const bool unsure = one->code == DKIM_TEMPERROR || one->code == DKIM_UNDECIDED;

		if (!text_empty(one->domain) && (passed ? one->code == DKIM_PASS : unsure))
			g->dkim[g->ids.dkim_count++] = (struct dmarc_identity){one->domain, passed};
	}
}

static void gather_dkim(const struct session *s, struct gathered *g)
{
	const struct dkim_result *r = dkim_of(s);

	g->ids.undecided = !r->judged;
	g->ids.dkim = g->dkim;
	add_signatures(r, true, g);
	add_signatures(r, false, g);
}

static void count(const struct session *s, enum dmarc_code code)
{
	static const int metrics[] = {
	    [DMARC_NONE] = -1,
	    [DMARC_PASS] = METRIC_dmarc_passed,
	    [DMARC_FAIL] = METRIC_dmarc_failed,
	    [DMARC_TEMPERROR] = METRIC_dmarc_undecided,
	    [DMARC_PERMERROR] = -1,
	};

	if (metrics[code] >= 0)
		s->world.ops->count(s->world.self, (unsigned)metrics[code], 1);
}

struct dmarc_result *dmarc_of(const struct session *s)
{
	struct gathered g = {.ids = {.undecided = false}};
	struct dmarc_result *r;

	if (s->tx->dmarc)
		return s->tx->dmarc;
	r = arena_new(&s->tx->arena, struct dmarc_result);
	gather_spf(s, &g);
	gather_dkim(s, &g);
	dmarc_evaluate(s, &g.ids, r);
	count(s, r->code);
	s->tx->dmarc = r;
	return r;
}

void dmarc_start(const struct session *s)
{
	struct author author = author_of(s->tx->header, &s->tx->arena);

	if (author.status == AUTHOR_ONE && author.domain.p[0] != '[')
		dmarc_walk_start(s, author.domain);
}
