/* Which hosts are up (worker/delivery/host.h). */
#include "worker/delivery/host.h"

#include "shm/base/clock.h"

#define LOG_EVERY_US (60 * SECOND_US)

void host_count_metric(const struct host *h, enum metric m)
{
	if (h->routes->metrics)
		metric_add(h->routes->metrics, m, 1);
}

bool host_is_up(const struct host *h)
{
	return !h->failed || loop_now_us(h->routes->loop) >= h->down_until_us;
}

/* An idle connection of a host that is down may serve all the same. */
static bool is_usable(const struct host *h)
{
	return host_is_up(h) || h->idle > 0;
}

struct host *host_choose(struct route_state *rs, const bool *tried, const struct host *last)
{
	bool in_turn = rs->route->set.balance == BALANCE_ROUND_ROBIN;
	size_t start = last ? (size_t)(last - rs->hosts) : in_turn ? rs->turn++ : 0;

	for (size_t i = 0; i < rs->host_count; i++) {
		size_t at = (start + i) % rs->host_count;
		struct host *h = &rs->hosts[at];

		if (tried[at] || !is_usable(h))
			continue;
		/* The others pass it over until this one knows. */
		if (h->failed && host_is_up(h))
			h->down_until_us = loop_now_us(h->routes->loop) + rs->route->set.retry_down;
		return h;
	}
	return NULL;
}

void host_worked(struct host *h)
{
	if (h->told)
		log_info("next hop %.*s: it works again", TEXT(h->address->name));
	h->failed = h->told = false;
}

void host_failed(struct host *h, const char *why)
{
	int64_t retry_us = h->route->set.retry_down;
	uint64_t held;

	host_count_metric(h, METRIC_hop_failures);
	h->failed = true;
	h->down_until_us = loop_now_us(h->routes->loop) + retry_us;
	if (h->told || !log_allowed(&h->log, LOG_EVERY_US, &held))
		return;
	h->told = true;
	log_warn("next hop %.*s: %s; tried again every %d s until it works", TEXT(h->address->name),
		 why, (int)(retry_us / SECOND_US));
}
