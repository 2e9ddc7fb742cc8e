/* From: (policy/message/author.h): one domain that is one, or none, and never much memory. */
#include "policy/message/author.h"

#include "policy/message/address.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct author author;
	struct arena a;

	arena_init(&a, NULL, NULL);
	author = author_parse(text_make((const char *)data, n), &a);
	if ((author.status == AUTHOR_ONE) != (author.domain.n > 0))
		abort();
	if (author.domain.n && author.domain.p[0] != '[' && !domain_is_valid(author.domain))
		abort();
	if (author.mailboxes > n)
		abort();
	arena_reset(&a);
	return 0;
}
