/* DNS lists that know the client, its HELO name or the sender's domain: each adds its weight, and
 * the sum refuses from `threshold` on.  The reply names the heaviest, the first of equals.  A list
 * that allows beats them all. */
#include "policy/dnsbl.h"

#include "policy/check.h"
#include "shm/segment.h"

enum { FACTS_MAX = 600 };

/* The weights of some lists, and the heaviest. */
struct sum {
	int64_t weight;
	const struct dnsbl *heaviest;
};

struct tally {
	const struct session *s;
	struct sum counted, noted; /* noted: by lists that are only monitored */
	int64_t silent;            /* weights of lists without an answer */
	bool allowed, allow_silent;
	bool new_client;
	char text[FACTS_MAX];
	struct buf facts;
};

static void add(struct sum *sum, const struct dnsbl *d)
{
	if (!sum->heaviest || d->set.weight > sum->heaviest->set.weight)
		sum->heaviest = d;
	sum->weight += d->set.weight;
}

static void put_fact(struct tally *t, const struct dnsbl *d, const struct ip *code,
		     enum dnsbl_about about)
{
	static const char *const abouts[] = {"", " for HELO", " for the sender's domain"};
	char shown[IP_TEXT_MAX];

	buf_printf(&t->facts, "%s%.*s says %s%s (%s %d)", t->facts.n ? "; " : "", TEXT(d->set.name),
		   ip_format(code, shown), abouts[about],
		   d->set.allow ? "allowed, weight" : "weight", (int)d->set.weight);
	if (!text_empty(d->set.url))
		buf_printf(&t->facts, ", see %.*s", TEXT(d->set.url));
}

/* Asks one list about all that it is for; YES with the first listing. */
static enum answer ask(struct tally *t, const struct dnsbl *d)
{
	const struct world *w = &t->s->world;
	enum answer answer = ANSWER_NO;
	char room[DNS_NAME_SIZE];

	for (int about = 0; about < ABOUT_COUNT; about++) {
		struct text name = dnsbl_name(t->s, d, (enum dnsbl_about)about, room);

		/* Who is good is said of a domain by its mail, not by a name that anybody may say.
		 */
		if (text_empty(name) || (d->set.allow && about == ABOUT_HELO))
			continue;
		const struct dns_answer *a = w->ops->dns_await(w->self, t->s, name, DNS_A);
		const struct ip *code = dnsbl_listing(d, a);

		if (code) {
			put_fact(t, d, code, (enum dnsbl_about)about);
			return ANSWER_YES;
		}
		if (!dns_known(a->status))
			answer = ANSWER_UNKNOWN;
	}
	return answer;
}

static void tally_list(struct tally *t, const struct dnsbl *d)
{
	const bool enforced = d->set.mode == MODE_ENFORCE;
	const enum answer answer = ask(t, d);

	if (t->new_client && !d->set.allow && answer != ANSWER_UNKNOWN)
		dnsbl_count(t->s, d, answer == ANSWER_YES);
	/* It may be set aside: for what it lists, or since it was asked. */
	if (dnsbl_state(&t->s->world, d) != DNSBL_GOOD)
		return;
	if (answer == ANSWER_YES && d->set.allow)
		t->allowed = t->allowed || enforced;
	else if (answer == ANSWER_YES)
		add(enforced ? &t->counted : &t->noted, d);
	else if (answer == ANSWER_UNKNOWN && enforced && d->set.allow)
		t->allow_silent = true;
	else if (answer == ANSWER_UNKNOWN && enforced)
		t->silent += d->set.weight;
}

static struct text facts_of(struct tally *t)
{
	return arena_text(check_arena(t->s), buf_view(&t->facts));
}

static struct verdict refuse(struct tally *t, const struct dnsbl *heaviest)
{
	return reject(REPLY_DNSBL, heaviest->set.name, facts_of(t));
}

static struct verdict judge(struct tally *t, const struct dnsbl_settings *set)
{
	struct verdict v = pass();

	if (t->allowed)
		return pass_because(facts_of(t));
	if (t->counted.weight >= set->threshold && t->allow_silent)
		/* A list that might have allowed it is away: that is ours, and no reason to take
		 * what others list. */
		return deferred(DEFERRAL_DNS,
				fact(t->s, "no answer of a list that allows; else: %.*s",
				     TEXT(buf_view(&t->facts))));
	if (t->counted.heaviest && t->counted.weight >= set->threshold)
		return refuse(t, t->counted.heaviest);
	if (t->counted.weight + t->silent >= set->threshold)
		return no_answer(set->unknown,
				 fact(t->s, "no answer of lists that would decide%s%.*s",
				      t->facts.n ? "; " : "", TEXT(buf_view(&t->facts))));
	if (t->noted.heaviest && t->counted.weight + t->noted.weight >= set->threshold) {
		v = refuse(t, t->noted.heaviest);
		v.noted = true;
	} else if (t->facts.n) {
		v = pass_because(facts_of(t));
	}
	return v;
}

struct verdict check_dnsbl(const struct session *s, const struct settings *set)
{
	struct tally t = {.s = s};

	if (s->config->dnsbl_count == 0)
		return pass();
	t.facts = buf_over(t.text, sizeof(t.text));
	t.new_client = dnsbl_is_new_client(s);
	for (size_t i = 0; i < s->config->dnsbl_count; i++) {
		if (dnsbl_is_asked(s, &s->config->dnsbls[i]))
			tally_list(&t, &s->config->dnsbls[i]);
	}
	if (t.counted.heaviest)
		s->world.ops->count(s->world.self, METRIC_dnsbl_listed, 1);
	return judge(&t, &set->dnsbl);
}
