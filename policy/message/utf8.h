/* UTF-8, strictly (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF. */
#ifndef POLICY_MESSAGE_UTF8_H
#define POLICY_MESSAGE_UTF8_H

#include "shm/base/text.h"

/* The length of the character at the start of t, 1 to 4, and its number in *c (c may be NULL);
 * 0 if t is empty or does not start with a character. */
size_t utf8_first(struct text t, uint32_t *c);

bool utf8_is_valid(struct text t);

/* All of t below 0x80? */
bool text_is_ascii(struct text t);

/* Writes c (at most U+10FFFF) as UTF-8: its length. */
size_t utf8_put(uint32_t c, char dst[4]);

#endif
