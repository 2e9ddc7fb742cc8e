/* Counting recipients that do not exist, and the block that follows. */
#include "policy/dictionary.h"

#include "policy/block.h"
#include "policy/listed.h"
#include "policy/mark.h"
#include "shm/base/clock.h"

static struct dictionary_block block_of(struct tally t)
{
	return (struct dictionary_block){.unknown = t.first, .all = t.second};
}

bool dictionary_blocked(const struct session *s, struct dictionary_block *out)
{
	struct tally why;
	bool stands = block_stands(s, CHECK_dictionary_attack, &why);

	*out = block_of(why);
	return stands;
}

struct text dictionary_fact(const struct session *s, const struct dictionary_block *b)
{
	return fact(s, "%u of the client's %u recipients do not exist", b->unknown, b->all);
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
	struct tally t;
	uint64_t tag;

	if (mine->mode == MODE_OFF || s->own || client_is_proxy(s))
		return false;
	/* Another session of the client may have reached it since this one began. */
	if (!exists && dictionary_blocked(s, out))
		return true;
	tag = client_tag(s, TABLE_MARK, DICTIONARY_COUNT);
	t = tally_add(s, tag, mine->unknown.period_us, !exists, 1);
	*out = block_of(t);
	if (exists || !reached(mine, out) ||
	    exemption_find(s, CHECK_dictionary_attack, &entry) != ANSWER_NO)
		return false;
	block_client(s, set, CHECK_dictionary_attack, t, mine->block, dictionary_fact(s, out));
	/* When the block is over, the client begins anew. */
	s->world.ops->counter_forget(s->world.self, tag);
	return true;
}
