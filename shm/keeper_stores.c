/* The keeper's stores: opened when they can be, tended by timer, given up and opened again when
 * something is wrong with them. */
#include "shm/base/clock.h"
#include "shm/journal.h"
#include "shm/keeper_parts.h"
#include "shm/requests.h"

#include <inttypes.h>

enum {
	OPEN_EVERY_S = 5,
	EXPIRE_EVERY_S = 60,
	READERS_EVERY_S = 10,
	COMPLAIN_EVERY_S = 60,
	EXPIRE_MAX = 1000, /* at once: workers look things up and the tool writes meanwhile */
};

static void open_one(struct keeper *k, struct store *st, enum store_name name, bool *is_open)
{
	char message[256];
	struct buf err = buf_over(message, sizeof(message));
	uint64_t held;

	if (*is_open)
		return;
	*is_open = store_open(st, k->options->state_dir, name, STORE_WRITE, &err) == 0;
	if (!*is_open && log_allowed(&k->unopened, COMPLAIN_EVERY_S * SECOND_US, &held))
		log_error("%s; mail and log go on", message);
	if (*is_open && name == STORE_EVENTS && k->options->events_max_bytes > 0)
		st->map_max = k->options->events_max_bytes;
}

/* A position beyond the head belongs to no ring of this segment; one before the tail is an old one.
 */
static uint64_t position_of(struct keeper *k, unsigned p)
{
	uint64_t segment = (uint64_t)k->seg->header->started_wall_us;
	uint64_t tail = ring_tail(&k->seg->rings[p]), head = ring_head(&k->seg->rings[p]), stored;

	if (!k->events_open || journal_position_get(&k->events, p, segment, &stored) != 0)
		return tail;
	return stored > tail && stored <= head ? stored : tail;
}

void keeper_stores_positions(struct keeper *k)
{
	for (unsigned p = 0; p < SEGMENT_PROCESSES; p++) {
		k->position[p] = position_of(k, p);
		/* committed, but killed before the room was given back */
		ring_release(&k->seg->rings[p], k->position[p]);
	}
}

static void expire(struct keeper *k, int64_t now_mono_us)
{
	int64_t now = clock_wall_us();
	int lists = k->lists_open ? lists_expire(&k->lists, now, EXPIRE_MAX) : 0;
	int events = k->events_open
			 ? journal_expire(&k->events, now, k->options->incident_days, EXPIRE_MAX)
			 : 0;
	uint64_t held;

	k->expire_at_us = now_mono_us + EXPIRE_EVERY_S * SECOND_US;
	/* there may be more: in the next round */
	if (lists >= EXPIRE_MAX || events >= EXPIRE_MAX)
		k->expire_at_us = now_mono_us;
	if ((lists < 0 || events < 0) &&
	    log_allowed(&k->unexpired, COMPLAIN_EVERY_S * SECOND_US, &held))
		log_error("cannot remove what is over from state-dir/%s",
			  lists < 0 ? "lists" : "events");
}

static void clear_readers(struct keeper *k, int64_t now_mono_us)
{
	int dead = (k->lists_open ? store_clear_dead_readers(&k->lists) : 0) +
		   (k->events_open ? store_clear_dead_readers(&k->events) : 0);

	if (dead > 0)
		log_debug("%d readers of the store had died: cleared", dead);
	k->readers_at_us = now_mono_us + READERS_EVERY_S * SECOND_US;
}

void keeper_stores_tend(struct keeper *k, int64_t now_mono_us)
{
	if (now_mono_us >= k->open_at_us) {
		open_one(k, &k->lists, STORE_LISTS, &k->lists_open);
		open_one(k, &k->events, STORE_EVENTS, &k->events_open);
		k->open_at_us = now_mono_us + OPEN_EVERY_S * SECOND_US;
	}
	/* what fails here waits for the next round */
	/* what is to be forgotten must not come back from the counters' file */
	if (k->events_open && requests_apply(&k->events, &k->seg->table) > 0)
		k->snapshot_at_us = now_mono_us;
	if (now_mono_us >= k->expire_at_us)
		expire(k, now_mono_us);
	if (now_mono_us >= k->readers_at_us)
		clear_readers(k, now_mono_us);
	if (now_mono_us >= k->snapshot_at_us)
		keeper_counters_save(k, now_mono_us);
}

void keeper_stores_drop_events(struct keeper *k)
{
	store_close(&k->events);
	k->events_open = false;
	k->open_at_us = clock_mono_us() + OPEN_EVERY_S * SECOND_US;
}

void keeper_stores_close(struct keeper *k)
{
	if (k->lists_open)
		store_close(&k->lists);
	if (k->events_open)
		store_close(&k->events);
	k->lists_open = k->events_open = false;
}
