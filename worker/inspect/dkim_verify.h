/* Verifying signatures by libopendkim: canonical forms, hashes, and whether they fit the keys.
 *
 * What it does wrong, and what is done about it, stands in README.md. */
#ifndef WORKER_INSPECT_DKIM_VERIFY_H
#define WORKER_INSPECT_DKIM_VERIFY_H

#include "worker/inspect/dkim.h"
#include "worker/inspect/dkim_key.h"

struct dkim_work {
	const struct header *header;
	const struct dkim_fields *fields;
	const struct dkim_key *keys; /* one a field */
	/* One a field: those whose reason is NONE are verified, and get their verdict. */
	struct dkim_verdict *verdicts;
	/* The next piece of the body, empty at its end; false: it can't be read. */
	bool (*next)(void *self, struct text *piece);
	void *self;
};

/* Opens the library, once; false: it can't be. */
bool dkim_judge_open(void);
/* False: the library has failed, there are no verdicts. */
bool dkim_judge(const struct dkim_work *w);

#endif
