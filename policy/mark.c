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

static uint64_t mark_change(uint64_t old, void *arg)
{
	(void)old;
	return *(const uint64_t *)arg;
}

void mark_set(const struct session *s, uint64_t tag, uint64_t bits40, int64_t life_us)
{
	uint64_t now_us = (uint64_t)s->world.ops->boot_us(s->world.self);
	uint64_t end_min = (now_us + (uint64_t)life_us + MINUTE_US - 1) / MINUTE_US;
	uint64_t value = end_min << MARK_BITS | (bits40 & MARK_MAX);

	s->world.ops->counter_update(s->world.self, tag, mark_change, &value);
}

uint64_t mark_read(const struct session *s, uint64_t tag)
{
	uint64_t value = s->world.ops->counter_read(s->world.self, tag);

	if ((value >> MARK_BITS) * MINUTE_US <= (uint64_t)s->world.ops->boot_us(s->world.self))
		return 0;
	return value & MARK_MAX;
}
