/* Authentication-Results of our own name (policy/message/forged.h): cuts are whole lines, in order,
 * and once they are out nothing is left to cut. */
#include "policy/message/forged.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const struct text ids[] = {{"mx1.test", 8}, {"xn--bcher-kva.example", 21}};

static void check_cuts(struct text t, const struct cuts *cuts)
{
	for (size_t i = 0; i < cuts->n; i++) {
		const struct cut *c = &cuts->v[i];

		if (c->start >= c->end || c->end > t.n || (i && c->start <= c[-1].end))
			abort();
		if ((c->start && t.p[c->start - 1] != '\n') ||
		    (c->end < t.n && t.p[c->end - 1] != '\n'))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const struct text t = text_make((const char *)data, n);
	char *left = malloc(n + 1);
	uint64_t at = 0;
	struct buf b;
	struct cuts cuts;
	struct arena a;

	if (!left)
		return 0;
	arena_init(&a, NULL, NULL);
	b = buf_over(left, n + 1);
	cuts = forged_results(t, ids, 2, &a);
	check_cuts(t, &cuts);
	for (size_t i = 0; i < cuts.n; i++) {
		buf_put(&b, t.p + at, cuts.v[i].start - at);
		at = cuts.v[i].end;
	}
	buf_put(&b, t.p + at, n - at);
	if (forged_results(buf_view(&b), ids, 2, &a).n)
		abort();
	arena_reset(&a);
	free(left);
	return 0;
}
