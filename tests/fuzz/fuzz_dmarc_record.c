/* DMARC records (policy/dmarc.h): whatever stands in the DNS. */
#include "policy/dmarc.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct dmarc_record r;

	if (!dmarc_record_parse(text_make((const char *)data, n), &r))
		return 0;
	if (n < 8 || (unsigned)r.p > DMARC_POLICY_REJECT || (unsigned)r.sp > DMARC_POLICY_REJECT ||
	    (unsigned)r.np > DMARC_POLICY_REJECT)
		abort();
	return 0;
}
