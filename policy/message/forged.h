/* Authentication-Results fields of a message that bear our own name (RFC 8601 5): whoever reads the
 * message behind us would take them for our word, so they are cut out of it, all of them.
 *
 * What counts is who might be taken for their author, not the grammar: comments, folding, quotes,
 * a version, blanks inside of the name, encoded words, U-labels and a colon on the next line hide
 * nothing; in what isn't closed every word counts.  A field of somebody else stays as it is, also
 * with our name in a comment, or in a result. */
#ifndef POLICY_MESSAGE_FORGED_H
#define POLICY_MESSAGE_FORGED_H

#include "shm/base/arena.h"

/* Bytes of a message from `start` up to `end`, which isn't one of them. */
struct cut {
	uint64_t start, end;
};

/* In order, none empty, none touching the next. */
struct cuts {
	const struct cut *v;
	size_t n;
};

/* In the header section (the message's first bytes, up to the empty line or its end).  The ids are
 * domain names in lower-case A-labels.  Time in proportion to the section; the list stands in the
 * arena. */
struct cuts forged_results(struct text section, const struct text *ids, size_t id_count,
			   struct arena *a);

#endif
