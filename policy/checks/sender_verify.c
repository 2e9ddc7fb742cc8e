/* The sender's domain must be able to receive mail, or no answer ever reaches it: an MX whose host
 * has an address in the world, else an address of its own (RFC 5321 5.1); a null MX says itself
 * that it receives nothing (RFC 7505). */
#include "policy/check.h"
#include "policy/reachable.h"

/* Of a domain's MX records, in the order of the answer, so many are looked at; what the others are
 * nobody knows. */
enum { TARGETS_MAX = 5 };

static enum answer has_address(const struct session *s, const struct settings *set,
			       struct text name, uint16_t type)
{
	const struct dns_answer *a = s->world.ops->dns_await(s->world.self, s, name, type);

	for (size_t i = 0; a->status == DNS_OK && i < a->count; i++) {
		if (set->sender_verify.private_targets || ip_is_reachable(&a->records[i].ip))
			return ANSWER_YES;
	}
	return dns_known(a->status) ? ANSWER_NO : ANSWER_UNKNOWN;
}

static void start(const struct session *s, struct text name, uint16_t type)
{
	s->world.ops->dns_start(s->world.self, s, name, type);
}

/* Any of the names has an address.  The first IPv4 one decides nearly always, so the rest is asked
 * only when it doesn't, and then all at once. */
static enum answer any_address(const struct session *s, const struct settings *set,
			       const struct text *names, size_t n)
{
	enum answer answer = has_address(s, set, names[0], DNS_A);

	for (size_t i = 0; answer != ANSWER_YES && i < n; i++) {
		start(s, names[i], DNS_AAAA);
		start(s, names[i], DNS_A);
	}
	for (size_t i = 0; answer != ANSWER_YES && i < n; i++) {
		enum answer four = i ? has_address(s, set, names[i], DNS_A) : answer;
		enum answer six =
		    four == ANSWER_YES ? four : has_address(s, set, names[i], DNS_AAAA);

		if (six == ANSWER_YES)
			answer = six;
		else if (four == ANSWER_UNKNOWN || six == ANSWER_UNKNOWN)
			answer = ANSWER_UNKNOWN;
	}
	return answer;
}

static struct verdict judge(const struct session *s, const struct settings *set,
			    const struct text *names, size_t n, const char *what)
{
	const struct text domain = s->tx->from.domain;

	switch (n ? any_address(s, set, names, n) : ANSWER_NO) {
	case ANSWER_YES:
		return pass();
	case ANSWER_NO:
		return reject(REPLY_SENDER_UNVERIFIED, LIT(""),
			      fact(s, "%.*s %s", TEXT(domain), what));
	default:
		return no_answer(
		    set->sender_verify.unknown,
		    fact(s, "no answer to the question for the addresses of %.*s", TEXT(domain)));
	}
}

static struct verdict judge_mx(const struct session *s, const struct settings *set,
			       const struct dns_answer *mx)
{
	struct text names[TARGETS_MAX];
	size_t n = 0, i = 0;
	struct verdict v;

	for (; i < mx->count && n < TARGETS_MAX; i++) {
		if (!text_empty(mx->records[i].text) && dns_name_ok(mx->records[i].text))
			names[n++] = mx->records[i].text;
	}
	if (n == 0 && mx->count == 1 && text_empty(mx->records[0].text))
		return reject(REPLY_SENDER_NULL_MX, LIT(""),
			      fact(s, "%.*s has a null MX record", TEXT(s->tx->from.domain)));
	v = judge(s, set, names, n, "has no MX record whose host has an address");
	if (v.outcome == OUTCOME_REFUSE && i < mx->count)
		return undecided(fact(s,
				      "the first %zu of the %zu MX hosts of %.*s have no address",
				      n, mx->count, TEXT(s->tx->from.domain)));
	return v;
}

struct verdict check_sender_verify(const struct session *s, const struct settings *set)
{
	const struct text domain = s->tx->from.domain;
	const struct dns_answer *mx;

	if (s->tx->null_sender || s->tx->from.literal || text_empty(domain))
		return pass();
	mx = s->world.ops->dns_await(s->world.self, s, domain, DNS_MX);
	switch (mx->status) {
	case DNS_OK:
		return judge_mx(s, set, mx);
	case DNS_NODATA:
		return judge(s, set, &domain, 1, "has neither an MX record nor an address");
	case DNS_NXDOMAIN:
		return reject(REPLY_SENDER_UNVERIFIED, LIT(""),
			      fact(s, "there is no domain %.*s", TEXT(domain)));
	default:
		return no_answer(set->sender_verify.unknown,
				 fact(s, "no answer to the question for the MX records of %.*s: %s",
				      TEXT(domain), dns_status_text(mx->status)));
	}
}
