/* UTF-8, strictly. */
#include "policy/message/utf8.h"

static inline bool is_tail(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

size_t utf8_first(struct text t, uint32_t *c)
{
	static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
	unsigned char first;
	uint32_t value;
	size_t n;

	if (t.n == 0)
		return 0;
	first = (unsigned char)t.p[0];
	if (first < 0x80) {
		n = 1;
		value = first;
	} else if (first >= 0xc2 && first < 0xe0) {
		n = 2;
		value = first & 0x1f;
	} else if (first >= 0xe0 && first < 0xf0) {
		n = 3;
		value = first & 0x0f;
	} else if (first >= 0xf0 && first < 0xf5) {
		n = 4;
		value = first & 0x07;
	} else {
		return 0;
	}
	if (t.n < n)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if (!is_tail(t.p[i]))
			return 0;
		value = value << 6 | ((unsigned char)t.p[i] & 0x3f);
	}
	if (value < least[n] || value > 0x10ffff || (value >= 0xd800 && value < 0xe000))
		return 0;
	if (c)
		*c = value;
	return n;
}

bool utf8_is_valid(struct text t)
{
	while (t.n > 0) {
		size_t n = utf8_first(t, NULL);

		if (n == 0)
			return false;
		t = text_make(t.p + n, t.n - n);
	}
	return true;
}

bool text_is_ascii(struct text t)
{
	for (size_t i = 0; i < t.n; i++) {
		if ((unsigned char)t.p[i] >= 0x80)
			return false;
	}
	return true;
}

size_t utf8_put(uint32_t c, char dst[4])
{
	if (c < 0x80) {
		dst[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		dst[0] = (char)(0xc0 | c >> 6);
		dst[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		dst[0] = (char)(0xe0 | c >> 12);
		dst[1] = (char)(0x80 | (c >> 6 & 0x3f));
		dst[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	dst[0] = (char)(0xf0 | c >> 18);
	dst[1] = (char)(0x80 | (c >> 12 & 0x3f));
	dst[2] = (char)(0x80 | (c >> 6 & 0x3f));
	dst[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}
