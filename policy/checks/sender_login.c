/* MAIL FROM of who has logged in must belong to the login (`bind-sender`).
 *
 * That is: the login's own address, also with a +tag, and what its entry names.  The null sender is
 * everybody's: notifications that were read, and bounces, are sent from it. */
#include "policy/check.h"

static bool in_list(struct text list, struct text address, struct text domain)
{
	while (list.n) {
		struct text one;

		text_split(list, '\n', &one, &list);
		if (one.n && one.p[0] == '@' ? text_ieq(text_make(one.p + 1, one.n - 1), domain)
					     : one.n && text_ieq(one, address))
			return true;
	}
	return false;
}

/* A login without a domain is that name at any domain of ours. */
static bool is_own(const struct session *s, struct text address, struct text local)
{
	if (text_find(s->login, '@') < s->login.n)
		return text_ieq(s->login, address);
	return text_ieq(s->login, local) && config_domain(s->config, s->tx->from.domain);
}

struct verdict check_sender_login(const struct session *s, const struct settings *set)
{
	const struct transaction *tx = s->tx;

	(void)set;
	if (!s->config->auth.bind_sender || text_empty(s->login) || tx->null_sender)
		return pass();
	const struct text address = mailbox_key(&tx->from, check_arena(s));
	const struct text untagged = mailbox_key_untagged(&tx->from, check_arena(s));

	if (is_own(s, address, tx->from.local) ||
	    is_own(s, untagged, local_without_tag(tx->from.local)) ||
	    in_list(s->login_senders, address, tx->from.domain) ||
	    in_list(s->login_senders, untagged, tx->from.domain))
		return pass();
	return refuse_by_policy(REPLY_SENDER_NOT_OF_LOGIN, LIT(""),
				fact(s, "%.*s has logged in, %.*s is none of its addresses",
				     TEXT(s->login), TEXT(address)));
}
