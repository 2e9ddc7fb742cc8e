/* From a file's name to its extension. */
#include "policy/message/extension.h"

#include "policy/message/utf8.h"

/* What counts of a name is its end. */
enum { TAIL_MAX = 512 };

/* Characters that are not there for whoever looks. */
static bool is_invisible(uint32_t c)
{
	return c == 0xad || c == 0x34f || c == 0x61c || c == 0x180e || c == 0xfeff ||
	       (c >= 0x200b && c <= 0x200f) || (c >= 0x202a && c <= 0x202e) ||
	       (c >= 0x2060 && c <= 0x206f) || (c >= 0xfe00 && c <= 0xfe0f) ||
	       (c >= 0xe0000 && c <= 0xe01ef);
}

static bool is_wide_blank(uint32_t c)
{
	return c == 0xa0 || (c >= 0x2000 && c <= 0x200a) || c == 0x202f || c == 0x205f ||
	       c == 0x3000;
}

/* The ASCII character that it may be taken for; 0: none. */
static char plain(uint32_t c)
{
	if (c < 0x80)
		return (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
	if (is_wide_blank(c))
		return ' ';
	if (c == 0x2024 || c == 0x3002 || c == 0xff61 || c == 0xfe52)
		return '.';
	if (c >= 0xff01 && c <= 0xff5e)
		return plain(c - 0xff01 + '!');
	return 0;
}

/* A character's place in a name. */
static bool is_control(uint32_t c)
{
	return c < 0x20 || c == 0x7f || (c >= 0x80 && c < 0xa0);
}

struct tail {
	char s[TAIL_MAX];
	size_t n;
};

/* A ring would do; names are short. */
static void put(struct tail *t, char c)
{
	if (t->n == TAIL_MAX) {
		memmove(t->s, t->s + TAIL_MAX / 2, TAIL_MAX / 2);
		t->n = TAIL_MAX / 2;
	}
	t->s[t->n++] = c;
}

static bool is_dross(char c)
{
	return c == '.' || c == ' ' || c == '"' || c == '\'' || c == '`' || c == '/' || c == '\\';
}

static bool extension_of_tail(const struct tail *t, struct extension *out)
{
	size_t end = t->n, dot;

	while (end > 0 && is_dross(t->s[end - 1]))
		end--;
	for (dot = end; dot > 0 && t->s[dot - 1] != '.'; dot--) {
		if (t->s[dot - 1] == '/' || t->s[dot - 1] == '\\')
			return false;
	}
	if (dot == 0)
		return false;
	while (dot < end && is_dross(t->s[dot]))
		dot++;
	if (t->s[dot] == '{' && t->s[end - 1] == '}') {
		memcpy(out->s, "{clsid}", sizeof("{clsid}"));
		return true;
	}
	if (end - dot > EXTENSION_MAX)
		return false;
	memcpy(out->s, t->s + dot, end - dot);
	out->s[end - dot] = '\0';
	return true;
}

/* Adds the one of `t` unless it is there. */
static size_t add(const struct tail *t, struct extension out[], size_t n)
{
	if (n == EXTENSION_READINGS || !extension_of_tail(t, &out[n]))
		return n;
	for (size_t i = 0; i < n; i++) {
		if (strcmp(out[i].s, out[n].s) == 0)
			return n;
	}
	return n + 1;
}

size_t extensions_of(struct text name, struct extension out[EXTENSION_READINGS])
{
	struct tail t = {.n = 0};
	bool control = false, colon = false;
	size_t found = 0, at = 0;

	while (at < name.n) {
		uint32_t c = (unsigned char)name.p[at];
		const size_t n = utf8_first(text_make(name.p + at, name.n - at), &c);
		const char p = plain(c);

		/* "C:\x" is no stream. */
		if (c == ':' && !colon && t.n > 1) {
			colon = true;
			found = add(&t, out, found);
		}
		if (is_control(c)) {
			if (!control)
				found = add(&t, out, found);
			control = true;
		} else if (!is_invisible(c)) {
			put(&t, p ? p : '?');
		}
		at += n ? n : 1;
	}
	return add(&t, out, found);
}

bool extension_normalize(struct text t, struct extension *out)
{
	t = text_trim(t);
	if (t.n > 1 && t.p[0] == '*' && t.p[1] == '.')
		t = text_make(t.p + 2, t.n - 2);
	else if (t.n > 0 && t.p[0] == '.')
		t = text_make(t.p + 1, t.n - 1);
	if (t.n == 0 || t.n > EXTENSION_MAX)
		return false;
	for (size_t i = 0; i < t.n; i++) {
		const char c = t.p[i];

		if (c <= ' ' || c > '~' || is_dross(c) || c == '*' || c == '@' || c == ',' ||
		    c == ':')
			return false;
	}
	text_lower(t, out->s);
	out->s[t.n] = '\0';
	return true;
}
