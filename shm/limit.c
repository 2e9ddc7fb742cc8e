/* GCRA.  An amount costs amount * period / n microseconds of the bucket, rounded down, but at least
 * one (so a rate above one a microsecond is a little stricter than it reads when charged in single
 * units). */
#include "shm/limit.h"

#include "shm/base/clock.h"

#include <inttypes.h>
#include <stdio.h>

/* A TAT further ahead than this (34,000 years) only comes of nonsense, and bit 63 is the table's.
 */
#define TAT_MAX (UINT64_C(1) << 60)
/* A century, so that no sum of times overflows. */
#define PERIOD_MAX_US (SECOND_US * 86400 * 36525)

bool rate_parse(struct text t, struct rate *out)
{
	struct text n, period;
	struct rate r;

	if (!text_split(t, '/', &n, &period) || !size_parse(n, &r.n) ||
	    !duration_parse(period, &r.period_us))
		return false;
	if (r.n == 0 || r.period_us <= 0 || r.period_us > PERIOD_MAX_US)
		return false;
	*out = r;
	return true;
}

char *rate_format(const struct rate *r, char dst[48])
{
	static const char UNITS[] = {0, 'K', 'M', 'G'};
	uint64_t n = r->n;
	char period[24], unit[2] = "";

	for (unsigned i = 1; i < sizeof(UNITS) && n && n % 1024 == 0; i++) {
		n /= 1024;
		unit[0] = UNITS[i];
	}
	snprintf(dst, 48, "%" PRIu64 "%s/%s", n, unit, duration_format(r->period_us, period));
	return dst;
}

/* Where the bucket would stand: the TAT, or now if it is full. */
static uint64_t tat_from(uint64_t tat_us, int64_t now_us)
{
	return tat_us > (uint64_t)now_us ? tat_us : (uint64_t)now_us;
}

uint64_t rate_charge(const struct rate *r, uint64_t tat_us, uint64_t amount, int64_t now_us)
{
	unsigned __int128 cost = (unsigned __int128)amount * (uint64_t)r->period_us / r->n;

	if (amount == 0)
		return tat_us;
	if (cost == 0)
		cost = 1;
	cost += tat_from(tat_us, now_us);
	return cost < TAT_MAX ? (uint64_t)cost : TAT_MAX;
}

bool rate_allows(const struct rate *r, uint64_t tat_us, uint64_t amount, int64_t now_us,
		 int64_t *retry_us)
{
	/* Full at the latest when the TAT is reached; then even more than n may pass, once. */
	uint64_t full_us = tat_from(tat_us, now_us);
	uint64_t after_us = rate_charge(r, full_us, amount, now_us);
	uint64_t limit_us = (uint64_t)now_us + (uint64_t)r->period_us;
	uint64_t until_full = full_us - (uint64_t)now_us;
	uint64_t wait = after_us > limit_us ? after_us - limit_us : 0;

	if (wait > until_full)
		wait = until_full;
	if (retry_us)
		*retry_us = (int64_t)wait;
	return wait == 0;
}

uint64_t rate_used(const struct rate *r, uint64_t tat_us, int64_t now_us)
{
	uint64_t ahead_us = tat_from(tat_us, now_us) - (uint64_t)now_us;
	unsigned __int128 period = (uint64_t)r->period_us;
	unsigned __int128 used = ((unsigned __int128)ahead_us * r->n + period - 1) / period;

	return used < UINT64_MAX ? (uint64_t)used : UINT64_MAX;
}
