/* The header section of a message, line by line (RFC 5322 2.2, 4.5). */
#include "policy/message/header.h"

#include "policy/message/utf8.h"

static inline bool is_wsp(char c)
{
	return c == ' ' || c == '\t';
}

/* Takes a line off *t, with its line end if it has one; *content is the line without it. */
static struct text take_line(struct text *t, struct text *content)
{
	size_t at = text_find(*t, '\n');
	size_t n = at < t->n ? at + 1 : t->n;
	struct text line = text_make(t->p, n);

	if (at > 0 && at < t->n && t->p[at - 1] == '\r')
		at--;
	*content = text_make(t->p, at);
	*t = text_make(t->p + n, t->n - n);
	return line;
}

enum last_line { LINE_NONE, LINE_OF_FIELD, LINE_SKIPPED };

struct parse {
	struct arena *arena;
	struct header *h;
	struct header_field *fields; /* h->fields, still writable */
	size_t room, cap;
	enum last_line last; /* what a continuation line would continue */
};

/* Grows by doubling: most messages have a few dozen fields, and the cap is high. */
static struct header_field *add_field(struct parse *p)
{
	if (p->h->count == p->room) {
		size_t room = p->room ? p->room * 2 : 32;
		struct header_field *wider = arena_alloc(p->arena, room * sizeof(*wider));

		if (p->h->count > 0)
			memcpy(wider, p->fields, p->h->count * sizeof(*wider));
		p->fields = wider;
		p->room = room;
	}
	return &p->fields[p->h->count++];
}

static void note(struct header *h, enum header_flaw flaw, struct text what)
{
	const unsigned named = HEADER_NAME_NOT_ASCII | HEADER_NAME_CONTROL | HEADER_MALFORMED_LINE;

	if (flaw & named && !(h->flaws & named))
		h->first_bad = what;
	if (flaw & named && text_istarts(text_trim(what), LIT("from")))
		h->hides_from = true;
	h->flaws |= flaw;
}

/* The name of the field that a line starts, blanks before the colon taken off; false if it starts
 * none: no colon, nothing before it, or a blank inside of the name. */
static bool field_name(struct header *h, struct text line, struct text *name)
{
	size_t colon = text_find(line, ':');
	struct text n = text_make(line.p, colon);

	if (colon == line.n)
		return false;
	while (n.n > 0 && is_wsp(n.p[n.n - 1]))
		n.n--;
	for (size_t i = 0; i < n.n; i++) {
		unsigned char c = (unsigned char)n.p[i];

		if (c >= 0x80)
			note(h, HEADER_NAME_NOT_ASCII, n);
		else if (c == 0x7f || (c < 0x20 && c != '\t'))
			note(h, HEADER_NAME_CONTROL, n);
	}
	*name = n;
	return n.n > 0 && text_find(n, ' ') == n.n && text_find(n, '\t') == n.n;
}

static void start_field(struct parse *p, struct text line, struct text content)
{
	struct header_field *f;
	struct text name;
	size_t colon;

	p->last = LINE_SKIPPED;
	if (is_wsp(content.p[0]) || !field_name(p->h, content, &name)) {
		note(p->h, HEADER_MALFORMED_LINE, content);
		return;
	}
	if (p->h->count == p->cap) {
		note(p->h, HEADER_TOO_MANY_FIELDS, content);
		return;
	}
	colon = text_find(content, ':');
	f = add_field(p);
	f->name = name;
	f->body = text_make(content.p + colon + 1, content.n - colon - 1);
	f->whole = line;
	p->last = LINE_OF_FIELD;
	if (!text_is_ascii(f->body))
		note(p->h, HEADER_RAW_8BIT, content);
}

static void continue_field(struct parse *p, struct text line, struct text content)
{
	struct header_field *f = &p->fields[p->h->count - 1];

	f->whole.n += line.n;
	f->body.n = (size_t)(content.p + content.n - f->body.p);
	if (!text_is_ascii(content))
		note(p->h, HEADER_RAW_8BIT, content);
}

/* "From : a@b" is a field, blanks before its colon or not. */
static bool is_mbox_line(struct text line)
{
	size_t n = text_istarts(line, LIT(">")) ? 6 : 5;

	if (!text_istarts(line, LIT("From ")) && !text_istarts(line, LIT(">From ")))
		return false;
	while (n < line.n && is_wsp(line.p[n]))
		n++;
	return n == line.n || line.p[n] != ':';
}

static void take(struct parse *p, struct text line, struct text content)
{
	if (content.n > HEADER_LINE_MAX)
		note(p->h, HEADER_LONG_LINE, content);
	if (p->last == LINE_NONE && is_mbox_line(content))
		p->last = LINE_SKIPPED;
	else if (p->last == LINE_NONE || !is_wsp(content.p[0]))
		start_field(p, line, content);
	else if (p->last == LINE_OF_FIELD)
		continue_field(p, line, content);
	/* else it belongs to what was skipped, and was noted with it */
}

const struct header *header_parse(struct text t, size_t max_fields, struct arena *a)
{
	struct parse p = {
	    .arena = a,
	    .h = arena_new(a, struct header),
	    .cap = max_fields ? max_fields : HEADER_FIELDS_MAX,
	};
	size_t total = t.n;

	while (t.n > 0) {
		struct text content, line = take_line(&t, &content);

		if (content.n == 0)
			break;
		take(&p, line, content);
	}
	p.h->fields = p.fields;
	p.h->size = total - t.n;
	if (!header_find(p.h, LIT("From"), NULL))
		p.h->flaws |= HEADER_NO_FROM;
	if (!header_find(p.h, LIT("Date"), NULL))
		p.h->flaws |= HEADER_NO_DATE;
	return p.h;
}

const struct header_field *header_find(const struct header *h, struct text name,
				       const struct header_field *after)
{
	for (size_t i = after ? (size_t)(after - h->fields) + 1 : 0; i < h->count; i++) {
		if (text_ieq(h->fields[i].name, name))
			return &h->fields[i];
	}
	return NULL;
}

size_t header_count(const struct header *h, struct text name)
{
	size_t n = 0;

	for (const struct header_field *f = NULL; (f = header_find(h, name, f));)
		n++;
	return n;
}

struct text header_unfold(struct text body, struct arena *a)
{
	char *dst = arena_alloc(a, body.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < body.n; i++) {
		bool cr_of_crlf = body.p[i] == '\r' && i + 1 < body.n && body.p[i + 1] == '\n';

		if (body.p[i] != '\n' && !cr_of_crlf)
			dst[n++] = body.p[i];
	}
	return text_trim(text_make(dst, n));
}

bool header_name_valid(struct text name)
{
	for (size_t i = 0; i < name.n; i++) {
		if (name.p[i] <= 32 || name.p[i] > 126 || name.p[i] == ':')
			return false;
	}
	return name.n > 0;
}

bool reply_to_is_blank(struct text body)
{
	char left[3];
	size_t n = 0;
	unsigned depth = 0;

	for (size_t i = 0; i < body.n; i++) {
		char c = body.p[i];

		if (c == '(') {
			depth++;
		} else if (c == ')' && depth > 0) {
			depth--;
		} else if (depth > 0) {
			i += c == '\\';
		} else if (c != ' ' && c != '\t' && c != '\r' && c != '\n') {
			if (n == sizeof(left) - 1)
				return false;
			left[n++] = c;
		}
	}
	return n == 0 || (n == 2 && left[0] == '<' && left[1] == '>');
}
