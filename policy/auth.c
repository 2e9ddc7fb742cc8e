/* Counting logins that fail.
 *
 * In the counter table, all of TABLE_MARK:
 *
 *   auth pair     client, login, secret   one bit: seen lately
 *   auth hidden   client, login           tally: failures without a secret to tell them by
 *   auth part     client, login           tally: pairs of that login within the client's period
 *   auth count    client                  tally: pairs, logins
 *   auth blocks   client                  how often it was blocked, for the doubling
 *   auth login    login                   tally: pairs, from all clients
 *   auth known    client, login           one bit: has succeeded while others failed
 *
 * "auth part" carries the end of the client's period, so that a success takes nothing away from
 * another one. */
#include "policy/auth.h"

#include "policy/listed.h"
#include "policy/mark.h"
#include "shm/base/clock.h"
#include "shm/segment.h"

/* A longer login is cut, which makes it no other's: nobody has such a one. */
enum { LOGIN_MAX = 320 };

#define PAIR_LIFE_US  (3600 * SECOND_US)
#define KNOWN_LIFE_US (86400 * SECOND_US)

/* Who tries, as whom. */
struct attempt {
	struct session *s;
	struct text login;   /* in lower case */
	struct rate allowed; /* of this client */
	struct {
		struct ip client;
		uint64_t login;
	} key;
	char room[LOGIN_MAX];
};

static uint64_t tag(const struct attempt *a, const char *space, const void *key, size_t n)
{
	const struct world *w = &a->s->world;

	return w->ops->counter_tag(w->self, TABLE_MARK, text_of(space), key, n);
}

static uint64_t tag_of_client(const struct attempt *a, const char *space)
{
	return client_tag(a->s, TABLE_MARK, space);
}

/* Of the client and the login. */
static uint64_t tag_of_both(const struct attempt *a, const char *space)
{
	return tag(a, space, &a->key, sizeof(a->key));
}

static uint64_t tag_of_pair(const struct attempt *a, struct text secret)
{
	const uint64_t key[2] = {tag_of_both(a, "auth pair"),
				 tag(a, "auth secret", secret.p, secret.n)};

	return tag(a, "auth pair", key, sizeof(key));
}

static struct rate allowed_for(const struct session *s)
{
	for (size_t i = 0; i < s->config->auth_network_count; i++) {
		const struct auth_network *n = &s->config->auth_networks[i];

		if (nets_contain(&n->set.networks, &s->client))
			return n->set.failures;
	}
	return s->config->auth.failures;
}

static void attempt_begin(struct attempt *a, struct session *s, struct text login)
{
	if (login.n > LOGIN_MAX)
		login.n = LOGIN_MAX;
	text_lower(login, a->room);
	a->s = s;
	a->login = text_make(a->room, login.n);
	a->allowed = allowed_for(s);
	memset(&a->key, 0, sizeof(a->key));
	a->key.client = client_key(s);
	a->key.login = tag(a, "auth login", a->login.p, a->login.n);
	s->auth_attempts++;
}

/* --- by login */

/* `pairs` have failed on the login. */
static int64_t delay_after(const struct attempt *a, uint32_t pairs)
{
	const struct auth_settings *set = &a->s->config->auth;
	uint64_t times = pairs / set->failures.n;
	int64_t delay_us = set->delay;

	for (; times > 0 && delay_us > 0 && delay_us < set->delay_max; times--)
		delay_us *= 2;
	return delay_us < set->delay_max ? delay_us : set->delay_max;
}

/* --- by client */

/* Has this client tried just that before? */
static bool is_new_pair(const struct attempt *a, struct text secret)
{
	struct tally hidden;

	if (!text_empty(secret)) {
		int64_t life_us = a->allowed.period_us;

		return mark_claim_or_renew(a->s, tag_of_pair(a, secret), 1,
					   life_us > PAIR_LIFE_US ? life_us : PAIR_LIFE_US);
	}
	hidden = tally_add(a->s, tag_of_both(a, "auth hidden"), a->allowed.period_us, 1, 0);
	return hidden.first == 1 || hidden.first > a->allowed.n;
}

struct text auth_block_fact(const struct session *s, struct tally why)
{
	char period[24];
	struct rate allowed = allowed_for(s);

	return fact(s, "%u pair%s on %u login%s in %s", why.first, why.first == 1 ? "" : "s",
		    why.second, why.second == 1 ? "" : "s",
		    duration_format(allowed.period_us, period));
}

