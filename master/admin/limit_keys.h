/* Whom a limit counts, from what a person typed: the tags of the windows in the counter table. */
#ifndef MASTER_ADMIN_LIMIT_KEYS_H
#define MASTER_ADMIN_LIMIT_KEYS_H

#include "master/admin/tool.h"

/* One window of one limit, for one key. */
struct limit_window {
	const struct limit *limit;
	const struct rate *rate;
	enum limit_unit unit;
	uint64_t tag;
	const char *who; /* as the limit counts it: "192.0.2.0/24" */
};

/* Calls fn for each window of the limit that counts this key, until it returns non-zero; false if
 * the limit doesn't count such a key ("login" and an address of a client). */
bool limit_windows(const struct tool *t, const struct limit *l, const struct list_entry *key,
		   int (*fn)(const struct limit_window *w, void *arg), void *arg);

#endif
