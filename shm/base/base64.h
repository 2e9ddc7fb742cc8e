/* Base64 (RFC 4648 4) as SASL has it (RFC 4954 4): strict.  Groups of four, padding only at the
 * end, no other character, no bits that mean nothing. */
#ifndef SHM_BASE_BASE64_H
#define SHM_BASE_BASE64_H

#include "shm/base/text.h"

/* Room that n bytes take when they are encoded (without a NUL), and that n characters may need when
 * they are decoded. */
static inline size_t base64_encoded_size(size_t n)
{
	return (n + 2) / 3 * 4;
}
static inline size_t base64_decoded_size(size_t n)
{
	return n / 4 * 3;
}

void base64_put(struct buf *out, struct text bytes);

/* What a character is worth, 0 to 63; -1: it is none of the alphabet (padding isn't, either).  For
 * who reads more generously than base64_decode(). */
int base64_digit(char c);

/* Into dst, which has room for base64_decoded_size(t.n) bytes and may be t.p itself.  False: t is
 * no base64. */
bool base64_decode(struct text t, char *dst, size_t *n);

#endif
