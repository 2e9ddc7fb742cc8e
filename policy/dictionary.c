/* Counting recipients that do not exist, and the block that follows. */
#include "policy/dictionary.h"

#include "policy/listed.h"
#include "policy/mark.h"
#include "shm/table_value.h"

/* 40 bits: how many did not exist, of how many, 20 bits each.  One word, so that both are of the
 * same period: two counters whose periods began apart would say "100 of 1" for a moment, and block.
 */
enum { HALF_BITS = 20, HALF_MAX = (1 << HALF_BITS) - 1 };

static struct dictionary_block unpack(uint64_t value)
{
	return (struct dictionary_block){value >> HALF_BITS & HALF_MAX, value & HALF_MAX};
}

bool dictionary_blocked(const struct session *s, struct dictionary_block *out)
{
	uint64_t bits = mark_read(s, client_tag(s, TABLE_MARK, DICTIONARY_BLOCK));

	*out = unpack(bits);
	return bits != 0;
}

struct text dictionary_fact(const struct session *s, const struct dictionary_block *b)
{
	return fact(s, "%u of the client's %u recipients do not exist", b->unknown, b->all);
}

static void __attribute__((noinline))
emit_block(const struct session *s, const struct settings *set, const struct dictionary_block *b,
	   uint64_t tag)
{
	int64_t now_us = s->world.ops->wall_us(s->world.self);
	struct ip key = client_key(s);
	struct net net = {key, ip_is4(&key) ? 128 : 64};
	char shown[NET_TEXT_MAX];
	struct event e;

	event_begin(&e, EVENT_BLOCK, now_us);
	event_text(&e, FIELD_check, text_of(check_row(CHECK_dictionary_attack)->name));
	event_text(&e, FIELD_mode,
		   text_of(check_mode_name(check_mode(CHECK_dictionary_attack, set))));
	event_text(&e, FIELD_key, text_of(net_format(&net, shown)));
	event_ip(&e, FIELD_client, &s->client);
	event_text(&e, FIELD_helo, s->helo);
	event_text(&e, FIELD_facts, dictionary_fact(s, b));
	event_int(&e, FIELD_tag, (int64_t)tag);
	event_int(&e, FIELD_until, now_us + set->dictionary_attack.block);
	event_text(&e, FIELD_session, text_of(s->id));
	s->world.ops->emit(s->world.self, &e);
}

static void block(const struct session *s, const struct settings *set,
		  const struct dictionary_block *b)
{
	uint64_t tag = client_tag(s, TABLE_MARK, DICTIONARY_BLOCK);

	mark_set(s, tag, (uint64_t)b->unknown << HALF_BITS | b->all, set->dictionary_attack.block);
	emit_block(s, set, b, tag);
}

static bool reached(const struct dictionary_attack_settings *set, const struct dictionary_block *b)
{
	return b->unknown >= set->unknown.n &&
	       (uint64_t)b->unknown * 100 >= (uint64_t)b->all * (uint64_t)set->share;
}

struct step {
	uint64_t now_us, period_us;
	bool exists;
};

/* One more recipient in the period that runs (it ends on a full minute, as marks do), or the first
 * of a new one. */
static uint64_t count_change(uint64_t old, void *arg)
{
	const struct step *step = arg;
	uint64_t end_min = old >> MARK_BITS;
	struct dictionary_block b = unpack(old);

	if (end_min * MINUTE_US <= step->now_us) {
		end_min = (step->now_us + step->period_us + MINUTE_US - 1) / MINUTE_US;
		b = (struct dictionary_block){0};
	}
	if (b.all == HALF_MAX)
		b = (struct dictionary_block){b.unknown / 2, b.all / 2};
	b.all++;
	b.unknown += !step->exists;
	return end_min << MARK_BITS | (uint64_t)b.unknown << HALF_BITS | b.all;
}

static struct dictionary_block count(const struct session *s, uint64_t tag, int64_t period_us,
				     bool exists)
{
	struct step step = {
	    (uint64_t)s->world.ops->boot_us(s->world.self),
	    (uint64_t)period_us,
	    exists,
	};

	return unpack(s->world.ops->counter_update(s->world.self, tag, count_change, &step));
}

bool dictionary_note(const struct session *s, const struct settings *set, bool exists,
		     struct dictionary_block *out)
{
	const struct dictionary_attack_settings *mine = &set->dictionary_attack;
	struct list_entry entry;
	uint64_t tag;

	if (mine->mode == MODE_OFF || s->own || client_is_proxy(s))
		return false;
	/* Another session of the client may have reached it since this one began. */
	if (!exists && dictionary_blocked(s, out))
		return true;
	tag = client_tag(s, TABLE_MARK, DICTIONARY_COUNT);
	*out = count(s, tag, mine->unknown.period_us, exists);
	if (exists || !reached(mine, out) ||
	    exemption_find(s, CHECK_dictionary_attack, &entry) != ANSWER_NO)
		return false;
	block(s, set, out);
	/* When the block is over, the client begins anew. */
	s->world.ops->counter_forget(s->world.self, tag);
	return true;
}
