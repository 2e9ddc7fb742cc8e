/* Marks, over the world's counter table. */
#include "policy/mark.h"

#include "shm/table_value.h"

enum { KEY_BITS4 = 128, KEY_BITS6 = 64 };

struct ip client_key(const struct session *s)
{
	return ip_mask(&s->client, ip_is4(&s->client) ? KEY_BITS4 : KEY_BITS6);
}

uint64_t client_tag(const struct session *s, enum table_kind kind, const char *space)
{
	struct ip key = client_key(s);

	return s->world.ops->counter_tag(s->world.self, kind, text_of(space), key.b, sizeof(key.b));
}

static uint64_t value_of(uint64_t now_us, uint64_t bits40, int64_t life_us)
{
	uint64_t end_min = (now_us + (uint64_t)life_us + MINUTE_US - 1) / MINUTE_US;

	return end_min << MARK_BITS | (bits40 & MARK_MAX);
}

static bool lives(uint64_t value, uint64_t now_us)
{
	return (value >> MARK_BITS) * MINUTE_US > now_us;
}

static uint64_t now_of(const struct session *s)
{
	return (uint64_t)s->world.ops->boot_us(s->world.self);
}

static uint64_t set_change(uint64_t old, void *arg)
{
	(void)old;
	return *(const uint64_t *)arg;
}

void mark_set(const struct session *s, uint64_t tag, uint64_t bits40, int64_t life_us)
{
	uint64_t value = value_of(now_of(s), bits40, life_us);

	s->world.ops->counter_update(s->world.self, tag, set_change, &value);
}

struct claim {
	uint64_t now_us, value;
	bool renew;
	bool was_free; /* at the last call, which is the one that counts */
};

static uint64_t claim_change(uint64_t old, void *arg)
{
	struct claim *c = arg;

	c->was_free = !lives(old, c->now_us);
	return c->was_free || c->renew ? c->value : old;
}

static bool claim(const struct session *s, uint64_t tag, uint64_t bits40, int64_t life_us,
		  bool renew)
{
	uint64_t now_us = now_of(s);
	struct claim c = {now_us, value_of(now_us, bits40, life_us), renew, false};

	s->world.ops->counter_update(s->world.self, tag, claim_change, &c);
	return c.was_free;
}

bool mark_claim(const struct session *s, uint64_t tag, uint64_t bits40, int64_t life_us)
{
	return claim(s, tag, bits40, life_us, false);
}

bool mark_claim_or_renew(const struct session *s, uint64_t tag, uint64_t bits40, int64_t life_us)
{
	return claim(s, tag, bits40, life_us, true);
}

uint64_t mark_read(const struct session *s, uint64_t tag)
{
	uint64_t value = s->world.ops->counter_read(s->world.self, tag);

	return lives(value, now_of(s)) ? value & MARK_MAX : 0;
}
