/* The recipient, or its whole domain ("@example.net"), is on the list of bans. */
#include "policy/listed.h"

struct verdict check_banned_recipient(const struct session *s, const struct settings *set)
{
	const struct mailbox *to = &s->rcpt->mailbox;
	struct text key = mailbox_key(to, &s->tx->arena);
	struct list_entry e;
	enum answer a;

	(void)set;
	a = ban_find(s, LIST_RECIPIENT, key, &e);
	if (a == ANSWER_NO)
		a = ban_find(s, LIST_RECIPIENT, text_make(key.p + to->local.n, key.n - to->local.n),
			     &e);
	if (a == ANSWER_YES)
		return refuse_by_policy(REPLY_BANNED_RECIPIENT, to->whole, ban_fact(s, &e));
	return a == ANSWER_UNKNOWN ? ban_unknown() : pass();
}
