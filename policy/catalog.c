/* The rows of catalog.def, and the text of a reply with its values filled in. */
#include "policy/catalog.h"

#include <assert.h>

static const struct catalog_row rows[REPLY_COUNT] = {
#define REPLY(id, code, enhanced, text, meaning, remedy)                                           \
	[REPLY_##id] = {#id, code, enhanced, text, meaning, remedy},
#include "policy/catalog.def"
#undef REPLY
};

/* A reply line has 512 octets (RFC 5321 4.5.3.1.5), and the incident and the URL want their share.
 */
enum { VALUE_SHOWN_MAX = 200 };

const struct catalog_row *catalog_row(enum reply_id id)
{
	assert((unsigned)id < REPLY_COUNT);
	return &rows[id];
}

void catalog_put_value(struct buf *out, struct text value, size_t max)
{
	bool cut = value.n > max;
	size_t n = cut ? max : value.n;

	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)value.p[i];

		buf_char(out, c < 0x20 || c >= 0x7f ? '?' : (char)c);
	}
	if (cut)
		buf_put(out, "...", 3);
}

void catalog_text(enum reply_id id, const struct text values[CATALOG_VALUES], struct buf *out)
{
	const char *p = catalog_row(id)->text;
	unsigned used = 0;

	for (; *p; p++) {
		if (p[0] == '%' && p[1] == 's') {
			if (used < CATALOG_VALUES)
				catalog_put_value(out, values[used++], VALUE_SHOWN_MAX);
			p++;
		} else {
			buf_char(out, *p);
		}
	}
}
