/* PROXY headers: whatever comes, the answer for the whole is that for its prefixes, and a header
 * never reaches past what was given. */
#include "worker/smtp/proxy.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void require(bool fact)
{
	if (!fact)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const struct text t = text_make((const char *)data, n);
	struct proxy_header whole, part;
	const enum proxy_result r = proxy_parse(t, &whole);

	if (r == PROXY_DONE)
		require(whole.length > 0 && whole.length <= n);
	for (size_t i = 0; i < n && i < 300; i++) {
		switch (proxy_parse(text_make(t.p, i), &part)) {
		case PROXY_DONE:
			require(r == PROXY_DONE && part.length == whole.length &&
				ip_eq(&part.client, &whole.client) && part.local == whole.local);
			break;
		case PROXY_BAD:
			require(r == PROXY_BAD);
			break;
		case PROXY_MORE:
			break;
		}
	}
	return 0;
}
