/* Names of files, in all readings: as they stand, with encoded words (RFC 2047) and %XX decoded. */
#include "policy/message/mime_parser.h"

#include "policy/message/charset.h"
#include "policy/message/rfc2047.h"
#include "policy/message/utf8.h"

static bool has(struct text t, char a, char b)
{
	for (size_t i = 0; i + 1 < t.n; i++) {
		if (t.p[i] == a && (!b || t.p[i + 1] == b))
			return true;
	}
	return false;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c & ~0x20);
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

size_t mime_percent_decode(struct text t, char *dst)
{
	size_t n = 0;

	for (size_t i = 0; i < t.n; i++) {
		int high = i + 2 < t.n && t.p[i] == '%' ? hex_digit(t.p[i + 1]) : -1;
		int low = high >= 0 ? hex_digit(t.p[i + 2]) : -1;

		dst[n++] = low >= 0 ? (char)(high << 4 | low) : t.p[i];
		if (low >= 0)
			i += 2;
	}
	return n;
}

/* t is UTF-8. */
static void add(struct mime *m, struct mime_list *names, struct text t)
{
	t = text_trim(t);
	if (t.n == 0 || m->over)
		return;
	if (m->facts.name_count >= m->bounds.names) {
		mime_give_up(m, MIME_LIMIT_NAMES);
		return;
	}
	if (mime_list_add(names, t, m->arena))
		m->facts.name_count++;
}

static struct text convert(struct mime *m, struct text charset, struct text t)
{
	struct buf out = buf_over(arena_alloc(m->arena, t.n * 3 + 1), t.n * 3 + 1);

	charset_to_utf8(charset, t, &out);
	return buf_view(&out);
}

void mime_name_add_charset(struct mime *m, struct mime_list *names, struct text charset,
			   struct text bytes)
{
	if (bytes.n > m->bounds.name_bytes)
		mime_give_up(m, MIME_LIMIT_NAME_BYTES);
	else if (text_is_ascii(bytes) && !text_istarts(charset, LIT("utf-")) &&
		 !text_istarts(charset, LIT("iso-2022")))
		add(m, names, arena_text(m->arena, bytes));
	else
		add(m, names, convert(m, text_empty(charset) ? LIT("utf-8") : charset, bytes));
}

static void add_decoded(struct mime *m, struct mime_list *names, struct text t)
{
	const size_t max = m->bounds.name_bytes;
	struct text once;

	if (!has(t, '=', '?'))
		return;
	once = rfc2047_decode(t, max, m->arena);
	add(m, names, once);
	if (has(once, '=', '?'))
		add(m, names, rfc2047_decode(once, max, m->arena));
}

void mime_name_add(struct mime *m, struct mime_list *names, struct text raw)
{
	raw = text_trim(raw);
	m->looked_into += raw.n;
	if (m->looked_into > MIME_WORK_BYTES) {
		mime_give_up(m, MIME_LIMIT_NAME_BYTES);
		return;
	}
	mime_name_add_charset(m, names, LIT(""), raw);
	if (m->over)
		return;
	add_decoded(m, names, raw);
	if (has(raw, '%', '\0')) {
		char *bytes = arena_alloc(m->arena, raw.n + 1);
		const struct text t = text_make(bytes, mime_percent_decode(raw, bytes));

		if (!text_eq(t, raw))
			mime_name_add_charset(m, names, LIT(""), t);
	}
}
