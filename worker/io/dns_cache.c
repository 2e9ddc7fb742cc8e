/* A table of fixed size; whoever chooses names can push others out of their place, and no more. */
#include "worker/io/dns_cache.h"

#include "shm/base/clock.h"
#include "shm/base/siphash.h"

#include <stddef.h>
#include <stdlib.h>

enum {
	WAYS = 4,
	/* Longer ones are rare, and would be a lever on our memory. */
	WIRE_MAX = 1232,
};

/* A change in the DNS is seen this soon, and a forged answer that got through is gone. */
#define LONGEST_US (30 * SECOND_US)

struct slot {
	struct dns_cached *cached;
	int64_t until_us;
};

struct dns_cache {
	struct siphash_key key;
	size_t sets;
	struct slot slots[][WAYS];
};

struct dns_cache *dns_cache_new(size_t entries)
{
	const size_t sets = (entries + WAYS - 1) / WAYS;
	struct dns_cache *c = calloc(1, sizeof(*c) + sets * sizeof(c->slots[0]));

	if (!c)
		return NULL;
	arc4random_buf(&c->key, sizeof(c->key));
	c->sets = sets;
	return c;
}

void dns_cached_drop(struct dns_cached *cached)
{
	if (!cached || --cached->users > 0)
		return;
	free(cached->answer);
	free(cached);
}

void dns_cache_free(struct dns_cache *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->sets; i++) {
		for (size_t k = 0; k < WAYS; k++)
			dns_cached_drop(c->slots[i][k].cached);
	}
	free(c);
}

static struct slot *set_of(struct dns_cache *c, struct text name, uint16_t type)
{
	uint8_t b[DNS_NAME_MAX + sizeof(type)];

	text_lower(name, (char *)b);
	memcpy(b + name.n, &type, sizeof(type));
	return c->slots[siphash(&c->key, b, name.n + sizeof(type)) % c->sets];
}

static bool is(const struct dns_cached *cached, struct text name, uint16_t type)
{
	return cached->type == type && text_ieq(text_make(cached->name, cached->name_n), name);
}

struct dns_cached *dns_cache_find(struct dns_cache *c, struct text name, uint16_t type,
				  int64_t now_us)
{
	struct slot *set = set_of(c, name, type);

	for (size_t k = 0; k < WAYS; k++) {
		if (set[k].cached && set[k].until_us > now_us && is(set[k].cached, name, type)) {
			set[k].cached->users++;
			return set[k].cached;
		}
	}
	return NULL;
}

/* Its old one, an empty one, or the one that ends first. */
static struct slot *place_for(struct slot *set, struct text name, uint16_t type)
{
	struct slot *best = set;

	for (size_t k = 0; k < WAYS; k++) {
		if (set[k].cached && is(set[k].cached, name, type))
			return &set[k];
		if (set[k].until_us < best->until_us)
			best = &set[k];
	}
	return best;
}

struct dns_cached *dns_cache_put(struct dns_cache *c, struct text name, uint16_t type,
				 struct dns_answer *answer, int64_t now_us)
{
	int64_t life_us = answer->ttl * SECOND_US;
	struct dns_cached *new;
	struct slot *s;

	if (!dns_known(answer->status) || life_us == 0 || answer->wire.n > WIRE_MAX)
		return NULL;
	new = malloc(offsetof(struct dns_cached, name) + name.n);
	if (!new)
		return NULL;
	new->answer = answer;
	new->users = 2;
	new->type = type;
	new->name_n = (uint8_t)name.n;
	text_lower(name, new->name);
	s = place_for(set_of(c, name, type), name, type);
	dns_cached_drop(s->cached);
	s->cached = new;
	s->until_us = now_us + (life_us < LONGEST_US ? life_us : LONGEST_US);
	return new;
}
