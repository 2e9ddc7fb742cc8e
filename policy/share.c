/* Shares, over the world's counter table. */
#include "policy/share.h"

#include "shm/table_value.h"

enum { HALF_BITS = 20, HALF_MAX = (1 << HALF_BITS) - 1 };

uint64_t share_pack(struct share share)
{
	return (uint64_t)share.part << HALF_BITS | share.all;
}

struct share share_unpack(uint64_t bits40)
{
	return (struct share){bits40 >> HALF_BITS & HALF_MAX, bits40 & HALF_MAX};
}

struct step {
	uint64_t now_us, period_us;
	bool in_part;
};

static uint64_t count_change(uint64_t old, void *arg)
{
	const struct step *step = arg;
	uint64_t end_min = old >> MARK_BITS;
	struct share share = share_unpack(old);

	if (end_min * MINUTE_US <= step->now_us) {
		end_min = (step->now_us + step->period_us + MINUTE_US - 1) / MINUTE_US;
		share = (struct share){0};
	}
	if (share.all == HALF_MAX)
		share = (struct share){share.part / 2, share.all / 2};
	share.all++;
	share.part += step->in_part;
	return end_min << MARK_BITS | share_pack(share);
}

struct share share_count(const struct session *s, uint64_t tag, int64_t period_us, bool in_part)
{
	struct step step = {
	    (uint64_t)s->world.ops->boot_us(s->world.self),
	    (uint64_t)period_us,
	    in_part,
	};

	return share_unpack(s->world.ops->counter_update(s->world.self, tag, count_change, &step));
}
