/* What the first reply of a conversation means for its next step. */
#include "policy/callout.h"

enum callout_refusal callout_refusal(const struct callout_reply *r)
{
	if (!strncmp(r->enhanced, "5.1.", 4) || !strcmp(r->enhanced, "5.2.1"))
		return CALLOUT_NO_SUCH_ADDRESS;
	if (r->enhanced[0])
		return CALLOUT_OTHER;
	return r->code == 550 || r->code == 551 || r->code == 553 ? CALLOUT_PERHAPS : CALLOUT_OTHER;
}

struct text callout_next(const struct callout *c)
{
	if (c->stage == CALLOUT_RCPT && c->first.code / 100 == 2)
		return c->if_taken;
	if (c->stage == CALLOUT_RCPT && c->first.code / 100 == 5 &&
	    callout_refusal(&c->first) == CALLOUT_PERHAPS)
		return c->if_unclear;
	return LIT("");
}
