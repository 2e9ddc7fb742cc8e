/* The sender's address (also without its +tag) or login is on the list of bans. */
#include "policy/listed.h"

static struct verdict refuse_sender(const struct session *s, struct text shown,
				    const struct list_entry *e)
{
	return refuse_by_policy(REPLY_BANNED_ADDRESS, shown, ban_fact(s, e));
}

struct verdict check_banned_address(const struct session *s, const struct settings *set)
{
	struct mailbox *from = &s->tx->from;
	enum answer a = ANSWER_NO, b = ANSWER_NO;
	struct list_entry e;
	struct text key, untagged;

	(void)set;
	if (!text_empty(s->login)) {
		a = ban_find(s, LIST_LOGIN, s->login, &e);
		if (a == ANSWER_YES)
			return refuse_sender(s, s->login, &e);
	}
	if (s->tx->null_sender)
		return a == ANSWER_UNKNOWN ? ban_unknown() : pass();
	key = mailbox_key(from, &s->tx->arena);
	b = ban_find(s, LIST_ADDRESS, key, &e);
	if (b == ANSWER_NO) {
		untagged = mailbox_key_untagged(from, &s->tx->arena);
		if (!text_eq(key, untagged))
			b = ban_find(s, LIST_ADDRESS, untagged, &e);
	}
	if (b == ANSWER_YES)
		return refuse_sender(s, from->whole, &e);
	return a == ANSWER_UNKNOWN || b == ANSWER_UNKNOWN ? ban_unknown() : pass();
}
