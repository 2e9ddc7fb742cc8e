/* Strings from the network: comparing, cutting, and appending to buffers of a fixed size. */
#include "shm/base/text.h"

#include <stdarg.h>
#include <stdio.h>

/* Not tolower(3): that one follows the locale. */
static inline char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static bool same_bytes_icase(const char *a, const char *b, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (lower(a[i]) != lower(b[i]))
			return false;
	}
	return true;
}

bool text_ieq(struct text a, struct text b)
{
	return a.n == b.n && same_bytes_icase(a.p, b.p, a.n);
}

bool text_istarts(struct text t, struct text prefix)
{
	return t.n >= prefix.n && same_bytes_icase(t.p, prefix.p, prefix.n);
}

bool text_iends(struct text t, struct text suffix)
{
	if (t.n < suffix.n)
		return false;
	return suffix.n == 0 || same_bytes_icase(t.p + (t.n - suffix.n), suffix.p, suffix.n);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct text text_trim(struct text t)
{
	while (t.n > 0 && is_blank(t.p[0])) {
		t.p++;
		t.n--;
	}
	while (t.n > 0 && is_blank(t.p[t.n - 1]))
		t.n--;
	return t;
}

size_t text_find(struct text t, char c)
{
	const char *at = t.n > 0 ? memchr(t.p, c, t.n) : NULL;

	return at ? (size_t)(at - t.p) : t.n;
}

bool text_split(struct text t, char c, struct text *head, struct text *tail)
{
	size_t at = text_find(t, c);
	bool found = at < t.n;

	*head = text_make(t.p, at);
	*tail = found ? text_make(t.p + at + 1, t.n - at - 1) : text_make(NULL, 0);
	return found;
}

bool text_u64(struct text t, uint64_t *out)
{
	uint64_t v = 0;

	if (t.n == 0)
		return false;
	for (size_t i = 0; i < t.n; i++) {
		if (t.p[i] < '0' || t.p[i] > '9')
			return false;
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(t.p[i] - '0'), &v))
			return false;
	}
	*out = v;
	return true;
}

size_t text_cstr(struct text t, char *dst, size_t size)
{
	size_t n = t.n;

	if (size == 0)
		return 0;
	if (n > size - 1)
		n = size - 1;
	if (n > 0)
		memcpy(dst, t.p, n);
	dst[n] = '\0';
	return n;
}

void text_lower(struct text t, char *dst)
{
	for (size_t i = 0; i < t.n; i++)
		dst[i] = lower(t.p[i]);
}

void buf_put(struct buf *b, const void *p, size_t n)
{
	size_t room = b->cap - 1 - b->n;

	if (n > room) {
		n = room;
		b->cut = true;
	}
	if (n > 0)
		memcpy(b->p + b->n, p, n);
	b->n += n;
	b->p[b->n] = '\0';
}

void buf_text(struct buf *b, struct text t)
{
	buf_put(b, t.p, t.n);
}

void buf_char(struct buf *b, char c)
{
	buf_put(b, &c, 1);
}

void buf_u64(struct buf *b, uint64_t n)
{
	char digits[20];
	size_t at = sizeof(digits);

	do
		digits[--at] = (char)('0' + n % 10);
	while (n /= 10);
	buf_put(b, digits + at, sizeof(digits) - at);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	size_t room = b->cap - b->n;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(b->p + b->n, room, fmt, ap);
	va_end(ap);
	if (n < 0) {
		b->p[b->n] = '\0';
		b->cut = true;
	} else if ((size_t)n >= room) {
		b->n = b->cap - 1;
		b->cut = true;
	} else {
		b->n += (size_t)n;
	}
}

void buf_escaped(struct buf *b, struct text t)
{
	static const char hex[] = "0123456789ABCDEF";

	for (size_t i = 0; i < t.n; i++) {
		unsigned char c = (unsigned char)t.p[i];
		char esc[4] = {'\\', 'x', hex[c >> 4], hex[c & 15]};

		if (c >= 0x20 && c < 0x7f && c != '\\' && c != '"') {
			buf_char(b, (char)c);
		} else if (b->cap - 1 - b->n < sizeof(esc)) {
			/* half an escape would read as something else */
			b->cut = true;
			return;
		} else {
			buf_put(b, esc, sizeof(esc));
		}
	}
}
