/* The client is blocked for a while, because too many of its recipients did not exist
 * (policy/dictionary.h counts them). */
#include "policy/block.h"
#include "policy/dictionary.h"

struct verdict check_dictionary_attack(const struct session *s, const struct settings *set)
{
	struct dictionary_block b;
	struct verdict v;

	(void)set;
	if (!dictionary_blocked(s, &b))
		return pass();
	v = reject(REPLY_DICTIONARY_ATTACK, LIT(""), dictionary_fact(s, &b));
	v.remedy = block_remedy(s);
	return v;
}
