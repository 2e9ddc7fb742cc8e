/* DKIM's results: their names, and what a transaction remembers of them. */
#include "policy/dkim.h"

#include "policy/check.h"
#include "shm/segment.h"

const char *dkim_code_name(enum dkim_code c)
{
	static const char *const names[DKIM_CODES] = {
	    [DKIM_UNDECIDED] = "temperror", [DKIM_PASS] = "pass",
	    [DKIM_FAIL] = "fail",           [DKIM_NEUTRAL] = "neutral",
	    [DKIM_POLICY] = "policy",       [DKIM_TEMPERROR] = "temperror",
	    [DKIM_PERMERROR] = "permerror",
	};

	return names[c];
}

const char *dkim_reason_text(enum dkim_reason r)
{
	static const char *const texts[DKIM_REASONS] = {
	    [DKIM_REASON_NONE] = "",
	    [DKIM_REASON_NO_SIGNATURE] = "no signature",
	    [DKIM_REASON_BODY] = "body changed",
	    [DKIM_REASON_SIGNATURE] = "bad signature",
	    [DKIM_REASON_EXPIRED] = "signature expired",
	    [DKIM_REASON_FUTURE] = "signature from the future",
	    [DKIM_REASON_KEY_WEAK] = "key too weak",
	    [DKIM_REASON_SHA1] = "SHA-1 is too weak",
	    [DKIM_REASON_PARTIAL] = "body not signed to its end",
	    [DKIM_REASON_SYNTAX] = "malformed signature",
	    [DKIM_REASON_ALGORITHM] = "unknown algorithm",
	    [DKIM_REASON_FROM] = "From not signed",
	    [DKIM_REASON_KEY_NONE] = "key not found",
	    [DKIM_REASON_KEY_REVOKED] = "key revoked",
	    [DKIM_REASON_KEY_SYNTAX] = "malformed key",
	    [DKIM_REASON_KEY_LONG] = "key record too long",
	    [DKIM_REASON_KEY_USE] = "key not for this use",
	    [DKIM_REASON_MESSAGE] = "malformed message",
	    [DKIM_REASON_NO_ANSWER] = "no answer from the DNS",
	};

	return texts[r];
}

enum dkim_code dkim_code_of(enum dkim_reason r)
{
	if (r <= DKIM_REASON_NO_SIGNATURE)
		return r == DKIM_REASON_NONE ? DKIM_PASS : DKIM_NEUTRAL;
	if (r <= DKIM_REASON_FUTURE)
		return DKIM_FAIL;
	if (r <= DKIM_REASON_PARTIAL)
		return DKIM_POLICY;
	if (r <= DKIM_REASON_ALGORITHM)
		return DKIM_NEUTRAL;
	return r < DKIM_REASON_NO_ANSWER ? DKIM_PERMERROR : DKIM_TEMPERROR;
}

const char *dkim_algorithm_name(enum dkim_algorithm a)
{
	static const char *const names[DKIM_ALGORITHMS] = {
	    [DKIM_ALGORITHM_UNKNOWN] = "",
	    [DKIM_ALGORITHM_RSA_SHA1] = "rsa-sha1",
	    [DKIM_ALGORITHM_RSA_SHA256] = "rsa-sha256",
	    [DKIM_ALGORITHM_ED25519_SHA256] = "ed25519-sha256",
	};

	return names[a];
}

/* It verifies, but is it acceptable? */
static enum dkim_reason accepted(const struct dkim_signature *g, const struct dkim_settings *set)
{
	if (g->algorithm == DKIM_ALGORITHM_RSA_SHA1)
		return DKIM_REASON_SHA1;
	if (g->algorithm == DKIM_ALGORITHM_RSA_SHA256 && (int64_t)g->key_bits < set->min_key_bits)
		return DKIM_REASON_KEY_WEAK;
	return g->partial && !set->partial ? DKIM_REASON_PARTIAL : DKIM_REASON_NONE;
}

static void count(const struct session *s, const struct dkim_result *r)
{
	bool passed = false;

	for (size_t i = 0; i < r->count; i++)
		passed = passed || r->signatures[i].code == DKIM_PASS;
	if (passed)
		s->world.ops->count(s->world.self, METRIC_dkim_passed, 1);
	else if (dkim_is_unsure(r))
		s->world.ops->count(s->world.self, METRIC_dkim_undecided, 1);
	else if (r->count > 0)
		s->world.ops->count(s->world.self, METRIC_dkim_failed, 1);
}

const struct dkim_result *dkim_of(const struct session *s)
{
	const struct transaction *tx = s->tx;
	const struct settings *set =
	    tx->recipient_count ? tx->recipients[0].settings : &s->config->base;
	struct dkim_result *r;

	if (tx->dkim)
		return tx->dkim;
	r = arena_new(&s->tx->arena, struct dkim_result);
	s->world.ops->dkim(s->world.self, s, r);
	for (size_t i = 0; i < r->count; i++) {
		struct dkim_signature *g = &r->signatures[i];

		if (g->code == DKIM_PASS) {
			g->reason = accepted(g, &set->dkim);
			g->code = dkim_code_of(g->reason);
		}
	}
	count(s, r);
	s->tx->dkim = r;
	return r;
}

struct text dkim_summary(const struct session *s)
{
	const struct dkim_result *r = dkim_of(s);
	struct text t = {"", 0};

	if (!r->judged)
		return r->why;
	if (r->count == 0)
		return text_of(dkim_reason_text(DKIM_REASON_NO_SIGNATURE));
	for (size_t i = 0; i < r->count; i++) {
		const struct dkim_signature *g = &r->signatures[i];

		t = fact(s, "%.*s%s%.*s: %s%s", TEXT(t), i ? ", " : "", TEXT(g->domain),
			 g->code == DKIM_PASS ? "pass" : dkim_reason_text(g->reason),
			 g->testing ? " (testing)" : "");
	}
	return r->more ? fact(s, "%.*s, %u more", TEXT(t), r->more) : t;
}

bool dkim_is_unsure(const struct dkim_result *r)
{
	for (size_t i = 0; i < r->count; i++) {
		if (r->signatures[i].code == DKIM_TEMPERROR ||
		    r->signatures[i].code == DKIM_UNDECIDED)
			return true;
	}
	return !r->judged;
}
