/* Reading a reply (worker/delivery/response_read.h). */
#include "worker/delivery/response_read.h"

enum conn_result response_read(struct conn *c, int64_t deadline_us, struct response *r,
			       void (*each)(void *arg, struct text line), void *arg, bool *nonsense)
{
	enum response_state state;

	response_start(r);
	*nonsense = false;
	do {
		struct text line, rest;
		enum conn_result got = conn_getline(c, &line, RESPONSE_LINE_MAX, deadline_us);

		if (got != CONN_OK) {
			r->code = 0;
			return got;
		}
		state = response_add_line(r, line, &rest);
		if (each && state != RESPONSE_NONSENSE && r->lines > 1)
			each(arg, rest);
	} while (state == RESPONSE_MORE);
	*nonsense = state == RESPONSE_NONSENSE;
	if (*nonsense)
		r->code = 0;
	return CONN_OK;
}