/* Twice as long each time, until it has been good for as long as the longest. */
static int64_t block_life(const struct attempt *a)
{
	const struct auth_settings *set = &a->s->config->auth;
	uint64_t blocks = tag_of_client(a, AUTH_BLOCKS), before = mark_read(a->s, blocks);
	int64_t life_us = set->block;

	for (uint64_t i = 0; i < before && life_us < set->block_max; i++)
		life_us *= 2;
	return life_us < set->block_max ? life_us : set->block_max;
}

static void block(const struct attempt *a, struct tally why)
{
	struct session *s = a->s;
	int64_t life_us = block_life(a);
	uint64_t blocks = tag_of_client(a, AUTH_BLOCKS);

	if (!block_client(s, &s->config->base, CHECK_auth_block, why, life_us,
			  auth_block_fact(s, why)))
		return;
	mark_set(s, blocks, mark_read(s, blocks) + 1, life_us + s->config->auth.block_max);
	/* When the block is over, the client begins anew. */
	s->world.ops->counter_forget(s->world.self, tag_of_client(a, AUTH_COUNT));
}

static bool counts_by_client(const struct session *s)
{
	return check_mode(CHECK_auth_block, &s->config->base) != MODE_OFF && !s->own &&
	       !client_is_proxy(s);
}

/* One more pair of the client's; what stands then. */
static struct tally count_pair(const struct attempt *a)
{
	struct session *s = a->s;
	uint64_t count = tag_of_client(a, AUTH_COUNT);
	struct tally period = tally_add(s, count, a->allowed.period_us, 0, 0);
	struct tally part = tally_add_until(s, tag_of_both(a, "auth part"), period.end_min, 1, 0);

	return tally_add(s, count, a->allowed.period_us, 1, part.first == 1);
}

static struct tally note_by_client(const struct attempt *a)
{
	struct session *s = a->s;
	struct list_entry entry;
	struct tally t;

	/* One that began before the block. */
	if (!counts_by_client(s) || block_stands(s, CHECK_auth_block, &t))
		return (struct tally){0};
	t = count_pair(a);
	if (t.first >= a->allowed.n && exemption_find(s, CHECK_auth_block, &entry) == ANSWER_NO)
		block(a, t);
	return t;
}

/* --- what the session says */

static struct text facts_of(const struct attempt *a, bool is_new, struct tally by_client,
			    uint32_t on_login)
{
	char rate[48];

	if (!is_new)
		return fact(a->s, "no new pair, %u on the login", on_login);
	if (by_client.first == 0)
		return fact(a->s, "not counted for the client, %u on the login", on_login);
	return fact(a->s, "pair %u of the client's %s, %u on the login", by_client.first,
		    rate_format(&a->allowed, rate), on_login);
}

struct auth_effect auth_failed(struct session *s, struct text login, struct text secret)
{
	struct tally by_client = {0}, on_login;
	struct attempt a;
	bool is_new;

	attempt_begin(&a, s, login);
	is_new = is_new_pair(&a, secret);
	on_login = is_new ? tally_add(s, a.key.login, s->config->auth.failures.period_us, 1, 0)
			  : tally_read(s, a.key.login);
	if (is_new)
		by_client = note_by_client(&a);
	return (struct auth_effect){delay_after(&a, on_login.first),
				    facts_of(&a, is_new, by_client, on_login.first)};
}

/* What this client failed on this login. */
static void forgive(const struct attempt *a)
{
	struct session *s = a->s;
	struct tally part = tally_take(s, tag_of_both(a, "auth part"));

	s->world.ops->counter_forget(s->world.self, tag_of_both(a, "auth hidden"));
	if (part.first == 0)
		return;
	tally_lessen(s, tag_of_client(a, AUTH_COUNT), part.end_min, part.first, 1);
	tally_lessen(s, a->key.login, 0, part.first, 0);
}

/* Who the owner is where need not be known in quiet times. */
static bool is_known(const struct attempt *a, uint32_t failed)
{
	return failed == 0 ||
	       !mark_claim_or_renew(a->s, tag_of_both(a, "auth known"), 1, KNOWN_LIFE_US);
}

struct auth_effect auth_succeeded(struct session *s, struct text login)
{
	struct attempt a;
	uint32_t failed;

	attempt_begin(&a, s, login);
	forgive(&a);
	failed = tally_read(s, a.key.login).first;
	if (is_known(&a, failed) || failed < s->config->auth.failures.n)
		return (struct auth_effect){0, LIT("")};
	return (struct auth_effect){delay_after(&a, failed),
				    fact(s, "%u failures on the login", failed)};
}
