/* Blocks, over the marks of the counter table. */
#include "policy/block.h"

#include "policy/mark.h"
#include "policy/walk.h"
#include "shm/segment.h"

static uint64_t block_tag(const struct session *s, enum check_id check)
{
	return client_tag(s, TABLE_MARK, check_row(check)->name);
}

bool block_stands(const struct session *s, enum check_id check, struct tally *why)
{
	uint64_t bits = mark_read(s, block_tag(s, check));

	*why = tally_unpack(bits);
	return bits != 0;
}

static void __attribute__((noinline))
emit_block(const struct session *s, const struct settings *set, enum check_id check, uint64_t bits,
	   int64_t life_us, struct text facts)
{
	int64_t now_us = s->world.ops->wall_us(s->world.self);
	const struct check_row *row = check_row(check);
	struct ip key = client_key(s);
	struct net net = {key, ip_is4(&key) ? 128 : 64};
	char shown[NET_TEXT_MAX];
	struct event e;

	event_begin(&e, EVENT_BLOCK, now_us);
	event_text(&e, FIELD_check, text_of(row->name));
	event_text(&e, FIELD_mode, text_of(check_mode_name(walk_mode(s, check, set))));
	event_text(&e, FIELD_key, text_of(net_format(&net, shown)));
	event_ip(&e, FIELD_client, &s->client);
	event_text(&e, FIELD_helo, s->helo);
	event_text(&e, FIELD_facts, facts);
	event_int(&e, FIELD_tag, (int64_t)block_tag(s, check));
	event_int(&e, FIELD_mark, (int64_t)bits);
	event_int(&e, FIELD_until, now_us + life_us);
	event_text(&e, FIELD_session, text_of(s->id));
	s->world.ops->emit(s->world.self, &e);
}

bool block_client(const struct session *s, const struct settings *set, enum check_id check,
		  struct tally why, int64_t life_us, struct text facts)
{
	uint64_t bits = tally_pack(why);

	if (!mark_claim(s, block_tag(s, check), bits, life_us))
		return false;
	s->world.ops->count(s->world.self, METRIC_blocks, 1);
	emit_block(s, set, check, bits, life_us, facts);
	return true;
}

struct text block_remedy(const struct session *s)
{
	return fact(s, "blocks del %.*s", TEXT(s->client_text));
}
