/* Greylisting: who isn't known is put off, and who tries again gets through, as a mail server does
 * and most spamware doesn't.
 *
 * What is remembered, in the shared table: of each sender, recipient and client, since when it
 * waits and whether it has tried again; of each client, how many of its senders have, which in the
 * end clears it altogether.  A client is what a pool of servers has in common: the
 * domain whose SPF record passes it, else that of the confirmed name, else the network, so that a
 * retry from the next address of the pool counts. */
#include "policy/mark.h"

#include "policy/check.h"
#include "shm/base/clock.h"
#include "shm/table_value.h"

enum { KEY_MAX = 1024, NETWORK_BITS4 = 120, NETWORK_BITS6 = 64 };

/* The 40 bits of a triplet: known, and the second of its first attempt, by the wall clock: the
 * table outlives a restart, the boot clock does not. */
#define KNOWN (UINT64_C(1) << 39)

/* Names like 198-51-100-7.dyn.example.net, which hold the address: they have nothing in common but
 * their provider. */
static bool names_address(const struct session *s)
{
	unsigned number = 0, found = 0;
	bool in_number = false;

	if (!ip_is4(&s->client))
		return false;
	for (size_t i = 0; i <= s->host.n; i++) {
		const char c = i < s->host.n ? s->host.p[i] : '.';

		if (c >= '0' && c <= '9' && number < 1000) {
			number = (in_number ? number * 10 : 0) + (unsigned)(c - '0');
			in_number = true;
			continue;
		}
		for (unsigned k = 0; in_number && k < 4; k++) {
			if (s->client.b[12 + k] == number)
				found |= 1U << k;
		}
		in_number = false;
		number = 0;
	}
	return found == 0xf;
}

/* "mx7.out.example.org": "out.example.org"; a domain of two labels is whole. */
static struct text pool_domain(struct text host)
{
	struct text first, rest;

	if (text_split(host, '.', &first, &rest) && text_find(rest, '.') < rest.n)
		return rest;
	return host;
}

static void put_client(struct buf *key, const struct session *s, const struct settings *set)
{
	const struct spf_result *spf =
	    check_mode(CHECK_spf, set) == MODE_OFF ? NULL : spf_of(s, SPF_MAILFROM);
	const struct ip net =
	    ip_mask(&s->client, ip_is4(&s->client) ? NETWORK_BITS4 : NETWORK_BITS6);
	char shown[IP_TEXT_MAX];

	if (spf && spf->code == SPF_PASS)
		buf_printf(key, "spf %.*s", TEXT(spf->domain));
	else if (text_empty(s->host) || names_address(s))
		buf_printf(key, "net %s", ip_format(&net, shown));
	else
		buf_text(key, pool_domain(s->host));
}

static uint64_t tag_of(const struct session *s, const char *space, const struct buf *key)
{
	return s->world.ops->counter_tag(s->world.self, TABLE_MARK, text_of(space), key->p, key->n);
}

static uint64_t client_pool_tag(const struct session *s, const struct settings *set)
{
	char room[KEY_MAX];
	struct buf key = buf_over(room, sizeof(room));

	put_client(&key, s, set);
	return tag_of(s, "greylist client", &key);
}

static uint64_t triplet_tag(const struct session *s, const struct settings *set)
{
	char room[KEY_MAX];
	struct buf key = buf_over(room, sizeof(room));

	put_client(&key, s, set);
	buf_char(&key, '\n');
	buf_text(&key, mailbox_key_untagged(&s->tx->from, &s->tx->arena));
	buf_char(&key, '\n');
	buf_text(&key, mailbox_key_untagged(&s->rcpt->mailbox, &s->tx->arena));
	return tag_of(s, "greylist triplet", &key);
}

struct attempt {
	uint64_t now_us; /* boot clock: for the marks' ends */
	uint64_t wall_s, delay_us, window_us, life_us;
};

static uint64_t until(uint64_t now_us, uint64_t life_us)
{
	return (now_us + life_us + MINUTE_US - 1) / MINUTE_US << MARK_BITS;
}

static bool is_over(uint64_t value, uint64_t now_us)
{
	return (value >> MARK_BITS) * MINUTE_US <= now_us;
}

/* A first attempt waits; one after the delay makes the triplet known, and each later one keeps it
 * so. */
static uint64_t triplet_change(uint64_t old, void *arg)
{
	const struct attempt *a = arg;
	const uint64_t first_s = old & MARK_MAX & ~KNOWN;

	if (old == 0 || is_over(old, a->now_us))
		return until(a->now_us, a->window_us) | (a->wall_s & (KNOWN - 1));
	/* A clock that was set back makes nobody wait. */
	if ((old & KNOWN) || a->wall_s < first_s ||
	    (a->wall_s - first_s) * SECOND_US >= a->delay_us)
		return until(a->now_us, a->life_us) | KNOWN | first_s;
	return old;
}

static uint64_t proof_change(uint64_t old, void *arg)
{
	const struct attempt *a = arg;
	const uint64_t count = is_over(old, a->now_us) ? 0 : old & MARK_MAX;

	return until(a->now_us, a->life_us) | (count < 1000 ? count + 1 : count);
}

static uint64_t keep_change(uint64_t old, void *arg)
{
	const struct attempt *a = arg;

	return is_over(old, a->now_us) ? 0 : until(a->now_us, a->life_us) | (old & MARK_MAX);
}

static uint64_t update(const struct session *s, uint64_t tag,
		       uint64_t (*change)(uint64_t old, void *arg), struct attempt *a)
{
	return s->world.ops->counter_update(s->world.self, tag, change, a);
}

struct verdict check_greylist(const struct session *s, const struct settings *set)
{
	const struct greylist_settings *g = &set->greylist;
	struct attempt a = {(uint64_t)s->world.ops->boot_us(s->world.self),
			    (uint64_t)(s->world.ops->wall_us(s->world.self) / SECOND_US),
			    (uint64_t)g->delay, (uint64_t)g->window, (uint64_t)g->life};
	const uint64_t client = client_pool_tag(s, set), triplet = triplet_tag(s, set);
	const uint64_t before = mark_read(s, triplet);
	uint64_t after;

	if (mark_read(s, client) >= (uint64_t)g->proofs) {
		update(s, client, keep_change, &a);
		return pass();
	}
	after = update(s, triplet, triplet_change, &a);
	if (!(after & KNOWN))
		return refuse_by_policy(REPLY_GREYLISTED, LIT(""),
					before ? LIT("it tries again too early")
					       : LIT("the first message of this sender"));
	if (!(before & KNOWN))
		update(s, client, proof_change, &a);
	return pass();
}
