/* Message bytes: cut in two anywhere they give what they give whole, and nothing that leaves could
 * be read as another line end than CR LF.  The first byte says DATA or BDAT, the second where to
 * cut. */
#include "worker/smtp/body.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct out {
	char *p;
	size_t n, cap;
};

static void require(bool fact)
{
	if (!fact)
		abort();
}

static void collect(void *arg, const char *p, size_t n)
{
	struct out *o = arg;

	require(n > 0 && o->n + n <= o->cap);
	memcpy(o->p + o->n, p, n);
	o->n += n;
}

static size_t feed(const char *p, size_t n, size_t cut, bool dots, struct out *o, struct body *b)
{
	size_t used;

	*o = (struct out){.p = malloc(2 * n + 2), .cap = 2 * n + 2};
	require(o->p != NULL);
	body_init(b, dots, collect, o);
	used = cut ? body_feed(b, p, cut) : 0;
	if (!body_ended(b) && cut < n)
		used += body_feed(b, p + cut, n - cut);
	if (!body_ended(b)) {
		require(used == n);
		body_finish(b);
	}
	return used;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct out whole, parts;
	struct body a, b;

	if (n < 3)
		return 0;
	const char *p = (const char *)data + 2;
	const bool dots = data[0] & 1;
	const size_t used = feed(p, n - 2, n - 2, dots, &whole, &a);

	require(feed(p, n - 2, data[1] % (n - 2), dots, &parts, &b) == used);
	require(parts.n == whole.n && memcmp(parts.p, whole.p, whole.n) == 0 && a.bare == b.bare);
	for (size_t i = 0; i < whole.n; i++) {
		require(whole.p[i] != '\0');
		require(whole.p[i] != '\r' || (i + 1 < whole.n && whole.p[i + 1] == '\n'));
		require(whole.p[i] != '\n' || (i > 0 && whole.p[i - 1] == '\r'));
	}
	if (body_ended(&a))
		require(used >= 3 && memcmp(p + used - 3, ".\r\n", 3) == 0 &&
			(used == 3 || (used >= 5 && memcmp(p + used - 5, "\r\n", 2) == 0)));
	free(whole.p);
	free(parts.p);
	return 0;
}
