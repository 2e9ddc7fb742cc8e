/* Driving libopendkim (worker/inspect/dkim_verify.h). */
#include "worker/inspect/dkim_verify.h"

#include "worker/inspect/dkim_length.h"

#include <dkim.h>

static DKIM_LIB *library;

/* One run: the library's own names of the fields, in their order. */
struct run {
	const struct dkim_work *work;
	DKIM_SIGINFO *signatures[DKIM_SIGNATURES_MAX];
};

static size_t index_of(const struct run *r, const DKIM_SIGINFO *sig)
{
	size_t i = 0;

	while (i < r->work->fields->count && r->signatures[i] != sig)
		i++;
	return i;
}

/* Before anything is verified: only what has been found to be in order here. */
static DKIM_CBSTAT on_fields(DKIM *dkim, DKIM_SIGINFO **sigs, int n)
{
	struct run *r = dkim_get_user_context(dkim);

	if (n < 0 || (size_t)n != r->work->fields->count)
		return DKIM_CBSTAT_ERROR;
	for (int i = 0; i < n; i++) {
		r->signatures[i] = sigs[i];
		if (r->work->verdicts[i].reason != DKIM_REASON_NONE)
			dkim_sig_ignore(sigs[i]);
	}
	return DKIM_CBSTAT_CONTINUE;
}

static DKIM_CBSTAT on_key(DKIM *dkim, DKIM_SIGINFO *sig, u_char *room, size_t size)
{
	const struct run *r = dkim_get_user_context(dkim);
	const size_t i = index_of(r, sig);
	const char *record;

	if (i == r->work->fields->count)
		return DKIM_CBSTAT_ERROR;
	record = r->work->keys[i].record;
	if (strlen(record) >= size)
		return DKIM_CBSTAT_ERROR;
	memcpy(room, record, strlen(record) + 1);
	return DKIM_CBSTAT_CONTINUE;
}

bool dkim_judge_open(void)
{
	dkim_opts_t flags = DKIM_LIBFLAGS_BADSIGHANDLES; /* one handle a field, also a bad one */
	unsigned int bits = 0;                           /* how many are enough is said elsewhere */

	if (!library)
		library = dkim_init(NULL, NULL);
	return library &&
	       dkim_options(library, DKIM_OP_SETOPT, DKIM_OPTS_FLAGS, &flags, sizeof(flags)) ==
		   DKIM_STAT_OK &&
	       dkim_options(library, DKIM_OP_SETOPT, DKIM_OPTS_MINKEYBITS, &bits, sizeof(bits)) ==
		   DKIM_STAT_OK &&
	       dkim_set_key_lookup(library, on_key) == DKIM_STAT_OK &&
	       dkim_set_prescreen(library, on_fields) == DKIM_STAT_OK;
}

/* ---- Feeding it */

static bool feed_field(DKIM *dkim, struct text t)
{
	while (t.n > 0 && (t.p[t.n - 1] == '\n' || t.p[t.n - 1] == '\r'))
		t.n--;
	const DKIM_STAT s = dkim_header(dkim, (u_char *)t.p, t.n);

	/* SYNTAX: a DKIM-Signature that is ignored, or a name that no h= can hold. */
	return s == DKIM_STAT_OK || s == DKIM_STAT_SYNTAX;
}

static bool is_beyond(const struct dkim_fields *fields, const struct header_field *f)
{
	return fields->more > 0 && f > fields->v[fields->count - 1].field &&
	       text_ieq(f->name, LIT("DKIM-Signature"));
}

static bool feed_header(DKIM *dkim, const struct dkim_work *w)
{
	/* Where h= names every field there is and one more, the library writes behind its list.
	 * This one can't be named: there is always a field left. */
	if (!feed_field(dkim, LIT("not signed: x")))
		return false;
	for (size_t i = 0; i < w->header->count; i++) {
		const struct header_field *f = &w->header->fields[i];

		if (header_name_valid(f->name) && !is_beyond(w->fields, f) &&
		    !feed_field(dkim, f->whole))
			return false;
	}
	return dkim_eoh(dkim) == DKIM_STAT_OK;
}

