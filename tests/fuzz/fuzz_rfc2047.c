/* Encoded words: valid UTF-8 within its bound comes out, whatever goes in. */
#include "policy/message/rfc2047.h"

#include "policy/message/utf8.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	size_t max = n > 0 ? data[0] * 4U : 0;
	struct arena a;

	arena_init(&a, NULL, NULL);
	struct text t = rfc2047_decode(text_make((const char *)data, n), max, &a);
	if (t.n > max || !utf8_is_valid(t))
		abort();
	arena_reset(&a);
	return 0;
}
