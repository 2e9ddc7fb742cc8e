/* The words for causes and outcomes. */
#include "policy/verdict.h"

const char *cause_name(enum cause c)
{
	static const char *const names[] = {
	    [CAUSE_POLICY] = "policy",
	    [CAUSE_SENDER] = "sender",
	    [CAUSE_OURS] = "ours",
	};

	return names[c];
}

const char *outcome_name(enum outcome o)
{
	static const char *const names[] = {
	    [OUTCOME_NOT_RUN] = "not-asked",
	    [OUTCOME_PASS] = "pass",
	    [OUTCOME_REFUSE] = "refuse",
	    [OUTCOME_UNDECIDED] = "undecided",
	};

	return names[o];
}
