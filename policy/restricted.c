/* Restricted characters in a local part.  O'Brien, VERP (a+b=c@d), SRS0=... and prvs=... have none.
 */
#include "policy/restricted.h"

struct text restricted_reason(const struct session *s, const struct mailbox *m,
			      struct text characters, bool leading_dot, bool blanks)
{
	struct text local = m->local;

	if (leading_dot && local.n > 0 && local.p[0] == '.')
		return LIT("the local part begins with a dot");
	for (size_t i = 0; i < local.n; i++) {
		unsigned char c = (unsigned char)local.p[i];

		if (blanks && (c <= ' ' || c == 0x7f))
			return fact(s, "the local part has the character 0x%02x", c);
		if (text_find(characters, (char)c) < characters.n)
			return fact(s, "the local part has '%c'", c);
	}
	return LIT("");
}
