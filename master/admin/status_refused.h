/* Which checks refuse how much: for `gatepost status`. */
#ifndef MASTER_ADMIN_STATUS_REFUSED_H
#define MASTER_ADMIN_STATUS_REFUSED_H

#include "master/admin/tool.h"
#include "policy/check.h"

struct refused_by {
	uint64_t by[CHECK_COUNT + 1]; /* the last: no check, but the protocol or the next hop */
	bool cut;                     /* there were more incidents than were looked at */
};

/* The incidents of the last hour with their repetitions, as far as the keeper has written them.
 * False: said. */
bool refused_last_hour(struct tool *t, struct refused_by *out);
void refused_print(const struct refused_by *r);
/* As an object: {"dnsbl": 31020, ...}. */
void refused_print_json(const struct refused_by *r);

#endif
