/* Who a message says that it is from: the domain of From: (RFC 5322 3.6.2), which DMARC judges.
 *
 * The parser takes a field for good only where all readers will agree on its author.  Addresses
 * outside of quoted strings and comments all count, wherever they stand, so "ceo@bank.example
 * <x@evil.example>" has no single one; where the grammar is left so far that programs differ
 * (nested brackets, source routes, two '@', blanks inside of an address) the field is malformed.
 * What honest mail has is let pass: dots, commas and a lone '@' in names that should be quoted. */
#ifndef POLICY_MESSAGE_AUTHOR_H
#define POLICY_MESSAGE_AUTHOR_H

#include "policy/message/header.h"

enum author_status {
	AUTHOR_ONE,         /* every mailbox is in one domain */
	AUTHOR_MISSING,     /* no From: at all */
	AUTHOR_EMPTY_GROUP, /* "undisclosed:;": legal, and nobody (RFC 6854) */
	AUTHOR_NAMED, /* "ceo@bank.example <x@evil.example>": one address, another in its name */
	/* From here on readers could be shown different authors: */
	AUTHOR_REPEATED,  /* more than one From: */
	AUTHOR_SEVERAL,   /* mailboxes in several domains */
	AUTHOR_GROUP,     /* a group with somebody in it */
	AUTHOR_MALFORMED, /* no address, or one that programs read differently */
	AUTHOR_STATUS_COUNT
};

struct author {
	enum author_status status;
	/* Of AUTHOR_ONE: lower case, A-labels; an address literal in its brackets. */
	struct text domain;
	size_t mailboxes; /* that were read; of what isn't AUTHOR_ONE maybe not all */
};

/* "several From fields": for people. */
const char *author_status_text(enum author_status s);

static inline bool author_is_ambiguous(enum author_status s)
{
	return s >= AUTHOR_REPEATED;
}

/* Of the whole header; the domain stands in the arena.  Takes time in proportion to the field, and
 * memory for a few domains, whatever it holds. */
struct author author_of(const struct header *h, struct arena *a);

/* Of one body, folded as it came: never AUTHOR_MISSING or AUTHOR_REPEATED. */
struct author author_parse(struct text body, struct arena *a);

#endif
