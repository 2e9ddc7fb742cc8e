/* The content of a signed message (RFC 5652 5.1), taken out of BER byte by byte: no stack, since
 * the way to it is always the same, and what follows it is of no interest. */
#include "policy/message/mime_decode.h"

enum { TAG, LENGTH, LENGTH_BYTES, VALUE }; /* of `phase` */

enum { CONTENT = 9, OVER, OTHER, SEALED, UNREADABLE }; /* of `step`, behind those of the table */

enum {
	OCTET_STRING = 0x04,
	OBJECT_ID = 0x06,
	SEQUENCE = 0x30,
	SET = 0x31,
	CONSTRUCTED = 0x20, /* a bit of the tag */
	CONTEXT_0 = 0xa0,
	TYPE_BYTES = 9, /* of an id of PKCS #7 */
};

/* ContentInfo { contentType, [0] SignedData { version, digestAlgorithms, EncapsulatedContentInfo {
 * eContentType, [0] OCTET STRING ...  Of what is constructed only the head is taken, but for the
 * set, which is passed over. */
static const uint8_t way[CONTENT] = {SEQUENCE, OBJECT_ID, CONTEXT_0, SEQUENCE, 0x02,
				     SET,      SEQUENCE,  OBJECT_ID, CONTEXT_0};

/* 1.2.840.113549.1.7.x: 2 is signed data, 3 and what else begins alike is encrypted or so. */
static const uint8_t pkcs7[TYPE_BYTES - 1] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07};
enum { SIGNED_DATA = 2, ENVELOPED_DATA = 3 };

/* What is no CMS yet is none; what was, can't be read. */
static void fail(struct mime_decoder *d)
{
	d->step = d->step <= 1 ? OTHER : UNREADABLE;
}

static bool enters(const struct mime_decoder *d)
{
	return d->tag & CONSTRUCTED && d->tag != SET;
}

static void take_tag(struct mime_decoder *d, uint8_t c)
{
	d->tag = c;
	d->phase = LENGTH;
	if (d->step < CONTENT && c != way[d->step])
		fail(d);
	/* Certificates, signatures.  (0: the end of a string of strings, or of what it stands in.)
	 */
	else if (d->step == CONTENT && c != 0 && (c & ~CONSTRUCTED) != OCTET_STRING)
		d->step = OVER;
}

static void end_value(struct mime_decoder *d)
{
	d->phase = TAG;
	if (d->step < CONTENT)
		d->step++;
}

static void end_length(struct mime_decoder *d)
{
	d->phase = VALUE;
	if (d->step == 1 && d->bits != TYPE_BYTES)
		fail(d);
	else if (enters(d) || d->bits == 0)
		end_value(d);
}

static void take_length(struct mime_decoder *d, uint8_t c)
{
	d->bits = c & 0x7f;
	if (!(c & 0x80)) {
		end_length(d);
	} else if (c == 0x80) {
		/* until an end that is marked: of what is not entered it can't be found */
		if (enters(d))
			end_value(d);
		else
			fail(d);
	} else {
		d->left = c & 0x7f;
		d->bits = 0;
		d->phase = LENGTH_BYTES;
	}
}

static void take_length_byte(struct mime_decoder *d, uint8_t c)
{
	if (d->bits >> 24)
		fail(d);
	d->bits = d->bits << 8 | c;
	if (--d->left == 0 && d->step <= CONTENT)
		end_length(d);
}

static void take_type(struct mime_decoder *d, uint8_t c)
{
	const uint32_t at = TYPE_BYTES - d->bits;

	if (at < sizeof(pkcs7) ? c != pkcs7[at] : c != SIGNED_DATA)
		d->step = at == sizeof(pkcs7) && c == ENVELOPED_DATA ? SEALED : OTHER;
}

/* The rest of a piece in one step. */
static size_t take_value(struct mime_decoder *d, const char *p, size_t n, char *out)
{
	const size_t take = d->bits < n ? d->bits : n;

	if (d->step == CONTENT)
		memcpy(out, p, take);
	else if (d->step == 1)
		take_type(d, (uint8_t)*p);
	d->bits -= d->step == 1 ? 1 : (uint32_t)take;
	return d->step == 1 ? 1 : take;
}

size_t mime_decode_cms(struct mime_decoder *d, const char *p, size_t n, char *out)
{
	size_t put = 0;

	for (size_t i = 0; i < n && d->step <= CONTENT;) {
		size_t took = 1;

		switch (d->phase) {
		case TAG:
			take_tag(d, (uint8_t)p[i]);
			break;
		case LENGTH:
			take_length(d, (uint8_t)p[i]);
			break;
		case LENGTH_BYTES:
			take_length_byte(d, (uint8_t)p[i]);
			break;
		default: {
			const bool content = d->step == CONTENT;

			took = take_value(d, p + i, n - i, out + put);
			if (content)
				put += took;
			if (d->bits == 0 && d->step <= CONTENT)
				end_value(d);
		}
		}
		i += took;
	}
	return put;
}

enum mime_cms_what mime_decode_cms_what(const struct mime_decoder *d)
{
	switch (d->step) {
	case OTHER:
		return MIME_CMS_OTHER;
	case SEALED:
		return MIME_CMS_SEALED;
	case UNREADABLE:
		return MIME_CMS_UNREADABLE;
	default:
		return MIME_CMS_SIGNED;
	}
}
