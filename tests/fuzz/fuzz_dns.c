/* Answers of the DNS: read or called malformed; what is read lies inside its block.  The first two
 * bytes are the type, the next one says how much of the rest is the name that was asked for. */
#include "worker/io/dns_message.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* Touches all of it, for the sanitizer. */
static unsigned sum(struct text t)
{
	unsigned all = 0;

	for (size_t i = 0; i < t.n; i++)
		all += (unsigned char)t.p[i];
	return all;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	unsigned all = 0;

	if (n < 3 || n < 3U + data[2])
		return 0;
	const uint16_t type = (uint16_t)(data[0] << 8 | data[1]);
	const struct text name = text_make((const char *)data + 3, data[2]);
	if (!dns_name_ok(name) || name.p[name.n - 1] == '.')
		return 0;
	struct dns_answer *a = dns_message_read(data + 3 + name.n, n - 3 - name.n, name, type);
	if (!a)
		return 0;
	if ((a->status == DNS_OK) != (a->count > 0) || !dns_status_text(a->status))
		abort();
	for (size_t i = 0; i < a->count; i++)
		all += sum(a->records[i].text) + a->records[i].ip.b[15];
	all += sum(a->name) + sum(a->wire);
	free(a);
	static volatile unsigned last; /* so that nothing is left out */
	last = all;
	(void)last;
	return 0;
}
