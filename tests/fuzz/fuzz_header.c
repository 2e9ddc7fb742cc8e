/* The header section: the fields lie inside of it, in order, and nothing of the body is read. */
#include "policy/message/header.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void require(bool fact)
{
	if (!fact)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct text t = text_make((const char *)data, n);
	const struct header *h;
	const char *end = t.p;
	struct arena a;

	arena_init(&a, NULL, NULL);
	h = header_parse(t, 100, &a);
	require(h->size <= n && h->count <= 100);
	for (size_t i = 0; i < h->count; i++) {
		const struct header_field *f = &h->fields[i];

		require(f->whole.p >= end && f->name.p == f->whole.p && f->name.n > 0);
		require(f->body.p + f->body.n <= f->whole.p + f->whole.n);
		end = f->whole.p + f->whole.n;
		require(end <= t.p + h->size);
		require(header_find(h, f->name, NULL) <= f && header_count(h, f->name) > 0);
		require(header_unfold(f->body, &a).n <= f->body.n);
		reply_to_is_blank(f->body);
		header_name_valid(f->name);
	}
	arena_reset(&a);
	return 0;
}
