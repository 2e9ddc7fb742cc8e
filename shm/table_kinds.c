/* What a value of the counter table means, kind by kind: live counts, counts of a period, marks.
 * (GCRA values are the arithmetic of shm/limit.h.) */
#include "shm/table_value.h"

#include <assert.h>

static uint64_t live_change(uint64_t old, void *arg)
{
	if (*(const int *)arg > 0)
		return old + 1;
	return old ? old - 1 : 0;
}

uint64_t table_live_add(struct table *t, uint64_t tag, int delta, int64_t now_us)
{
	assert(delta == 1 || delta == -1);
	return table_update(t, tag, live_change, &delta, now_us);
}

struct count_step {
	uint32_t n;
	uint64_t now_ms, end_ms;
};

static uint64_t count_change(uint64_t old, void *arg)
{
	const struct count_step *step = arg;
	uint64_t end_ms = old >> COUNT_BITS;
	uint64_t count = old & COUNT_MAX;

	if (end_ms <= step->now_ms) {
		end_ms = step->end_ms;
		count = 0;
	}
	count = count + step->n < COUNT_MAX ? count + step->n : COUNT_MAX;
	return end_ms << COUNT_BITS | count;
}

uint32_t table_count_add(struct table *t, uint64_t tag, uint32_t n, int64_t period_us,
			 int64_t now_us)
{
	uint64_t now_ms = (uint64_t)now_us / 1000;
	struct count_step step = {n, now_ms, now_ms + ((uint64_t)period_us + 999) / 1000};

	return (uint32_t)(table_update(t, tag, count_change, &step, now_us) & COUNT_MAX);
}

uint32_t table_count_read(const struct table *t, uint64_t tag, int64_t now_us)
{
	uint64_t value = table_read(t, tag);

	if (value >> COUNT_BITS <= (uint64_t)now_us / 1000)
		return 0;
	return (uint32_t)(value & COUNT_MAX);
}

static uint64_t mark_change(uint64_t old, void *arg)
{
	(void)old;
	return *(const uint64_t *)arg;
}

void table_mark_set(struct table *t, uint64_t tag, uint64_t bits40, int64_t life_us, int64_t now_us)
{
	uint64_t end_min = ((uint64_t)now_us + (uint64_t)life_us + MINUTE_US - 1) / MINUTE_US;
	uint64_t longest = VALUE_MAX >> MARK_BITS;
	uint64_t value = (end_min < longest ? end_min : longest) << MARK_BITS | (bits40 & MARK_MAX);

	table_update(t, tag, mark_change, &value, now_us);
}

uint64_t table_mark_read(const struct table *t, uint64_t tag, int64_t now_us)
{
	uint64_t value = table_read(t, tag);

	if ((value >> MARK_BITS) * MINUTE_US <= (uint64_t)now_us)
		return 0;
	return value & MARK_MAX;
}
