/* Decoders of transfer encodings (RFC 2045 6, uuencode, yEnc, and the wrapping of signed messages)
 * for bytes that come in pieces: as generous as the most generous mail program. */
#ifndef POLICY_MESSAGE_MIME_DECODE_H
#define POLICY_MESSAGE_MIME_DECODE_H

#include "policy/message/mime.h"

struct mime_decoder {
	enum mime_encoding encoding;
	uint32_t bits;  /* base64 and uuencode: digits of the group at hand */
	uint8_t digits; /* how many */
	uint8_t state;
	uint8_t held;  /* quoted-printable: the first digit behind a "=" */
	uint16_t left; /* uuencode: bytes that the line still gives; CMS: of a length */
	/* CMS: where on the way to the content it is, and in which part of an element, whose length
	 * (or what is left of it) are the bits */
	uint8_t step, phase, tag;
};

/* What one call may put out more than it takes in. */
enum { MIME_DECODE_MORE = 2 };

/* Decodes n bytes into out, which has room for n + MIME_DECODE_MORE; how many it gave.  A zeroed
 * decoder with its encoding set is one at the start.  Not for MIME_IDENTITY. */
size_t mime_decode(struct mime_decoder *d, const char *p, size_t n, char *out);

/* The part of it that is for CMS, and what the bytes so far were. */
size_t mime_decode_cms(struct mime_decoder *d, const char *p, size_t n, char *out);
enum mime_cms_what {
	MIME_CMS_SIGNED,     /* signed data, as far as they tell */
	MIME_CMS_OTHER,      /* no CMS, or a kind that carries nothing */
	MIME_CMS_SEALED,     /* encrypted */
	MIME_CMS_UNREADABLE, /* signed data, but written in no way that is known */
};
enum mime_cms_what mime_decode_cms_what(const struct mime_decoder *d);

#endif
