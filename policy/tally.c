/* Tallies, over the world's counter table. */
#include "policy/tally.h"

#include "shm/table_value.h"

enum { HALF_BITS = 20, HALF_MAX = (1 << HALF_BITS) - 1 };

uint64_t tally_pack(struct tally t)
{
	return (uint64_t)t.first << HALF_BITS | t.second;
}

struct tally tally_unpack(uint64_t bits40)
{
	return (struct tally){.first = bits40 >> HALF_BITS & HALF_MAX, .second = bits40 & HALF_MAX};
}

/* What a word of the table says; nothing once its period is over. */
static struct tally read_word(uint64_t word, uint64_t now_us)
{
	struct tally t = tally_unpack(word & MARK_MAX);

	t.end_min = word >> MARK_BITS;
	return t.end_min * MINUTE_US > now_us ? t : (struct tally){0};
}

static uint64_t word_of(struct tally t)
{
	while (t.first > HALF_MAX || t.second > HALF_MAX) {
		t.first /= 2;
		t.second /= 2;
	}
	return t.end_min << MARK_BITS | tally_pack(t);
}

static uint64_t now_of(const struct session *s)
{
	return (uint64_t)s->world.ops->boot_us(s->world.self);
}

struct step {
	uint64_t now_us, end_min;
	unsigned first, second;
	bool exactly; /* in that period, not in the one that runs */
};

static uint64_t add_change(uint64_t old, void *arg)
{
	const struct step *step = arg;
	struct tally t = read_word(old, step->now_us);

	if (t.end_min == 0 || (step->exactly && t.end_min != step->end_min))
		t = (struct tally){.end_min = step->end_min};
	t.first += step->first;
	t.second += step->second;
	return word_of(t);
}

static struct tally add(const struct session *s, uint64_t tag, struct step *step)
{
	uint64_t word = s->world.ops->counter_update(s->world.self, tag, add_change, step);

	return read_word(word, step->now_us);
}

struct tally tally_add(const struct session *s, uint64_t tag, int64_t period_us, unsigned first,
		       unsigned second)
{
	uint64_t now_us = now_of(s);
	uint64_t end_min = (now_us + (uint64_t)period_us + MINUTE_US - 1) / MINUTE_US;

	return add(s, tag, &(struct step){now_us, end_min, first, second, false});
}

struct tally tally_add_until(const struct session *s, uint64_t tag, uint64_t end_min,
			     unsigned first, unsigned second)
{
	return add(s, tag, &(struct step){now_of(s), end_min, first, second, true});
}

struct tally tally_read(const struct session *s, uint64_t tag)
{
	return read_word(s->world.ops->counter_read(s->world.self, tag), now_of(s));
}

static uint64_t take_change(uint64_t old, void *arg)
{
	*(uint64_t *)arg = old;
	return 0;
}

struct tally tally_take(const struct session *s, uint64_t tag)
{
	uint64_t taken = 0;

	if (s->world.ops->counter_read(s->world.self, tag))
		s->world.ops->counter_update(s->world.self, tag, take_change, &taken);
	return read_word(taken, now_of(s));
}

static uint64_t lessen_change(uint64_t old, void *arg)
{
	const struct step *step = arg;
	struct tally t = read_word(old, step->now_us);

	if (t.end_min == 0 || (step->exactly && t.end_min != step->end_min))
		return old;
	t.first -= t.first < step->first ? t.first : step->first;
	t.second -= t.second < step->second ? t.second : step->second;
	return word_of(t);
}

void tally_lessen(const struct session *s, uint64_t tag, uint64_t end_min, unsigned first,
		  unsigned second)
{
	struct step step = {now_of(s), end_min, first, second, end_min != 0};

	s->world.ops->counter_update(s->world.self, tag, lessen_change, &step);
}
