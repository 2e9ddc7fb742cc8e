/* Whether a DNS list may be believed, in the shared table. */
#include "policy/dnsbl.h"

#include "policy/mark.h"
#include "policy/tally.h"
#include "shm/base/clock.h"
#include "shm/segment.h"
#include "shm/table_value.h"

/* A share of fewer clients says nothing; the clients of such a time are counted together, each
 * once. */
enum { SAMPLE_CLIENTS = 100 };
#define PERIOD_US (10 * MINUTE_US)
/* Who has set it aside, looks again at the end of a period; without clients it is forgotten. */
#define CROWDED_US (60 * MINUTE_US)

/* The 40 bits: state, and the second since when, by the wall clock, which goes on over a restart.
 */
enum { SECOND_BITS = 32 };

const char *dnsbl_state_text(enum dnsbl_state state)
{
	static const char *const texts[] = {
	    [DNSBL_UNPROVEN] = "off: its test points have not been asked yet",
	    [DNSBL_GOOD] = "in use",
	    [DNSBL_SILENT] = "off: its test points have no answer",
	    [DNSBL_REFUSES] = "off: it refuses our questions",
	    [DNSBL_EMPTY] = "off: it does not list its own test point",
	    [DNSBL_WILD] = "off: it lists everything",
	    [DNSBL_LIES] = "off: it answers outside of 127.0.0.0/8",
	    [DNSBL_CROWDED] = "off: it lists nearly all clients",
	};

	return texts[state];
}

static uint64_t tag_of(const struct world *w, const struct dnsbl *d, const char *space)
{
	return w->ops->counter_tag(w->self, TABLE_MARK, text_of(space), d->label.p, d->label.n);
}

static uint64_t read_mark(const struct world *w, uint64_t tag)
{
	uint64_t value = w->ops->counter_read(w->self, tag);

	if ((value >> MARK_BITS) * MINUTE_US <= (uint64_t)w->ops->boot_us(w->self))
		return 0;
	return value & MARK_MAX;
}

static uint64_t replace(uint64_t old, void *arg)
{
	(void)old;
	return *(const uint64_t *)arg;
}

static void write_mark(const struct world *w, uint64_t tag, uint64_t bits, int64_t life_us)
{
	uint64_t now_us = (uint64_t)w->ops->boot_us(w->self);
	uint64_t end_min = (now_us + (uint64_t)life_us + MINUTE_US - 1) / MINUTE_US;
	uint64_t value = end_min << MARK_BITS | (bits & MARK_MAX);

	w->ops->counter_update(w->self, tag, replace, &value);
}

struct dnsbl_health dnsbl_health(uint64_t state_bits, uint64_t crowded_bits)
{
	uint64_t bits =
	    state_bits >> SECOND_BITS == DNSBL_GOOD && crowded_bits ? crowded_bits : state_bits;

	return (struct dnsbl_health){
	    .state = (enum dnsbl_state)(bits >> SECOND_BITS),
	    .since_wall_us = (int64_t)(bits & UINT32_MAX) * SECOND_US,
	};
}

static struct dnsbl_health health_now(const struct world *w, const struct dnsbl *d)
{
	return dnsbl_health(read_mark(w, tag_of(w, d, DNSBL_STATE)),
			    read_mark(w, tag_of(w, d, DNSBL_CROWD)));
}

enum dnsbl_state dnsbl_state(const struct world *w, const struct dnsbl *d)
{
	return health_now(w, d).state;
}

static void __attribute__((noinline))
tell(const struct world *w, const struct dnsbl *d, enum dnsbl_state state)
{
	struct event e;

	event_begin(&e, EVENT_NOTE, w->ops->wall_us(w->self));
	event_text(&e, FIELD_check, LIT("dnsbl"));
	event_text(&e, FIELD_list, d->set.name);
	event_text(&e, FIELD_text, text_of(dnsbl_state_text(state)));
	w->ops->emit(w->self, &e);
	if (state != DNSBL_GOOD)
		w->ops->count(w->self, METRIC_dnsbl_switched_off, 1);
}

static uint64_t pack(const struct world *w, enum dnsbl_state state)
{
	uint64_t now_s = (uint64_t)(w->ops->wall_us(w->self) / SECOND_US);

	return (uint64_t)state << SECOND_BITS | (now_s & UINT32_MAX);
}

void dnsbl_set_state(const struct world *w, const struct dnsbl *d, enum dnsbl_state state,
		     int64_t life_us)
{
	uint64_t tag = tag_of(w, d, DNSBL_STATE), before = read_mark(w, tag);
	bool same = before >> SECOND_BITS == state;

	write_mark(w, tag, same ? before : pack(w, state), life_us);
	if (!same)
		tell(w, d, state);
}

/* --- shares */

bool dnsbl_is_new_client(const struct session *s)
{
	uint64_t tag = client_tag(s, TABLE_MARK, "dnsbl client");

	if (s->config->base.dnsbl.max_share >= 100 || mark_read(s, tag))
		return false;
	mark_set(s, tag, 1, PERIOD_US);
	return true;
}

void dnsbl_count(const struct session *s, const struct dnsbl *d, bool listed)
{
	const struct world *w = &s->world;
	uint64_t tag = tag_of(w, d, DNSBL_CROWD);
	bool was_crowded = read_mark(w, tag) != 0, is_crowded;
	struct tally seen = tally_add(s, tag_of(w, d, "dnsbl share"), PERIOD_US, listed, 1);

	if (seen.second < SAMPLE_CLIENTS)
		return;
	is_crowded = (uint64_t)seen.first * 100 >
		     (uint64_t)seen.second * (uint64_t)s->config->base.dnsbl.max_share;
	if (is_crowded && !was_crowded) {
		write_mark(w, tag, pack(w, DNSBL_CROWDED), CROWDED_US);
		tell(w, d, DNSBL_CROWDED);
	} else if (was_crowded && !is_crowded) {
		w->ops->counter_forget(w->self, tag);
		tell(w, d, DNSBL_GOOD);
	}
}
