/* The mail server of the sender's domain says that there is no such address: it is asked as a
 * bounce would ask it, MAIL FROM:<> and RCPT TO:<sender>.
 *
 * Last of all that is asked, and only where nothing else has refused: it costs a stranger's
 * server a connection.  Off by default for the same reason. */
#include "policy/check.h"
#include "policy/reachable.h"
#include "policy/verify.h"

/* Of a domain's MX hosts so many are looked up, and of each so many addresses are tried. */
enum { HOSTS_MAX = 3, ADDRESSES_MAX = 2 };

struct targets {
	const struct session *s;
	bool private_targets;
	struct callout_target v[CALLOUT_TARGETS_MAX];
	size_t n;
};

static const struct dns_answer *await(const struct session *s, struct text name, uint16_t type)
{
	return s->world.ops->dns_await(s->world.self, s, name, type);
}

static bool add_addresses(struct targets *t, struct text host, uint16_t type)
{
	const struct dns_answer *a = await(t->s, host, type);
	unsigned added = 0;

	for (size_t i = 0; a->status == DNS_OK && i < a->count && added < ADDRESSES_MAX; i++) {
		const struct ip *ip = &a->records[i].ip;

		if (t->n == CALLOUT_TARGETS_MAX || (!t->private_targets && !ip_is_reachable(ip)))
			continue;
		t->v[t->n++] = (struct callout_target){*ip, host};
		added++;
	}
	return added > 0;
}

/* By preference, those that have names; as they come in the answer otherwise. */
static size_t choose_hosts(const struct dns_answer *mx, struct text hosts[HOSTS_MAX])
{
	bool taken[64] = {false};
	const size_t all = mx->count < 64 ? mx->count : 64;
	size_t n = 0;

	for (; n < HOSTS_MAX; n++) {
		size_t best = all;

		for (size_t i = 0; i < all; i++) {
			const struct dns_record *r = &mx->records[i];

			if (!taken[i] && !text_empty(r->text) && dns_name_ok(r->text) &&
			    (best == all || r->preference < mx->records[best].preference))
				best = i;
		}
		if (best == all)
			break;
		taken[best] = true;
		hosts[n] = mx->records[best].text;
	}
	return n;
}

static void find_targets(struct targets *t)
{
	const struct session *s = t->s;
	const struct dns_answer *mx = await(s, s->tx->from.domain, DNS_MX);
	struct text hosts[HOSTS_MAX] = {s->tx->from.domain};
	size_t n = mx->status == DNS_NODATA;

	if (mx->status == DNS_OK)
		n = choose_hosts(mx, hosts);
	for (size_t i = 0; i < n; i++)
		s->world.ops->dns_start(s->world.self, s, hosts[i], DNS_A);
	for (size_t i = 0; i < n; i++) {
		if (!add_addresses(t, hosts[i], DNS_A))
			add_addresses(t, hosts[i], DNS_AAAA);
	}
}

/* Addresses outside ASCII would need a server that takes them. */
static bool can_be_asked(const struct session *s)
{
	const struct mailbox *from = &s->tx->from;

	return !s->tx->null_sender && !from->literal && !from->utf8 && !text_empty(from->domain) &&
	       !config_domain(s->config, from->domain);
}

static struct verdict judge(const struct verify_result *r, int unknown)
{
	switch (r->answer.said) {
	case VERIFY_TAKES:
	case VERIFY_ANYTHING:
		return pass_because(r->facts);
	case VERIFY_REFUSES:
		return reject(REPLY_SENDER_REFUSED, LIT(""), r->facts);
	case VERIFY_LATER:
	case VERIFY_SILENT:
		return unknown == NO_ANSWER_DEFER ? deferred(DEFERRAL_LOCAL, r->facts)
						  : undecided(r->facts);
	default:
		return undecided(r->facts);
	}
}

struct verdict check_sender_callout(const struct session *s, const struct settings *set)
{
	const struct sender_callout_settings *o = &set->sender_callout;
	const struct verify_rules rules = {
	    .kind = VERIFIED_SENDER,
	    .positive_us = o->positive,
	    .negative_us = o->negative,
	    .retry_us = o->retry,
	    .rate = &o->rate,
	    .wait_us = o->timeout,
	};
	struct targets t = {.s = s, .private_targets = set->sender_verify.private_targets};
	struct callout c = {.address = s->tx->from.whole,
			    .port = (uint16_t)o->port,
			    .private_targets = t.private_targets,
			    .timeout_us = o->timeout};
	struct verify_result r;

	if (!can_be_asked(s))
		return pass();
	find_targets(&t);
	if (t.n == 0)
		return undecided(fact(s, "%.*s has no mail server that could be asked",
				      TEXT(s->tx->from.domain)));
	c.targets = t.v;
	c.target_count = t.n;
	c.if_unclear = fact(s, "postmaster@%.*s", TEXT(s->tx->from.domain));
	r = verify(s, &rules, mailbox_key(&s->tx->from, &s->tx->arena), s->tx->from.domain, &c);
	return judge(&r, o->unknown);
}
