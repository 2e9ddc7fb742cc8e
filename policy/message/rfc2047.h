/* Encoded words in header values (RFC 2047, with the language of RFC 2231), for matching and
 * showing.
 *
 * Reads as generously as the most generous mail program, because what a recipient will see is what
 * a pattern is to match: words inside of other text, with blanks in them, or longer than 75
 * characters are decoded too. */
#ifndef POLICY_MESSAGE_RFC2047_H
#define POLICY_MESSAGE_RFC2047_H

#include "shm/base/arena.h"
#include "shm/base/text.h"

/* Opens the charset converters, so that no file is loaded later (in a sandbox, or on a small
 * stack). Optional: without it a charset is opened when first met. */
void rfc2047_open(void);

/* A header body (folded or not) as UTF-8 on one line, at most `max` bytes, in the arena.  Blanks
 * between two encoded words vanish; a character that is cut in two by adjacent words of one charset
 * is put together again.  The result is always valid UTF-8: bytes that can't be converted (an
 * unknown charset, a broken sequence, raw 8 bit that is no UTF-8) are shown as the characters of
 * ISO 8859-1 with those numbers.  A word that is none is shown as it stands. */
struct text rfc2047_decode(struct text body, size_t max, struct arena *a);

#endif
