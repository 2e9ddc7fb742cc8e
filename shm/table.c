/* The counter table: finding, claiming, evicting (what the kinds of values mean: table_kinds.c).
 *
 * An update of a key that is there is a read and one 16-byte compare-and-swap, tried again if
 * somebody else was faster.  Tag and value change together, so an entry that is evicted under a
 * writer makes that writer's swap fail, never land in the new owner's value.
 *
 * Claiming.  Two writers that miss the same key at the same time could put it into two places, and
 * half of the counts would be gone.  So a claim has two steps: the entry is taken with a *pending*
 * value (bit 63, the time, and a nonce), then all other places of the key are read, and only then
 * the pending value is swapped for the real one.  Who finds a confirmed entry withdraws its own; of
 * two pending ones the one in the later place goes.  Of two claims the later one was made before it
 * looked, so it saw the earlier: at most one is ever confirmed.  The nonce makes sure that a
 * confirmation meets the very claim that was looked after.  A pending entry of a killed writer is
 * finished by the next writer of that key, or counts as free after a second. */
#include "shm/table.h"

#include "shm/cas16.h"
#include "shm/table_value.h"

#define PLACES   8
#define PART_MAX 255
#define ATTEMPTS 4096

struct candidates {
	struct table_bucket *buckets[2];
};

struct place {
	struct table_entry *entry;
	struct cas16 seen;
};

static const struct cas16 FREE = {0, 0};

/* What is longer than PART_MAX stands for itself by its hash and its length. */
static struct text part_of_key(const struct table *t, struct text part, uint64_t digest[2])
{
	if (part.n <= PART_MAX)
		return part;
	digest[0] = siphash(&t->key, part.p, part.n);
	digest[1] = part.n;
	return text_make((const char *)digest, 2 * sizeof(digest[0]));
}

uint64_t table_tag(const struct table *t, enum table_kind kind, struct text space, const void *key,
		   size_t n)
{
	/* The length of the space leads, so that no pair of space and key reads as another pair. */
	unsigned char data[1 + 2 * PART_MAX];
	uint64_t digests[2][2];
	struct text first = part_of_key(t, space, digests[0]);
	struct text second = part_of_key(t, text_make(key, n), digests[1]);

	data[0] = (unsigned char)first.n;
	if (first.n)
		memcpy(data + 1, first.p, first.n);
	if (second.n)
		memcpy(data + 1 + first.n, second.p, second.n);
	uint64_t hash = siphash(&t->key, data, 1 + first.n + second.n);
	uint64_t tag = hash >> 2 | (uint64_t)kind << 62;
	return tag ? tag : 1;
}

static struct candidates candidates_of(const struct table *t, uint64_t tag)
{
	uint64_t mask = t->bucket_count - 1;
	uint64_t first = tag & mask, second = tag >> 31 & mask;

	if (second == first)
		second = first ^ 1;
	/* A key that isn't in its first bucket would otherwise cost two cache misses, one after the
	 * other. */
	__builtin_prefetch(&t->buckets[second]);
	return (struct candidates){{&t->buckets[first], &t->buckets[second]}};
}

static struct table_entry *entry_at(const struct candidates *c, unsigned place)
{
	return &c->buckets[place / 4]->entries[place % 4];
}

/* Not one instant's picture: whoever acts on it swaps, which then fails.  After the tag, the value
 * is that tag's or a later owner's, never an earlier one's. */
static struct cas16 entry_load(const struct table_entry *e)
{
	uint64_t tag = atomic_load_explicit(&e->tag, memory_order_acquire);
	return (struct cas16){tag, atomic_load_explicit(&e->value, memory_order_acquire)};
}

static bool place_swap(const struct place *p, struct cas16 want)
{
	return cas16(p->entry, p->seen, want);
}

/* The confirmed entry of the tag; else a pending one; else false. */
static bool find(const struct candidates *c, uint64_t tag, struct place *out)
{
	bool found = false;

	for (unsigned i = 0; i < PLACES; i++) {
		struct table_entry *e = entry_at(c, i);
		struct cas16 seen = entry_load(e);
		if (seen.lo != tag)
			continue;
		if (!found || !value_is_pending(seen.hi))
			*out = (struct place){e, seen};
		if (!value_is_pending(seen.hi))
			return true;
		found = true;
	}
	return found;
}

