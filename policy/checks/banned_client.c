/* The client's address, its network or its forward-confirmed name is on the list of bans. */
#include "policy/listed.h"

static struct verdict refuse_client(const struct session *s, const struct list_entry *e)
{
	struct verdict v = refuse_by_policy(REPLY_BANNED_CLIENT, s->client_text, ban_fact(s, e));

	v.at_connect = e->at_connect;
	return v;
}

struct verdict check_banned_client(const struct session *s, const struct settings *set)
{
	struct list_entry e;
	enum answer by_address, by_name = ANSWER_NO;

	(void)set;
	if (client_is_proxy(s))
		return pass_because(LIT("a proxy of ours"));
	by_address = ban_find(s, LIST_CLIENT, LIT(""), &e);
	if (by_address == ANSWER_YES)
		return refuse_client(s, &e);
	if (!text_empty(s->host))
		by_name = ban_find(s, LIST_HOST, s->host, &e);
	if (by_name == ANSWER_YES)
		return refuse_client(s, &e);
	return by_address == ANSWER_UNKNOWN || by_name == ANSWER_UNKNOWN ? ban_unknown() : pass();
}
