/* RSA keys in DER (worker/inspect/rsa_key.h). */
#include "worker/inspect/rsa_key.h"

enum { TAG_INTEGER = 0x02, TAG_BITS = 0x03, TAG_OID = 0x06, TAG_SEQUENCE = 0x30 };

static const struct text oid = LIT("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01"); /* rsaEncryption */
/* What stands in front of a bare key: the algorithm, with its parameters NULL. */
static const struct text algorithm =
    LIT("\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\0");

/* The contents of the first element; false: it isn't of that kind, or not all there. */
static bool take(struct text *t, unsigned char tag, struct text *out)
{
	const unsigned char *p = (const unsigned char *)t->p;
	size_t n, head = 2;

	if (t->n < 2 || p[0] != tag)
		return false;
	n = p[1];
	if (n >= 0x80) {
		const size_t bytes = n & 0x7f;

		if (bytes == 0 || bytes > 3 || t->n < 2 + bytes)
			return false;
		n = 0;
		for (size_t i = 0; i < bytes; i++)
			n = n << 8 | p[2 + i];
		head += bytes;
	}
	if (n > t->n - head)
		return false;
	*out = text_make(t->p + head, n);
	*t = text_make(t->p + head + n, t->n - head - n);
	return true;
}

static unsigned bits_of(struct text number)
{
	unsigned bits = 0;

	while (number.n > 0 && number.p[0] == 0)
		number = text_make(number.p + 1, number.n - 1);
	if (number.n == 0)
		return 0;
	for (unsigned char top = (unsigned char)number.p[0]; top; top >>= 1)
		bits++;
	return bits + 8 * (unsigned)(number.n - 1);
}

static bool read_bare(struct text t, unsigned *bits)
{
	struct text key, modulus, exponent;

	if (!take(&t, TAG_SEQUENCE, &key) || t.n > 0 || !take(&key, TAG_INTEGER, &modulus) ||
	    !take(&key, TAG_INTEGER, &exponent) || key.n > 0)
		return false;
	*bits = bits_of(modulus);
	return *bits > 0;
}

static bool read_info(struct text t, unsigned *bits)
{
	struct text info, kind, name, key;

	if (!take(&t, TAG_SEQUENCE, &info) || t.n > 0 || !take(&info, TAG_SEQUENCE, &kind) ||
	    !take(&kind, TAG_OID, &name) || !text_eq(name, oid) || !take(&info, TAG_BITS, &key) ||
	    key.n == 0 || key.p[0] != 0)
		return false;
	return read_bare(text_make(key.p + 1, key.n - 1), bits);
}

/* ---- The other way */

static void put_head(struct buf *b, unsigned char tag, size_t n)
{
	buf_char(b, (char)tag);
	if (n >= 0x100)
		buf_char(b, (char)0x82);
	else if (n >= 0x80)
		buf_char(b, (char)0x81);
	if (n >= 0x100)
		buf_char(b, (char)(n >> 8));
	buf_char(b, (char)n);
}

static size_t head_size(size_t n)
{
	return n >= 0x100 ? 4 : n >= 0x80 ? 3 : 2;
}

static struct text wrap(struct text bare, struct arena *a)
{
	const size_t bits = 1 + bare.n, inner = algorithm.n + head_size(bits) + bits;
	const size_t room = inner + head_size(inner) + 1;
	struct buf b = buf_over(arena_alloc(a, room), room);

	put_head(&b, TAG_SEQUENCE, inner);
	buf_text(&b, algorithm);
	put_head(&b, TAG_BITS, bits);
	buf_char(&b, 0); /* no bits are left over */
	buf_text(&b, bare);
	return buf_view(&b);
}

bool rsa_key_read(struct text der, struct arena *a, struct text *whole, unsigned *bits)
{
	if (der.n > UINT16_MAX / 2)
		return false;
	*whole = der;
	if (read_info(der, bits))
		return true;
	if (!read_bare(der, bits))
		return false;
	*whole = wrap(der, a);
	return true;
}
