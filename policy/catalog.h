/* The catalog of replies (catalog.def).  No reply text stands anywhere else. */
#ifndef POLICY_CATALOG_H
#define POLICY_CATALOG_H

#include "shm/base/text.h"

enum reply_id {
#define REPLY(id, code, enhanced, text, meaning, remedy) REPLY_##id,
#include "policy/catalog.def"
#undef REPLY
	REPLY_COUNT
};

struct catalog_row {
	const char *id; /* "HELO_IS_IP" */
	short code;
	const char *enhanced; /* "5.7.1", "" where there is none */
	const char *text;     /* each %s takes a value */
	const char *meaning, *remedy;
};

const struct catalog_row *catalog_row(enum reply_id id);

#define CATALOG_VALUES 2
/* The text with its values filled in; values are cut so that the line stays a line and carry no
 * controls (they may come from the sender). */
void catalog_text(enum reply_id id, const struct text values[CATALOG_VALUES], struct buf *out);
/* One such value: a byte that isn't printable ASCII becomes '?', what is past `max` "...". */
void catalog_put_value(struct buf *out, struct text value, size_t max);

#endif
