/* Incidents: every refusal by policy has an id in its reply, "mx1-7KQ2-M4XD", with which `gatepost
 * explain` shows what decided, on what facts, and every other check that ran.
 *
 * A refusal that one client and check repeat within a minute or two is one incident with a count.
 */
#ifndef POLICY_INCIDENT_H
#define POLICY_INCIDENT_H

#include "policy/engine.h"

/* What an incident is made of besides the session's facts. */
struct refusal {
	int check;        /* enum check_id, or -1 */
	enum phase phase; /* in which it is spoken */
	enum cause cause;
	enum reply_id reply;
	short code;
	struct text enhanced;
	struct text text; /* without incident id and URL */
	struct text facts;
	struct text remedy; /* as of the verdict */
};

/* Hands the incident to the keeper, or the repetition of the one that is known; its id (40 bits,
 * not 0). */
uint64_t incident_record(const struct session *s, const struct refusal *r);

/* The text as it goes on the wire: "<text> [mx1-7KQ2-M4XD]", and where help-url is set (and the
 * line has room) " <help-url><token>".  In the check's arena. */
struct text incident_reply_text(const struct session *s, struct text text, uint64_t id);

/* The token of an incident's page: its id and 80 bits that only who has the key of the counter
 * table (it lives in state-dir) can compute, so nothing has to be stored for it, a repeated refusal
 * shows the same one, and it can be checked: 24 characters of Crockford's base 32. */
#define INCIDENT_TOKEN_LENGTH 24
struct text incident_token(const struct session *s, uint64_t id,
			   char dst[INCIDENT_TOKEN_LENGTH + 1]);

#endif
