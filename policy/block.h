/* Blocks: for some time a client is refused because of what it did.
 *
 * The mark in the counter table is what refuses; the event goes to the log and to the keeper, which
 * lists the blocks and puts them in force again after a restart.  A check that blocks has one kind
 * of block, whose tag is of the client and the check's name (for the tool that lifts it). */
#ifndef POLICY_BLOCK_H
#define POLICY_BLOCK_H

#include "policy/check.h"
#include "policy/tally.h"

/* The client's block by that check, and the numbers that led to it; false: there is none. */
bool block_stands(const struct session *s, enum check_id check, struct tally *why);

/* Blocks the client for so long, and says so.  False: it was blocked by somebody else meanwhile. */
bool block_client(const struct session *s, const struct settings *set, enum check_id check,
		  struct tally why, int64_t life_us, struct text facts);

/* The tool's command that lifts it, in the check's arena. */
struct text block_remedy(const struct session *s);

#endif
