/* Base64. */
#include "shm/base/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_put(struct buf *out, struct text bytes)
{
	for (size_t i = 0; i < bytes.n; i += 3) {
		const size_t have = bytes.n - i < 3 ? bytes.n - i : 3;
		uint32_t group = 0;

		for (size_t k = 0; k < 3; k++)
			group = group << 8 | (k < have ? (unsigned char)bytes.p[i + k] : 0);
		for (size_t k = 0; k < 4; k++)
			buf_char(out, k <= have ? alphabet[group >> (18 - 6 * k) & 63] : '=');
	}
}

int base64_digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static size_t padding_of(struct text t)
{
	size_t n = 0;

	while (n < 2 && n < t.n && t.p[t.n - 1 - n] == '=')
		n++;
	return n;
}

/* Four characters, the last `pads` of them padding, as 3 - pads bytes. */
static bool decode_group(const char *p, size_t pads, char *dst)
{
	uint32_t group = 0;

	for (size_t k = 0; k < 4; k++) {
		const int v = k < 4 - pads ? base64_digit(p[k]) : 0;

		if (v < 0)
			return false;
		group = group << 6 | (uint32_t)v;
	}
	/* What the padding leaves over must be nothing, or one value could be written in many ways.
	 */
	if (group & ((1U << (8 * pads)) - 1))
		return false;
	for (size_t k = 0; k < 3 - pads; k++)
		dst[k] = (char)(group >> (16 - 8 * k));
	return true;
}

bool base64_decode(struct text t, char *dst, size_t *n)
{
	const size_t pads = padding_of(t);
	size_t done = 0;

	if (t.n % 4 != 0)
		return false;
	for (size_t i = 0; i < t.n; i += 4) {
		const size_t here = i + 4 == t.n ? pads : 0;

		if (!decode_group(t.p + i, here, dst + done))
			return false;
		done += 3 - here;
	}
	*n = done;
	return true;
}
