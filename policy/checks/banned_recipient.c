/* The recipient (also without its +tag), or its whole domain ("@example.net"), is on the list of
 * bans. */
#include "policy/listed.h"

static enum answer find(const struct session *s, struct list_entry *out)
{
	const struct mailbox *to = &s->rcpt->mailbox;
	struct text key = mailbox_key(to, &s->tx->arena);
	struct text untagged = mailbox_key_untagged(to, &s->tx->arena);
	enum answer a = ban_find(s, LIST_RECIPIENT, key, out);

	if (a == ANSWER_NO && !text_eq(key, untagged))
		a = ban_find(s, LIST_RECIPIENT, untagged, out);
	if (a == ANSWER_NO)
		a = ban_find(s, LIST_RECIPIENT, text_make(key.p + to->local.n, key.n - to->local.n),
			     out);
	return a;
}

struct verdict check_banned_recipient(const struct session *s, const struct settings *set)
{
	struct list_entry e;

	(void)set;
	switch (find(s, &e)) {
	case ANSWER_YES:
		return refuse_by_policy(REPLY_BANNED_RECIPIENT, s->rcpt->mailbox.whole,
					ban_fact(s, &e));
	case ANSWER_UNKNOWN:
		return ban_unknown();
	default:
		return pass();
	}
}
