/* The MIME walker, and the extensions of the names that it finds: what it says of parts is true of
 * the message, and it says the same however the bytes are cut. */
#include "policy/message/extension.h"
#include "policy/message/mime.h"

#include "policy/message/utf8.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* Small enough to be met. */
static const struct mime_bounds bounds = {8, 40, 60, 300};

static const struct mime_facts *parse(struct arena *a, const char *p, size_t n, size_t piece)
{
	struct mime *m = mime_begin(a, &bounds);

	for (size_t at = 0; at < n; at += piece)
		mime_feed(m, p + at, n - at < piece ? n - at : piece);
	return mime_end(m);
}

static void check_part(const struct mime_facts *f, size_t i, size_t n)
{
	const struct mime_part *p = &f->parts[i];
	struct extension e[EXTENSION_READINGS];

	if (p->inside >= (int)i || p->inside < -1 || !p->encodings)
		abort();
	if (p->inside < 0 && (p->offset > n || p->length > n - p->offset))
		abort();
	if (p->depth > bounds.depth + 1)
		abort();
	for (const struct mime_text *t = p->names; t; t = t->next) {
		if (t->t.n == 0 || !utf8_is_valid(t->t))
			abort();
		extensions_of(t->t, e);
	}
}

static void compare(const struct mime_facts *a, const struct mime_facts *b)
{
	if (a->count != b->count || a->limits != b->limits || a->opaque != b->opaque ||
	    a->name_count != b->name_count)
		abort();
	for (size_t i = 0; i < a->count; i++) {
		const struct mime_part *x = &a->parts[i], *y = &b->parts[i];

		if (x->offset != y->offset || x->inside != y->inside || x->kinds != y->kinds ||
		    x->encodings != y->encodings)
			abort();
		/* what was open when a limit was met ends where the bytes do */
		if (a->limits == 0 && x->length != y->length)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const size_t piece = n > 0 ? data[0] % 61 + 1U : 1;
	struct arena a;

	arena_init(&a, NULL, NULL);
	const struct mime_facts *whole = parse(&a, (const char *)data, n, n + 1);

	if (whole->count > bounds.parts || whole->name_count > bounds.names)
		abort();
	for (size_t i = 0; i < whole->count; i++)
		check_part(whole, i, n);
	compare(whole, parse(&a, (const char *)data, n, piece));
	arena_reset(&a);
	return 0;
}
