/* What the two checks on restricted characters share. */
#ifndef POLICY_RESTRICTED_H
#define POLICY_RESTRICTED_H

#include "policy/check.h"

/* Why the local part (judged without its quotes) is refused, in the check's arena; empty: it isn't.
 */
struct text restricted_reason(const struct session *s, const struct mailbox *m,
			      struct text characters, bool leading_dot, bool blanks);

#endif
