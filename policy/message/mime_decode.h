/* Decoders of transfer encodings (RFC 2045 6, and uuencode) for bytes that come in pieces: as
 * generous as the most generous mail program. */
#ifndef POLICY_MESSAGE_MIME_DECODE_H
#define POLICY_MESSAGE_MIME_DECODE_H

#include "policy/message/mime.h"

struct mime_decoder {
	enum mime_encoding encoding;
	uint32_t bits;  /* base64 and uuencode: digits of the group at hand */
	uint8_t digits; /* how many */
	uint8_t state;
	uint8_t held;  /* quoted-printable: the first digit behind a "=" */
	uint16_t left; /* uuencode: bytes that the line still gives */
};

/* What one call may put out more than it takes in. */
enum { MIME_DECODE_MORE = 2 };

/* Decodes n bytes into out, which has room for n + MIME_DECODE_MORE; how many it gave.  A zeroed
 * decoder with its encoding set is one at the start.  Not for MIME_IDENTITY. */
size_t mime_decode(struct mime_decoder *d, const char *p, size_t n, char *out);

#endif
