/* The parameters of MAIL and RCPT, and xtext. */
#include "policy/message/esmtp_params.h"

static bool is_keyword_char(char c, bool first)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c == '-' && !first);
}

/* RFC 5321's esmtp-value, and RFC 6531's, which adds UTF-8. */
static bool is_value_char(char c)
{
	unsigned char u = (unsigned char)c;

	return u > 32 && u != '=' && u != 127;
}

enum esmtp_next esmtp_param_next(struct text *rest, struct esmtp_param *out)
{
	struct text t = *rest;
	size_t i = 0;

	while (t.n > 0 && t.p[0] == ' ')
		t = text_make(t.p + 1, t.n - 1);
	*rest = t;
	if (t.n == 0)
		return ESMTP_END;
	while (i < t.n && is_keyword_char(t.p[i], i == 0))
		i++;
	*out = (struct esmtp_param){.keyword = text_make(t.p, i)};
	if (i == 0)
		return ESMTP_SYNTAX;
	if (i < t.n && t.p[i] == '=') {
		size_t start = ++i;

		while (i < t.n && is_value_char(t.p[i]))
			i++;
		if (i == start)
			return ESMTP_SYNTAX;
		out->value = text_make(t.p + start, i - start);
		out->has_value = true;
	}
	if (i < t.n && t.p[i] != ' ')
		return ESMTP_SYNTAX;
	out->whole = text_make(t.p, i);
	*rest = text_make(t.p + i, t.n - i);
	return ESMTP_PARAM;
}

/* RFC 3461 asks for capitals; lower case has no other meaning. */
static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

/* Into dst, which has room for t.n bytes, or only checks if that is NULL. */
static bool decode(struct text t, char *dst, size_t *n)
{
	*n = 0;
	for (size_t i = 0; i < t.n; i++) {
		char c = t.p[i];

		if (c < 33 || c > 126 || c == '=')
			return false;
		if (c == '+') {
			int high = t.n - i > 2 ? hex_digit(t.p[i + 1]) : -1;
			int low = t.n - i > 2 ? hex_digit(t.p[i + 2]) : -1;

			if (high < 0 || low < 0)
				return false;
			c = (char)(high << 4 | low);
			i += 2;
		}
		if (dst)
			dst[*n] = c;
		++*n;
	}
	return true;
}

bool xtext_is_valid(struct text t)
{
	size_t n;

	return decode(t, NULL, &n);
}

bool xtext_decode(struct text t, struct arena *a, struct text *out)
{
	char *dst;
	size_t n;

	if (!decode(t, NULL, &n))
		return false;
	dst = arena_alloc(a, n + 1);
	decode(t, dst, &n);
	*out = text_make(dst, n);
	return true;
}

void xtext_encode(struct buf *b, struct text t)
{
	for (size_t i = 0; i < t.n; i++) {
		unsigned char c = (unsigned char)t.p[i];

		if (c >= 33 && c <= 126 && c != '+' && c != '=')
			buf_char(b, (char)c);
		else
			buf_printf(b, "+%02X", c);
	}
}
