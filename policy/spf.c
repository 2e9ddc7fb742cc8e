/* SPF's results: their names, and what a transaction remembers of them. */
#include "policy/spf.h"

#include "policy/check.h"

const char *spf_code_name(enum spf_code c)
{
	static const char *const names[] = {
	    [SPF_UNDECIDED] = "temperror", [SPF_NONE] = "none",
	    [SPF_NEUTRAL] = "neutral",     [SPF_PASS] = "pass",
	    [SPF_FAIL] = "fail",           [SPF_SOFTFAIL] = "softfail",
	    [SPF_TEMPERROR] = "temperror", [SPF_PERMERROR] = "permerror",
	};

	return names[c];
}

const char *spf_identity_name(enum spf_identity i)
{
	return i == SPF_HELO ? "helo" : "mailfrom";
}

const struct spf_result *spf_of(const struct session *s, enum spf_identity identity)
{
	struct spf_facts *facts = &s->tx->spf;
	struct spf_result *r = &facts->results[identity];
	const bool by_helo = identity == SPF_HELO || s->tx->null_sender;

	if (facts->asked[identity])
		return r;
	*r = (struct spf_result){.identity = identity};
	r->domain = by_helo ? s->helo : s->tx->from.domain;
	r->sender = by_helo ? arena_printf(&s->tx->arena, "postmaster@%.*s", TEXT(s->helo))
			    : s->tx->from.whole;
	s->world.ops->spf(s->world.self, s, identity, r);
	facts->asked[identity] = true;
	return r;
}
