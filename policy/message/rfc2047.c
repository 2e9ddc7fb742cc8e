/* Encoded words in header values (RFC 2047). */
#include "policy/message/rfc2047.h"

#include "policy/message/charset.h"
#include "policy/message/header.h"
#include "shm/base/base64.h"

/* A view of "=?charset?B?text?=". */
struct word {
	struct text charset;
	struct text encoded;
	char encoding; /* 'B' or 'Q' */
	size_t n;      /* of the whole */
};

/* The encoded word at the start of t; false if there is none.  *no_end remembers that there is no
 * "?=" in the rest of the text, without which a long row of "=?a?q?" would take the square of its
 * length. */
static bool find_word(struct text t, struct word *w, bool *no_end)
{
	struct text language;
	size_t i;

	if (*no_end || t.n < 6 || t.p[0] != '=' || t.p[1] != '?')
		return false;
	i = 2 + text_find(text_make(t.p + 2, t.n - 2), '?');
	if (i + 3 >= t.n || i == 2 || t.p[i + 2] != '?')
		return false;
	w->charset = text_make(t.p + 2, i - 2);
	if (text_find(w->charset, ' ') < w->charset.n || text_find(w->charset, '=') < w->charset.n)
		return false;
	text_split(w->charset, '*', &w->charset, &language);
	w->encoding = (char)(t.p[i + 1] & ~0x20);
	if (w->encoding != 'B' && w->encoding != 'Q')
		return false;
	i += 3;
	for (size_t start = i; i + 1 < t.n; i++) {
		if (t.p[i] == '?' && t.p[i + 1] == '=') {
			w->encoded = text_make(t.p + start, i - start);
			w->n = i + 2;
			return true;
		}
	}
	*no_end = true;
	return false;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c & ~0x20);
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static size_t decode_q(struct text t, char *dst)
{
	size_t n = 0;

	for (size_t i = 0; i < t.n; i++) {
		char c = t.p[i] == '_' ? ' ' : t.p[i];

		if (c == '=' && t.n - i > 2) {
			int high = hex_digit(t.p[i + 1]), low = hex_digit(t.p[i + 2]);

			if (high >= 0 && low >= 0) {
				c = (char)(high << 4 | low);
				i += 2;
			}
		}
		dst[n++] = c;
	}
	return n;
}

/* What is no digit is skipped; padding ends a group and may be followed by another. */
static size_t decode_b(struct text t, char *dst)
{
	unsigned bits = 0, have = 0;
	size_t n = 0;

	for (size_t i = 0; i < t.n; i++) {
		int d = base64_digit(t.p[i]);

		if (t.p[i] == '=')
			have = 0;
		if (d < 0)
			continue;
		bits = (bits << 6 | (unsigned)d) & 0xffff;
		have += 6;
		if (have >= 8) {
			have -= 8;
			dst[n++] = (char)(bits >> have);
		}
	}
	return n;
}

/* Bytes of adjacent words in one charset, not converted yet.  They take less room than the words.
 */
struct pending {
	struct text charset;
	char *bytes;
	size_t n;
};

static void flush(struct pending *p, struct buf *out)
{
	if (p->n > 0)
		charset_to_utf8(p->charset, text_make(p->bytes, p->n), out);
	p->n = 0;
}

static void add_word(struct pending *p, const struct word *w, struct buf *out)
{
	if (p->n > 0 && !text_ieq(p->charset, w->charset))
		flush(p, out);
	p->charset = w->charset;
	if (w->encoding == 'B')
		p->n += decode_b(w->encoded, p->bytes + p->n);
	else
		p->n += decode_q(w->encoded, p->bytes + p->n);
}

static size_t blanks_at(struct text t)
{
	size_t n = 0;

	while (n < t.n && (t.p[n] == ' ' || t.p[n] == '\t'))
		n++;
	return n;
}

/* Plain text up to where the next encoded word may start. */
static size_t plain_extent(struct text t)
{
	size_t n = 1;

	while (n < t.n && (t.p[n] != '=' || n + 1 == t.n || t.p[n + 1] != '?'))
		n++;
	return n;
}

void rfc2047_open(void)
{
	charset_open_all();
}

struct text rfc2047_decode(struct text body, size_t max, struct arena *a)
{
	struct text t = header_unfold(body, a);
	struct pending pending = {.bytes = arena_alloc(a, t.n + 1)};
	size_t cap = t.n < max / 3 ? t.n * 3 : max; /* a byte gives three at most */
	struct buf out = buf_over(arena_alloc(a, cap + 1), cap + 1);
	struct word w;
	bool no_end = false;

	while (t.n > 0 && !out.cut) {
		size_t n;

		if (find_word(t, &w, &no_end)) {
			add_word(&pending, &w, &out);
			n = w.n;
			/* blanks vanish between two words, and only there */
			size_t gap = blanks_at(text_make(t.p + n, t.n - n));
			if (find_word(text_make(t.p + n + gap, t.n - n - gap), &w, &no_end))
				n += gap;
			else
				flush(&pending, &out);
		} else {
			n = plain_extent(t);
			charset_to_utf8(LIT("utf-8"), text_make(t.p, n), &out);
		}
		t = text_make(t.p + n, t.n - n);
	}
	flush(&pending, &out);
	return buf_view(&out);
}
