/* The header section of a message, as a list of fields (RFC 5322 2.2, 3.6, 4.5), and what is wrong
 * with it.  The list only points into the caller's bytes. */
#ifndef POLICY_MESSAGE_HEADER_H
#define POLICY_MESSAGE_HEADER_H

#include "shm/base/arena.h"
#include "shm/base/text.h"

struct header_field {
	struct text name;  /* without the blanks that obsolete syntax allows before the colon */
	struct text body;  /* folded as it came, without the line end at its end */
	struct text whole; /* the lines, line ends included */
};

/* Bits of `flaws`. */
enum header_flaw {
	HEADER_NAME_NOT_ASCII = 1 << 0, /* a name with bytes >= 0x80 */
	HEADER_NAME_CONTROL = 1 << 1,   /* a name with a control character, NUL or DEL */
	HEADER_MALFORMED_LINE = 1 << 2, /* a line that is no field and continues none */
	HEADER_NO_FROM = 1 << 3,
	HEADER_NO_DATE = 1 << 4,
	HEADER_RAW_8BIT = 1 << 5,        /* a value with bytes >= 0x80; legal with SMTPUTF8 */
	HEADER_LONG_LINE = 1 << 6,       /* over 998 octets without its line end */
	HEADER_TOO_MANY_FIELDS = 1 << 7, /* those past the cap aren't in the list */
};

enum { HEADER_FIELDS_MAX = 4096, HEADER_LINE_MAX = 998 };

struct header {
	const struct header_field *fields; /* in the order of the message */
	size_t count;
	unsigned flaws;
	size_t size; /* octets of the section, with the empty line at its end if there is one */
	struct text
	    first_bad;   /* the first line or name behind a NAME or MALFORMED flaw, for the log */
	bool hides_from; /* one of them may be a From: to others */
};

/* Reads up to the first empty line or the end of t (so t may be the whole message).  Lines end in
 * CR LF or LF.  A malformed line is noted and skipped, with its continuation lines: what stands
 * below it still counts, because the recipient's program may read it so.  An mbox "From " line at
 * the top is skipped without a note.  At most max_fields are listed (HEADER_FIELDS_MAX if that is
 * 0).  Never NULL; list and struct live in the arena, the texts in t. */
const struct header *header_parse(struct text t, size_t max_fields, struct arena *a);

/* The first field of that name (any case) behind `after`, or from the top if that is NULL; NULL:
 * none. */
const struct header_field *header_find(const struct header *h, struct text name,
				       const struct header_field *after);
/* How many of that name; of "Received" it is the hop count. */
size_t header_count(const struct header *h, struct text name);

/* A body on one line: line ends gone, blanks trimmed at both ends (RFC 5322 2.2.3). */
struct text header_unfold(struct text body, struct arena *a);

/* 1*ftext of RFC 5322: printable ASCII without the colon. */
bool header_name_valid(struct text name);

/* The body of a Reply-To that is there and names nobody: nothing is left of it, or "<>", once
 * comments and blanks are gone. */
bool reply_to_is_blank(struct text body);

#endif
