/* Our own list says that the recipient does not exist.  Only where the domain has `recipients =
 * list`; a list that is empty or was never loaded says nothing: then the next hop is asked
 * (recipient_verify). */
#include "policy/check.h"

static struct verdict list_unknown(const struct settings *set)
{
	struct text why = LIT("the domain's list is empty or can't be read");

	if (set->unknown_recipient.unknown == UNKNOWN_DEFER)
		return deferred(DEFERRAL_LOCAL, why);
	return undecided(why);
}

struct verdict check_unknown_recipient(const struct session *s, const struct settings *set)
{
	const struct recipient *r = s->rcpt;
	struct verdict v;

	if (!r->domain || r->domain->set.recipients != RECIPIENTS_LIST)
		return pass();
	switch (s->world.ops->recipient(s->world.self, r->mailbox.domain, r->mailbox.local)) {
	case ANSWER_YES:
		return pass_because(LIT("on the list"));
	case ANSWER_NO:
		v = reject(REPLY_UNKNOWN_RECIPIENT, LIT(""),
			   fact(s, "%.*s is not on the list", TEXT(r->mailbox.whole)));
		v.no_such_recipient = true;
		return v;
	default:
		return list_unknown(set);
	}
}
