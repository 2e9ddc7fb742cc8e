/* Rate limits: `limit "name" { by, on, connections, messages, recipients, bytes }`.
 *
 * Any number of limits with any number of windows hold at once.  All are judged before any is
 * charged; a refused attempt charges none, or a queue that retries would never get out.  N/P is a
 * bucket of N that refills N per P (shm/limit.h). */
#ifndef POLICY_LIMITS_H
#define POLICY_LIMITS_H

#include "policy/check.h"

/* What is about to happen; each moment has its units. */
enum limit_moment {
	MOMENT_CONNECT, /* a connection */
	MOMENT_MAIL,    /* a message of a login: judged early, charged at RCPT */
	MOMENT_RCPT, /* a recipient, and with the first a message (SIZE= is judged as bytes, early)
		      */
	MOMENT_MESSAGE, /* tx->size bytes */
};

/* Judges all windows: pass, or the refusal of the first full one in the order of the configuration.
 * Each full one is noted as fired (EVENT_LIMIT). */
struct verdict limits_judge(const struct session *s, enum limit_moment moment);

/* Charges what limits_judge judged. */
void limits_charge(const struct session *s, enum limit_moment moment);

/* What is counted, for the tool: the tag of a window is counter_tag(TABLE_GCRA, space, key). */
#define LIMIT_SPACE_MAX 160
/* "client messages 3600s": the name of the limit, the unit and the window's period, so that a
 * changed number goes on with the same bucket. */
struct text limit_space(const struct limit *l, enum limit_unit unit, const struct rate *r,
			char dst[LIMIT_SPACE_MAX]);

#define LIMIT_KEY_MAX 330
/* Whom a limit counts here: the masked address (16 bytes and the length), the sender without +tag,
 * a domain or a login, all in lower case; false: the limit does not apply.  *out points into dst.
 */
bool limit_key(const struct session *s, const struct limit *l, char dst[LIMIT_KEY_MAX],
	       struct text *out);

#endif
