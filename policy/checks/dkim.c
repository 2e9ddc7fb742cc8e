/* DKIM (RFC 6376): are the message's signatures in order?
 *
 * A broken signature is as good as none (6.1), so by default nothing is refused for it; what is
 * noted, or refused, are options.  One signature that passes is enough, whatever the others. */
#include "policy/dkim.h"
#include "policy/check.h"
#include "policy/dmarc.h"
#include "policy/message/author.h"

/* What the signatures come to. */
struct view {
	const struct session *s;
	const struct settings *set;
	const struct dkim_result *result;
	struct text author; /* the domain of From:; empty: nobody's */
	/* The first that is broken, and the first that passes but isn't accepted. */
	const struct dkim_signature *broken, *unaccepted;
	const struct dkim_signature *authors; /* the first of the author's that is broken */
	bool passed, author_passed;
	/* What doesn't pass might, if only somebody could tell. */
	bool unsure, author_unsure;
};

static bool wants_author(const struct settings *set)
{
	return set->dkim.author != MODE_OFF || set->dkim.require.n > 0;
}

static enum answer is_authors(const struct view *v, const struct dkim_signature *g)
{
	if (text_empty(v->author) || text_empty(g->domain) || !wants_author(v->set))
		return ANSWER_NO;
	return dmarc_aligned(v->s, v->author, g->domain);
}

static bool is_broken(const struct dkim_signature *g)
{
	/* Who only tests is treated like one who doesn't sign (3.6.1). */
	return !g->testing &&
	       (g->code == DKIM_FAIL || g->code == DKIM_POLICY || g->code == DKIM_PERMERROR);
}

static void look_at(struct view *v, const struct dkim_signature *g)
{
	const bool passes = g->code == DKIM_PASS;
	const bool unsure = g->code == DKIM_TEMPERROR || g->code == DKIM_UNDECIDED;
	const bool broken = is_broken(g);
	enum answer authors;

	if (!passes && !unsure && !broken)
		return;
	authors = is_authors(v, g);
	v->passed = v->passed || passes;
	v->unsure = v->unsure || unsure;
	v->author_passed = v->author_passed || (passes && authors == ANSWER_YES);
	v->author_unsure = v->author_unsure || (unsure && authors != ANSWER_NO) ||
			   (passes && authors == ANSWER_UNKNOWN);
	if (broken && !v->broken)
		v->broken = g;
	if (broken && g->code == DKIM_POLICY && !v->unaccepted)
		v->unaccepted = g;
	if (broken && authors == ANSWER_YES && !v->authors)
		v->authors = g;
}

static struct view view_of(const struct session *s, const struct settings *set)
{
	struct view v = {.s = s, .set = set, .result = dkim_of(s)};

	if (wants_author(set)) {
		const struct author a = author_of(s->tx->header, &s->tx->arena);

		if (a.status == AUTHOR_ONE)
			v.author = a.domain;
	}
	v.unsure = v.author_unsure = !v.result->judged;
	for (size_t i = 0; i < v.result->count; i++)
		look_at(&v, &v.result->signatures[i]);
	return v;
}

/* ---- In words */

static struct verdict refusal(const struct view *v, const struct dkim_signature *g, bool others)
{
	enum reply_id reply = REPLY_DKIM;

	if (others)
		reply = REPLY_DKIM_AUTHOR;
	else if (g && g->code == DKIM_POLICY)
		reply = REPLY_DKIM_UNACCEPTABLE;
	return reject(reply, text_of(dkim_reason_text(g ? g->reason : DKIM_REASON_NO_SIGNATURE)),
		      dkim_summary(v->s));
}

/* ---- The three rules */

static bool must_sign(const struct view *v)
{
	const struct text_list *require = &v->set->dkim.require;

	for (size_t i = 0; i < require->n; i++) {
		const struct text d = require->v[i], a = v->author;

		if (text_ieq(a, d) || (a.n > d.n && text_iends(a, d) && a.p[a.n - d.n - 1] == '.'))
			return true;
	}
	return false;
}

static struct verdict no_idea(const struct view *v)
{
	if (v->set->dkim.unknown == NO_ANSWER_PASS)
		return undecided(dkim_summary(v->s));
	return deferred(v->result->judged ? DEFERRAL_DNS : DEFERRAL_LOCAL, dkim_summary(v->s));
}

/* A refusal by an option that has a mode. */
static struct verdict by_mode(int mode, struct verdict refused)
{
	refused.noted = mode == MODE_MONITOR;
	return refused;
}

struct verdict check_dkim(const struct session *s, const struct settings *set)
{
	const struct view v = view_of(s, set);
	const bool broken_here = v.broken && !v.passed,
		   author_broken = v.authors && !v.author_passed;
	const bool required = !v.author_passed && must_sign(&v);
	/* Words of an unaccepted one say more than those of another that is broken. */
	const struct dkim_signature *first = v.unaccepted ? v.unaccepted : v.broken;

	if ((required && v.author_unsure) ||
	    (author_broken && v.author_unsure && set->dkim.author == MODE_ENFORCE) ||
	    (broken_here && v.unsure && set->dkim.broken == MODE_ENFORCE))
		return no_idea(&v);
	if (required)
		return refusal(&v, v.authors, v.passed);
	if (author_broken && set->dkim.author == MODE_ENFORCE)
		return refusal(&v, v.authors, v.passed);
	if (broken_here && set->dkim.broken != MODE_OFF)
		return by_mode(set->dkim.broken, refusal(&v, first, false));
	if (author_broken && set->dkim.author != MODE_OFF)
		return by_mode(set->dkim.author, refusal(&v, v.authors, v.passed));
	return v.result->judged ? pass_because(dkim_summary(s)) : undecided(dkim_summary(s));
}
