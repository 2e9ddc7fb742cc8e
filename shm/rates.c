/* Notes of the metrics' sums, in a circle. */
#include "shm/rates.h"

#include "shm/base/clock.h"

#define EVERY_US  (10 * SECOND_US)
#define MINUTE_US (60 * SECOND_US)

void rates_note(struct segment *seg, int64_t now_boot_us)
{
	struct rate_notes *notes = &seg->header->notes;
	const uint32_t last = atomic_load(&notes->last);
	const int64_t before = atomic_load(&notes->notes[last % RATE_NOTES].boot_us);

	if (before != 0 && now_boot_us - before < EVERY_US)
		return;
	struct rate_note *n = &notes->notes[(last + 1) % RATE_NOTES];

	/* 0 while it is written, so that nobody reads half of one */
	atomic_store(&n->boot_us, 0);
	for (int m = 0; m < METRIC_COUNT; m++)
		atomic_store(&n->sums[m], metric_sum(seg, (enum metric)m));
	atomic_store(&n->boot_us, now_boot_us);
	atomic_store(&notes->last, last + 1);
}

/* The oldest note of the last minute, give or take a step; NULL: none. */
static const struct rate_note *oldest(const struct rate_notes *notes, int64_t now_boot_us)
{
	const uint32_t last = atomic_load(&notes->last);
	const struct rate_note *best = NULL;

	/* the one after the last is written next: it isn't looked at */
	for (uint32_t back = 0; back < RATE_NOTES - 1; back++) {
		const struct rate_note *n = &notes->notes[(last - back) % RATE_NOTES];
		const int64_t at = atomic_load(&n->boot_us);

		if (at == 0 || at > now_boot_us || now_boot_us - at > MINUTE_US + EVERY_US / 2)
			break;
		best = n;
	}
	return best;
}

int64_t rates_last_minute(const struct segment *seg, int64_t now_boot_us,
			  uint64_t grown[METRIC_COUNT])
{
	const struct rate_note *n = oldest(&seg->header->notes, now_boot_us);
	const int64_t at = n ? atomic_load(&n->boot_us) : 0;

	for (int m = 0; m < METRIC_COUNT; m++) {
		const uint64_t was = n ? atomic_load(&n->sums[m]) : 0;
		const uint64_t is = metric_sum(seg, (enum metric)m);

		grown[m] = n && is > was ? is - was : 0;
	}
	/* overwritten meanwhile, or nothing to go by */
	if (at == 0 || atomic_load(&n->boot_us) != at || at == now_boot_us)
		return 0;
	return now_boot_us - at;
}
