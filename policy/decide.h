/* From a verdict to the reply: codes, text, soft mode, incident.  The engine's own. */
#ifndef POLICY_DECIDE_H
#define POLICY_DECIDE_H

#include "policy/engine.h"

struct decision decide_pass(void);

/* The refusal that a check's verdict (REFUSE, or UNDECIDED with a deferral) comes to when it is
 * spoken in `phase`. */
struct decision decide_refusal(struct session *s, enum check_id id, const struct verdict *said,
			       enum phase phase);

#endif
