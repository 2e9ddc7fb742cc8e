/* Base64, quoted-printable, uuencode, yEnc, byte by byte. */
#include "policy/message/mime_decode.h"

/* What a base64 digit is worth; 255: it is none. */
static const uint8_t digits[256] = {
    [0 ... 255] = 255, ['A'] = 0,  ['B'] = 1,  ['C'] = 2,  ['D'] = 3,  ['E'] = 4,  ['F'] = 5,
    ['G'] = 6,         ['H'] = 7,  ['I'] = 8,  ['J'] = 9,  ['K'] = 10, ['L'] = 11, ['M'] = 12,
    ['N'] = 13,        ['O'] = 14, ['P'] = 15, ['Q'] = 16, ['R'] = 17, ['S'] = 18, ['T'] = 19,
    ['U'] = 20,        ['V'] = 21, ['W'] = 22, ['X'] = 23, ['Y'] = 24, ['Z'] = 25, ['a'] = 26,
    ['b'] = 27,        ['c'] = 28, ['d'] = 29, ['e'] = 30, ['f'] = 31, ['g'] = 32, ['h'] = 33,
    ['i'] = 34,        ['j'] = 35, ['k'] = 36, ['l'] = 37, ['m'] = 38, ['n'] = 39, ['o'] = 40,
    ['p'] = 41,        ['q'] = 42, ['r'] = 43, ['s'] = 44, ['t'] = 45, ['u'] = 46, ['v'] = 47,
    ['w'] = 48,        ['x'] = 49, ['y'] = 50, ['z'] = 51, ['0'] = 52, ['1'] = 53, ['2'] = 54,
    ['3'] = 55,        ['4'] = 56, ['5'] = 57, ['6'] = 58, ['7'] = 59, ['8'] = 60, ['9'] = 61,
    ['+'] = 62,        ['/'] = 63,
};

/* What is no digit is skipped.  Padding ends a group, and another may follow. */
static size_t decode_base64(struct mime_decoder *d, const char *p, size_t n, char *out)
{
	char *dst = out;

	for (size_t i = 0; i < n; i++) {
		uint8_t v = digits[(unsigned char)p[i]];

		if (v == 255) {
			if (p[i] == '=')
				d->digits = 0;
			continue;
		}
		d->bits = d->bits << 6 | v;
		/* each digit but a group's first completes a byte */
		if (d->digits > 0)
			*dst++ = (char)(d->bits >> (6 - 2 * d->digits));
		d->digits = (d->digits + 1) & 3;
	}
	return (size_t)(dst - out);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c & ~0x20);
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static char from_hex(char high, char low)
{
	return (char)((unsigned)hex_digit(high) << 4 | (unsigned)hex_digit(low));
}

enum { QP_PLAIN, QP_EQUAL, QP_DIGIT, QP_SOFT };

/* "=" and line end: the line goes on; blanks between them are forgiven.  "=" before anything else
 * stands for itself. */
static size_t decode_qp(struct mime_decoder *d, const char *p, size_t n, char *out)
{
	char *dst = out;

	for (size_t i = 0; i < n; i++) {
		char c = p[i];

		switch (d->state) {
		case QP_EQUAL:
			d->held = (uint8_t)c;
			if (hex_digit(c) >= 0) {
				d->state = QP_DIGIT;
				continue;
			}
			d->state = QP_SOFT;
			break;
		case QP_DIGIT:
			d->state = QP_PLAIN;
			if (hex_digit(c) >= 0) {
				*dst++ = from_hex((char)d->held, c);
				continue;
			}
			*dst++ = '=';
			*dst++ = (char)d->held;
			break;
		default:
			break;
		}
		if (d->state == QP_SOFT) {
			if (c == ' ' || c == '\t' || c == '\r')
				continue;
			d->state = QP_PLAIN;
			if (c == '\n')
				continue;
			*dst++ = '=';
		}
		if (c == '=')
			d->state = QP_EQUAL;
		else
			*dst++ = c;
	}
	return (size_t)(dst - out);
}

enum { UU_LENGTH, UU_DATA, UU_REST };

/* A line is its length as one character, and groups of four for three bytes each. */
static size_t decode_uu(struct mime_decoder *d, const char *p, size_t n, char *out)
{
	char *dst = out;

	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)p[i];

		if (c == '\n') {
			d->state = UU_LENGTH;
			continue;
		}
		if (d->state == UU_LENGTH) {
			d->left = (c - 32) & 63;
			d->digits = 0;
			d->state = d->left > 0 ? UU_DATA : UU_REST;
			continue;
		}
		if (d->state == UU_REST || c == '\r')
			continue;
		d->bits = d->bits << 6 | ((c - 32) & 63);
		if (d->digits > 0) {
			*dst++ = (char)(d->bits >> (6 - 2 * d->digits));
			if (--d->left == 0)
				d->state = UU_REST;
		}
		d->digits = (d->digits + 1) & 3;
	}
	return (size_t)(dst - out);
}

enum { YENC_LINE, YENC_LINE_ESCAPE, YENC_DATA, YENC_ESCAPE, YENC_KEYWORD };

/* Bytes are moved by 42, and by 64 more behind a "=".  "=y" at the beginning of a line is no data.
 */
static size_t decode_yenc(struct mime_decoder *d, const char *p, size_t n, char *out)
{
	char *dst = out;

	for (size_t i = 0; i < n; i++) {
		const unsigned char c = (unsigned char)p[i];

		if (c == '\n') {
			d->state = YENC_LINE;
		} else if (c == '\r' || d->state == YENC_KEYWORD) {
			continue;
		} else if (d->state == YENC_LINE_ESCAPE && c == 'y') {
			d->state = YENC_KEYWORD;
		} else if (d->state == YENC_LINE_ESCAPE || d->state == YENC_ESCAPE) {
			*dst++ = (char)(c - 64 - 42);
			d->state = YENC_DATA;
		} else if (c == '=') {
			d->state = d->state == YENC_LINE ? YENC_LINE_ESCAPE : YENC_ESCAPE;
		} else {
			*dst++ = (char)(c - 42);
			d->state = YENC_DATA;
		}
	}
	return (size_t)(dst - out);
}

size_t mime_decode(struct mime_decoder *d, const char *p, size_t n, char *out)
{
	switch (d->encoding) {
	case MIME_BASE64:
		return decode_base64(d, p, n, out);
	case MIME_QUOTED_PRINTABLE:
		return decode_qp(d, p, n, out);
	case MIME_UU:
		return decode_uu(d, p, n, out);
	case MIME_YENC:
		return decode_yenc(d, p, n, out);
	case MIME_CMS:
		return mime_decode_cms(d, p, n, out);
	default:
		return 0;
	}
}
