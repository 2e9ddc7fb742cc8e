/* The client's name.  Only one that points back is believed: whoever owns an address may write any
 * name into its PTR record. */
#include "policy/host.h"

/* An address with more names than that is a web host's; RFC 7208 5.5 stops at ten. */
enum { NAMES_MAX = 5 };

struct names {
	struct text v[NAMES_MAX];
	size_t n;
};

bool host_is_asked(const struct session *s, const struct settings *set)
{
	const bool wanted =
	    check_mode(CHECK_reverse_dns, set) != MODE_OFF || set->dmarc.trusted_forwarders.n > 0;

	return wanted && !s->own && !client_is_proxy(s);
}

static uint16_t address_type(const struct session *s)
{
	return ip_is4(&s->client) ? DNS_A : DNS_AAAA;
}

/* Those that are host names; all are asked for at once.  They live in the answer. */
static struct names ask_names(const struct session *s, const struct dns_answer *ptr)
{
	const struct world *w = &s->world;
	struct names names = {.n = 0};

	for (size_t i = 0; i < ptr->count && names.n < NAMES_MAX; i++) {
		if (!domain_is_valid(ptr->records[i].text) || !dns_name_ok(ptr->records[i].text))
			continue;
		names.v[names.n] = ptr->records[i].text;
		w->ops->dns_start(w->self, s, names.v[names.n++], address_type(s));
	}
	return names;
}

static bool points_back(const struct session *s, const struct dns_answer *a)
{
	for (size_t i = 0; a->status == DNS_OK && i < a->count; i++) {
		if (ip_eq(&a->records[i].ip, &s->client))
			return true;
	}
	return false;
}

static enum host_state confirm(struct session *s, const struct names *names)
{
	enum host_state state = HOST_UNCONFIRMED;

	for (size_t i = 0; i < names->n; i++) {
		const struct dns_answer *a =
		    s->world.ops->dns_await(s->world.self, s, names->v[i], address_type(s));

		if (points_back(s, a)) {
			s->host = arena_text(s->arena, names->v[i]);
			return HOST_CONFIRMED;
		}
		if (!dns_known(a->status))
			state = HOST_UNSURE;
	}
	return state;
}

static const struct dns_answer *await_ptr(const struct session *s)
{
	char name[DNS_NAME_SIZE];

	return s->world.ops->dns_await(s->world.self, s, dns_reverse_name(&s->client, name),
				       DNS_PTR);
}

void host_prepare(const struct session *s, const struct settings *set)
{
	if (s->host_state == HOST_NOT_ASKED && host_is_asked(s, set))
		ask_names(s, await_ptr(s));
}

static enum host_state ask(struct session *s)
{
	const struct dns_answer *ptr = await_ptr(s);
	struct names names;

	if (!dns_known(ptr->status))
		return HOST_NO_ANSWER;
	if (ptr->status != DNS_OK || ptr->count == 0)
		return HOST_NONE;
	names = ask_names(s, ptr);
	s->ptr = arena_text(s->arena, ptr->records[0].text);
	return confirm(s, &names);
}

/* A ban stands whatever the name is; who wasn't banned may be by name. */
static void judge_again(struct session *s, enum check_id id)
{
	if (run_outcome(&s->runs[id]) != OUTCOME_REFUSE)
		s->runs[id] = (struct check_run){0};
}

void host_learn(struct session *s, const struct settings *set)
{
	if (s->host_state != HOST_NOT_ASKED || !host_is_asked(s, set))
		return;
	s->host_state = ask(s);
	if (s->host_state != HOST_CONFIRMED)
		return;
	judge_again(s, CHECK_banned_client);
	judge_again(s, CHECK_banned_domain);
}
