/* Replies of a next hop, as a stream of lines: whatever it says, a reply ends, and what is kept of
 * it is short and printable. */
#include "worker/delivery/client_info.h"
#include "worker/delivery/response.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void require(bool fact)
{
	if (!fact)
		abort();
}

static void is_kept_well(const struct response *r)
{
	size_t enhanced = strlen(r->enhanced);

	require(r->code >= 200 && r->code <= 599);
	require(r->lines >= 1 && r->lines <= RESPONSE_LINES_MAX);
	require(r->text_n <= RESPONSE_TEXT_MAX);
	for (size_t i = 0; i < r->text_n; i++)
		require(r->text[i] >= ' ' && r->text[i] <= '~');
	require(enhanced == 0 || (enhanced >= 5 && r->enhanced[0] == '0' + r->code / 100));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct text stream = text_make((const char *)data, n);
	struct response r;

	response_start(&r);
	while (!text_empty(stream)) {
		struct text line, rest = {0};
		enum response_state state;

		text_split(stream, '\n', &line, &stream);
		if (line.n && line.p[line.n - 1] == '\r')
			line.n--;
		state = response_add_line(&r, line, &rest);
		if (state == RESPONSE_NONSENSE) {
			response_start(&r);
			continue;
		}
		is_kept_well(&r);
		require(rest.p >= line.p && rest.p + rest.n == line.p + line.n);
		client_info_attributes(rest);
		if (state == RESPONSE_COMPLETE)
			response_start(&r);
	}
	return 0;
}
