/* Events as lines: logfmt for people, JSON for machines.  The form is described in event.h. */
#include "shm/event.h"

#include "shm/base/clock.h"

#include <inttypes.h>

static bool is_bare(struct text t)
{
	for (size_t i = 0; i < t.n; i++) {
		char c = t.p[i];
		if (c <= ' ' || c > '~' || c == '"' || c == '\\' || c == '=')
			return false;
	}
	return t.n > 0;
}

static void put_duration(struct buf *out, int64_t us)
{
	uint64_t magnitude = us < 0 ? -(uint64_t)us : (uint64_t)us;

	buf_printf(out, "%s%" PRIu64 ".%06" PRIu64, us < 0 ? "-" : "", magnitude / 1000000,
		   magnitude % 1000000);
}

/* The values that read the same in both forms, but for the quotes. */
static void put_plain(struct buf *out, const struct field_view *f)
{
	char text[INCIDENT_TEXT_MAX];

	switch (event_field_type(f->field)) {
	case FIELD_INT_:
		buf_printf(out, "%" PRId64, f->number);
		return;
	case FIELD_IP_:
		buf_text(out, text_of(ip_format(&f->ip, text)));
		return;
	case FIELD_TIME_:
		buf_text(out, text_of(wall_format_iso(f->number, text)));
		return;
	case FIELD_DURATION_:
		put_duration(out, f->number);
		return;
	case FIELD_ID_:
		buf_text(out, text_of(incident_format(LIT(""), (uint64_t)f->number, text)));
		return;
	case FIELD_TEXT_:
	case FIELD_TEXTS_:
		break;
	}
}

static void put_text_value(struct buf *out, const struct field_view *f)
{
	enum field_type type = event_field_type(f->field);

	if (type != FIELD_TEXT_ && type != FIELD_TEXTS_) {
		put_plain(out, f);
		if (type == FIELD_DURATION_)
			buf_char(out, 's');
		return;
	}
	if (is_bare(f->text)) {
		buf_text(out, f->text);
		return;
	}
	buf_char(out, '"');
	buf_escaped(out, f->text);
	buf_char(out, '"');
}

void event_format_text(const struct event_view *v, struct buf *out)
{
	struct field_view f;

	buf_text(out, text_of(event_type_name(v->type)));
	for (size_t offset = 0; event_next(v, &offset, &f);) {
		buf_char(out, ' ');
		buf_text(out, text_of(event_field_name(f.field)));
		buf_char(out, '=');
		put_text_value(out, &f);
	}
}

/* The length of the UTF-8 character at the start of t and its code point; 0 if it is none (RFC
 * 3629: no overlong forms, no surrogates, nothing above U+10FFFF). */
static size_t utf8_char(struct text t, uint32_t *code)
{
	static const uint32_t SMALLEST[] = {0, 0, 0x80, 0x800, 0x10000};
	unsigned char first = (unsigned char)t.p[0];
	size_t n = first < 0x80   ? 1
		   : first < 0xc2 ? 0
		   : first < 0xe0 ? 2
		   : first < 0xf0 ? 3
		   : first < 0xf5 ? 4
				  : 0;

	if (n == 0 || n > t.n)
		return 0;
	*code = n == 1 ? first : first & (0x7fU >> n);
	for (size_t i = 1; i < n; i++) {
		unsigned char c = (unsigned char)t.p[i];
		if ((c & 0xc0) != 0x80)
			return 0;
		*code = *code << 6 | (c & 0x3f);
	}
	if (*code < SMALLEST[n] || *code > 0x10ffff || (*code >= 0xd800 && *code < 0xe000))
		return 0;
	return n;
}

static void put_json_char(struct buf *out, uint32_t code)
{
	if (code == '"' || code == '\\') {
		buf_char(out, '\\');
		buf_char(out, (char)code);
	} else if (code >= ' ' && code <= '~') {
		buf_char(out, (char)code);
	} else if (code < 0x10000) {
		buf_printf(out, "\\u%04x", code);
	} else {
		code -= 0x10000;
		buf_printf(out, "\\u%04x\\u%04x", 0xd800 | code >> 10, 0xdc00 | (code & 0x3ff));
	}
}

static void put_json_string(struct buf *out, struct text t)
{
	buf_char(out, '"');
	while (t.n) {
		uint32_t code;
		size_t n = utf8_char(t, &code);
		if (n) {
			put_json_char(out, code);
		} else {
			n = 1;
			buf_printf(out, "\\\\x%02X", (unsigned char)t.p[0]);
		}
		t.p += n;
		t.n -= n;
	}
	buf_char(out, '"');
}

static void put_json_value(struct buf *out, const struct field_view *f)
{
	enum field_type type = event_field_type(f->field);
	bool quoted = type == FIELD_IP_ || type == FIELD_TIME_ || type == FIELD_ID_;

	if (type == FIELD_TEXT_ || type == FIELD_TEXTS_) {
		put_json_string(out, f->text);
		return;
	}
	if (quoted)
		buf_char(out, '"');
	put_plain(out, f);
	if (quoted)
		buf_char(out, '"');
}

/* All values of a field that may come again, from its first on. */
static void put_json_array(struct buf *out, const struct event_view *v, enum event_field field)
{
	struct field_view f;
	const char *before = "[";

	for (size_t offset = 0; event_next(v, &offset, &f);) {
		if (f.field != field)
			continue;
		buf_text(out, text_of(before));
		put_json_value(out, &f);
		before = ",";
	}
	buf_char(out, ']');
}

void event_format_json(const struct event_view *v, struct buf *out)
{
	bool seen[EVENT_FIELDS] = {false};
	struct field_view f;
	char time[32];

	buf_printf(out, "{\"time\":\"%s\",\"event\":\"%s\"", wall_format_iso(v->wall_us, time),
		   event_type_name(v->type));
	for (size_t offset = 0; event_next(v, &offset, &f);) {
		if (seen[f.field])
			continue;
		seen[f.field] = true;
		buf_text(out, LIT(",\""));
		buf_text(out, text_of(event_field_name(f.field)));
		buf_text(out, LIT("\":"));
		if (event_field_type(f.field) == FIELD_TEXTS_)
			put_json_array(out, v, f.field);
		else
			put_json_value(out, &f);
	}
	buf_char(out, '}');
}