/* The entry to take for a new key: a free or dead one, else the one that expires first; false if
 * all are live counts.  The first bucket serves while it is half empty, so that most keys are found
 * with one cache miss; then the emptier one, or keys would find both full in a table that is a
 * third full. */
static bool choose(const struct candidates *c, int64_t now_us, struct place *out)
{
	struct place dead[2], soonest = {NULL, FREE};
	unsigned dead_count[2] = {0, 0};
	uint64_t soonest_us = VALUE_NEVER_EXPIRES;

	for (unsigned i = 0; i < PLACES; i++) {
		struct table_entry *e = entry_at(c, i);
		struct place p = {e, entry_load(e)};
		uint64_t expires_us = value_expires_us(p.seen.lo, p.seen.hi, now_us);
		if (expires_us == 0) {
			if (dead_count[i / 4]++ == 0)
				dead[i / 4] = p;
		} else if (expires_us < soonest_us) {
			soonest_us = expires_us;
			soonest = p;
		}
	}
	if (dead_count[0] || dead_count[1])
		soonest = dead[dead_count[0] < 3 && dead_count[1] > dead_count[0]];
	*out = soonest;
	return soonest.entry != NULL;
}

static bool claim(struct place *p, uint64_t tag, int64_t now_us)
{
	struct cas16 pending = {tag, value_pending(now_us, cas16_nonce())};

	if (!place_swap(p, pending))
		return false;
	p->seen = pending;
	return true;
}

/* Turns our pending entry into a confirmed one, unless the key stands elsewhere; false: look again.
 */
static bool confirm(const struct candidates *c, const struct place *mine, uint64_t value)
{
	bool passed_mine = false;

	for (unsigned i = 0; i < PLACES; i++) {
		struct table_entry *e = entry_at(c, i);
		if (e == mine->entry) {
			passed_mine = true;
			continue;
		}
		struct place other = {e, entry_load(e)};
		if (other.seen.lo != mine->seen.lo)
			continue;
		bool later_claim = passed_mine && value_is_pending(other.seen.hi);
		if (!later_claim || !place_swap(&other, FREE)) {
			place_swap(mine, FREE);
			return false;
		}
	}
	return place_swap(mine, (struct cas16){mine->seen.lo, value});
}

uint64_t table_update(struct table *t, uint64_t tag, uint64_t (*change)(uint64_t old, void *arg),
		      void *arg, int64_t now_us)
{
	struct candidates c = candidates_of(t, tag);

	for (unsigned i = 0; i < ATTEMPTS; i++) {
		struct place p;
		bool found = find(&c, tag, &p);
		if (found && !value_is_pending(p.seen.hi)) {
			uint64_t value = value_clamp(change(p.seen.hi, arg));
			if (place_swap(&p, value ? (struct cas16){tag, value} : FREE))
				return value;
			continue;
		}
		uint64_t fresh = value_clamp(change(0, arg));
		if (!found && (fresh == 0 || !choose(&c, now_us, &p)))
			return fresh;
		if (!found && !claim(&p, tag, now_us))
			continue;
		if (confirm(&c, &p, fresh))
			return fresh;
	}
	/* Thousands of lost races in a row: only a table that somebody else scribbles over does
	 * that. */
	return value_clamp(change(0, arg));
}

uint64_t table_read(const struct table *t, uint64_t tag)
{
	struct candidates c = candidates_of(t, tag);
	struct place p;

	while (find(&c, tag, &p)) {
		/* The tag again: the value read was its own if it didn't change hands meanwhile. */
		if (atomic_load_explicit(&p.entry->tag, memory_order_acquire) == tag)
			return value_is_pending(p.seen.hi) ? 0 : p.seen.hi;
	}
	return 0;
}

void table_forget(struct table *t, uint64_t tag)
{
	struct candidates c = candidates_of(t, tag);

	for (unsigned i = 0; i < PLACES; i++) {
		struct place p = {entry_at(&c, i), entry_load(entry_at(&c, i))};
		while (p.seen.lo == tag && !place_swap(&p, FREE))
			p.seen = entry_load(p.entry);
	}
}
