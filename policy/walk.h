/* Running checks and judging what they said: modes, exemptions, who is never judged.  For the
 * engine, not for checks. */
#ifndef POLICY_WALK_H
#define POLICY_WALK_H

#include "policy/check.h"

/* Own clients skip the checks on strangers; mail to postmaster and abuse skips all on the sender.
 */
bool walk_skips(const struct session *s, enum check_id id, bool is_role);

/* The mode in force.  The global mode `monitor` refuses nothing of policy.  What the protocol asks
 * for isn't policy; nor is what the next hop says of a recipient: taken against its word, the
 * message could never be delivered. */
enum check_mode walk_mode(const struct session *s, enum check_id id, const struct settings *set);

/* Runs the checks of a phase before RCPT with the base's settings, for what holds for every
 * recipient. */
void walk_phase(struct session *s, enum phase phase);

/* Forgets the verdicts of this phase and later ones, and runs earlier ones again whose texts went
 * with the last transaction.  At MAIL. */
void walk_forget(struct session *s, enum phase from);

/* The verdict of a check under these settings: the one kept, where it ran with the same options,
 * else it runs now.  NULL: off, or skipped.  `now_us` is 0 at first, and then for the next one. */
struct check_run *walk_verdict(struct session *s, enum check_id id, const struct settings *set,
			       bool is_role, int64_t *now_us);

/* Keeps a verdict that the engine had itself (limits at other moments than RCPT). */
struct check_run *walk_keep(struct session *s, enum check_id id, const struct settings *set,
			    struct verdict v);

/* Does this verdict refuse: 4xx or 5xx, enforced under these settings, not exempt?  Looks
 * exemptions up only now, notes and counts what monitor mode let pass. */
bool walk_refuses(struct session *s, enum check_id id, const struct settings *set);

/* Both at once, for a check that isn't judged at RCPT or at the end of data. */
bool walk_refuses_now(struct session *s, enum check_id id, const struct settings *set);

#endif
