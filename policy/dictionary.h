/* Dictionary attacks: the recipients of one client that do not exist, counted over all workers.
 *
 * A count alone would block every large provider on day one, so it takes a count *and* a share of
 * all the client's recipients.  Only "does not exist" counts; a hop's quota or policy says nothing.
 */
#ifndef POLICY_DICTIONARY_H
#define POLICY_DICTIONARY_H

#include "policy/check.h"

/* A client's block: how many did not exist of how many.  False: not blocked. */
struct dictionary_block {
	uint32_t unknown, all;
};
bool dictionary_blocked(const struct session *s, struct dictionary_block *out);

/* Remembers that a recipient of the client exists or doesn't.  True if that makes (or finds) the
 * client blocked; *out says by what.  Own clients aren't counted. */
bool dictionary_note(const struct session *s, const struct settings *set, bool exists,
		     struct dictionary_block *out);

/* "50 of 60 recipients do not exist", in the check's arena. */
struct text dictionary_fact(const struct session *s, const struct dictionary_block *b);

/* The space of the client's tally (client_tag()), for the tool that lifts a block. */
#define DICTIONARY_COUNT "dictionary count"

#endif