static bool wants_length(const struct dkim_work *w)
{
	for (size_t i = 0; i < w->fields->count; i++) {
		if (w->verdicts[i].reason == DKIM_REASON_NONE && w->fields->v[i].has_length)
			return true;
	}
	return false;
}

static bool feed_body(DKIM *dkim, const struct dkim_work *w, uint64_t *simple, uint64_t *relaxed)
{
	struct dkim_length as_simple = {0}, as_relaxed = {.relaxed = true};
	const bool counted = wants_length(w);
	struct text piece;

	do {
		if (!w->next(w->self, &piece))
			return false;
		if (piece.n && dkim_body(dkim, (u_char *)piece.p, piece.n) != DKIM_STAT_OK)
			return false;
		if (counted) {
			dkim_length_feed(&as_simple, piece);
			dkim_length_feed(&as_relaxed, piece);
		}
	} while (piece.n);
	*simple = dkim_length_end(&as_simple);
	*relaxed = dkim_length_end(&as_relaxed);
	return true;
}

/* ---- What it says */

/* t=s is judged only after the signature has passed, and so is much else: all three must be right.
 */
static enum dkim_reason reason_of(DKIM_SIGINFO *sig)
{
	const DKIM_SIGERROR error = dkim_sig_geterror(sig);
	const bool passed = dkim_sig_getflags(sig) & DKIM_SIGFLAG_PASSED;

	if (passed && dkim_sig_getbh(sig) == DKIM_SIGBH_MATCH && error == DKIM_SIGERROR_OK)
		return DKIM_REASON_NONE;
	if (passed && dkim_sig_getbh(sig) == DKIM_SIGBH_MISMATCH)
		return DKIM_REASON_BODY;
	switch (error) {
	case DKIM_SIGERROR_TOOLARGE_L:
		return DKIM_REASON_BODY;
	case DKIM_SIGERROR_EXPIRED:
		return DKIM_REASON_EXPIRED;
	case DKIM_SIGERROR_FUTURE:
		return DKIM_REASON_FUTURE;
	case DKIM_SIGERROR_KEYDECODE:
	case DKIM_SIGERROR_DNSSYNTAX:
		return DKIM_REASON_KEY_SYNTAX;
	case DKIM_SIGERROR_SUBDOMAIN:
		return DKIM_REASON_KEY_USE;
	case DKIM_SIGERROR_BADSIG:
		return DKIM_REASON_SIGNATURE;
	default:
		return DKIM_REASON_SYNTAX;
	}
}

static bool run(DKIM *dkim, struct run *r)
{
	const struct dkim_work *w = r->work;
	uint64_t simple, relaxed;

	if (dkim_set_user_context(dkim, r) != DKIM_STAT_OK || !feed_header(dkim, w) ||
	    !feed_body(dkim, w, &simple, &relaxed))
		return false;
	(void)dkim_eom(dkim, NULL); /* which tells of one signature only */
	for (size_t i = 0; i < w->fields->count; i++) {
		const struct dkim_field *f = &w->fields->v[i];

		if (w->verdicts[i].reason != DKIM_REASON_NONE)
			continue;
		w->verdicts[i].reason = reason_of(r->signatures[i]);
		w->verdicts[i].partial =
		    f->has_length && f->length < (f->relaxed_body ? relaxed : simple);
	}
	return true;
}

bool dkim_judge(const struct dkim_work *w)
{
	struct run r = {.work = w};
	DKIM_STAT status;
	DKIM *dkim = library ? dkim_verify(library, (const u_char *)"-", NULL, &status) : NULL;
	bool done;

	if (!dkim)
		return false;
	done = run(dkim, &r);
	dkim_free(dkim);
	return done;
}
