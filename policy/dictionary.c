/* Counting recipients that do not exist, and the block that follows. */
#include "policy/dictionary.h"

#include "policy/listed.h"
#include "policy/mark.h"
#include "policy/share.h"

static struct dictionary_block block_of(struct share share)
{
	return (struct dictionary_block){.unknown = share.part, .all = share.all};
}

bool dictionary_blocked(const struct session *s, struct dictionary_block *out)
{
	uint64_t bits = mark_read(s, client_tag(s, TABLE_MARK, DICTIONARY_BLOCK));

	*out = block_of(share_unpack(bits));
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

	mark_set(s, tag, share_pack((struct share){b->unknown, b->all}),
		 set->dictionary_attack.block);
	emit_block(s, set, b, tag);
}

static bool reached(const struct dictionary_attack_settings *set, const struct dictionary_block *b)
{
	return b->unknown >= set->unknown.n &&
	       (uint64_t)b->unknown * 100 >= (uint64_t)b->all * (uint64_t)set->share;
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
	*out = block_of(share_count(s, tag, mine->unknown.period_us, !exists));
	if (exists || !reached(mine, out) ||
	    exemption_find(s, CHECK_dictionary_attack, &entry) != ANSWER_NO)
		return false;
	block(s, set, out);
	/* When the block is over, the client begins anew. */
	s->world.ops->counter_forget(s->world.self, tag);
	return true;
}
