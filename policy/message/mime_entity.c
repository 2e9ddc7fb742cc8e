/* Header blocks: the fields that say what a part is (RFC 2045, 2183). */
#include "policy/message/mime_parser.h"

#include "policy/message/extension.h"
#include "policy/message/rfc2047.h"

void mime_entity_begin(struct mime_entity *e, unsigned depth, unsigned by, bool loose)
{
	*e = (struct mime_entity){.depth = depth,
				  .by = by,
				  .loose = loose,
				  .value = e->value,
				  .value_room = e->value_room};
}

/* --- values */

static void value_grow(struct mime *m, struct mime_entity *e, size_t n)
{
	size_t room = e->value_room ? e->value_room : 256;
	char *value;

	while (room < n)
		room *= 2;
	if (room == e->value_room)
		return;
	value = arena_alloc(m->arena, room);
	if (e->value_n > 0)
		memcpy(value, e->value, e->value_n);
	e->value = value;
	e->value_room = room;
}

/* NUL is left out: programs that end a line there are few, those that drop it are many. */
static void value_add(struct mime *m, struct mime_entity *e, struct text t)
{
	if (t.n > MIME_FIELD_BYTES - e->value_n) {
		mime_give_up(m, MIME_LIMIT_NAME_BYTES);
		return;
	}
	value_grow(m, e, e->value_n + t.n);
	for (size_t i = 0; i < t.n; i++) {
		/* A CR alone is a line end to some. */
		if (t.p[i] != '\0')
			e->value[e->value_n++] = t.p[i] == '\r' ? ' ' : t.p[i];
	}
}

/* --- what a value says */

static bool has_word(struct text t, struct text word)
{
	for (; t.n >= word.n; t = text_make(t.p + 1, t.n - 1)) {
		if (text_istarts(t, word))
			return true;
	}
	return false;
}

/* What can't be looked into.  What signed and encrypted S/MIME is, its content says. */
static void note_opaque(struct mime *m, struct text t, struct text value)
{
	if (text_eq(t, LIT("multipart/encrypted")))
		m->facts.opaque |= MIME_OPAQUE_ENCRYPTED;
	else if (text_eq(t, LIT("message/partial")))
		m->facts.opaque |= MIME_OPAQUE_PARTIAL;
	else if (text_eq(t, LIT("message/external-body")))
		m->facts.opaque |= MIME_OPAQUE_EXTERNAL;
	else if (text_eq(t, LIT("application/mac-binhex40")))
		m->facts.opaque |= MIME_OPAQUE_BINHEX;
	else if (text_iends(t, LIT("pkcs7-mime")) && has_word(value, LIT("enveloped-data")))
		m->facts.opaque |= MIME_OPAQUE_ENCRYPTED;
}

/* The media type without comments, quotes and blanks, in lower case: "multipart/mixed". */
static void read_type(struct mime *m, struct mime_entity *e, struct text value)
{
	char type[128];
	size_t n = 0;
	unsigned comment = 0;

	for (size_t i = 0; i < value.n && n < sizeof(type); i++) {
		char c = value.p[i];

		if (c == '(')
			comment++;
		else if (c == ')' && comment > 0)
			comment--;
		else if (comment == 0 && c == ';')
			break;
		else if (comment == 0 && c != ' ' && c != '\t' && c != '"')
			type[n++] = c;
	}
	if (n == 0)
		return;
	text_lower(text_make(type, n), type);
	const struct text t = text_make(type, n);

	if (e->types.count < MIME_TYPES)
		mime_list_add(&e->types, arena_text(m->arena, t), m->arena);
	e->multipart = e->multipart || text_istarts(t, LIT("multipart"));
	if (text_eq(t, LIT("x-sun-attachment"))) {
		e->multipart = true;
		mime_list_add(&e->boundaries, LIT("--------"), m->arena);
	}
	e->message = e->message || text_istarts(t, LIT("message/"));
	note_opaque(m, t, value);
}

/* A word alone is meant; among others it is one reading. */
static void read_encoding(struct mime_entity *e, struct text value)
{
	static const struct {
		struct text word;
		enum mime_encoding encoding;
	} words[] = {
	    {LIT("base64"), MIME_BASE64},
	    {LIT("quoted-printable"), MIME_QUOTED_PRINTABLE},
	};
	bool alone = false;

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (!has_word(value, words[i].word))
			continue;
		e->encodings |= (unsigned char)(1 << words[i].encoding);
		alone = alone || text_ieq(value, words[i].word);
	}
	if (!alone)
		e->encodings |= 1 << MIME_IDENTITY;
}

static void read_value(struct mime *m, struct mime_entity *e, struct text value)
{
	switch (e->field) {
	case MIME_FIELD_TYPE:
		read_type(m, e, value);
		mime_params_find(m, e, value);
		break;
	case MIME_FIELD_DISPOSITION:
		mime_params_find(m, e, value);
		break;
	case MIME_FIELD_ENCODING:
		read_encoding(e, value);
		break;
	case MIME_FIELD_NAME:
		mime_name_add(m, &e->names, value);
		break;
	case MIME_FIELD_LOCATION:
		if (text_empty(e->location))
			e->location = arena_text(m->arena, value);
		break;
	default:
		break;
	}
}

/* So much more than its bytes. */
enum { FIELD_COSTS = 16 };

static void end_field(struct mime *m, struct mime_entity *e)
{
	const struct text value = text_trim(text_make(e->value, e->value_n));

	if (e->field == MIME_FIELD_OTHER || m->over)
		return;
	e->any = true;
	m->looked_into += value.n + FIELD_COSTS;
	if (m->looked_into > MIME_WORK_BYTES) {
		mime_give_up(m, MIME_LIMIT_NAME_BYTES);
		return;
	}
	read_value(m, e, value);
	/* Some programs decode a field before they take it apart. */
	for (size_t i = 0; i + 1 < value.n && !m->over; i++) {
		if (value.p[i] == '=' && value.p[i + 1] == '?') {
			read_value(m, e, rfc2047_decode(value, MIME_FIELD_BYTES, m->arena));
			break;
		}
	}
	e->field = MIME_FIELD_OTHER;
	e->value_n = 0;
}

/* --- lines */

/* Content-Name and Sun's fields are what Mozilla's programs know besides. */
static enum mime_field field_of(struct text name)
{
	static const struct {
		struct text name;
		enum mime_field field;
	} fields[] = {
	    {LIT("Content-Type"), MIME_FIELD_TYPE},
	    {LIT("Content-Disposition"), MIME_FIELD_DISPOSITION},
	    {LIT("Content-Transfer-Encoding"), MIME_FIELD_ENCODING},
	    {LIT("Content-Location"), MIME_FIELD_LOCATION},
	    {LIT("Content-Name"), MIME_FIELD_NAME},
	    {LIT("X-Sun-Data-Name"), MIME_FIELD_NAME},
	};
	static const char initials[] = {'C', 'c', 'X', 'x'};

	/* Nearly all fields end here. */
	if (name.n < 12 || !memchr(initials, name.p[0], sizeof(initials)))
		return MIME_FIELD_OTHER;
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (text_ieq(name, fields[i].name))
			return fields[i].field;
	}
	return MIME_FIELD_OTHER;
}

static void begin_field(struct mime *m, struct mime_entity *e, struct text line)
{
	const size_t colon = text_find(line, ':');

	/* No field: what some would have been a folded line, without its blank. */
	if (colon == line.n) {
		if (e->field != MIME_FIELD_OTHER) {
			value_add(m, e, LIT(" "));
			value_add(m, e, line);
		}
		return;
	}
	end_field(m, e);
	e->field = field_of(text_trim(text_make(line.p, colon)));
	e->value_n = 0;
	if (e->field != MIME_FIELD_OTHER)
		value_add(m, e, text_make(line.p + colon + 1, line.n - colon - 1));
}

void mime_entity_line(struct mime *m, struct mime_entity *e, struct text line)
{
	const bool folded = line.p[0] == ' ' || line.p[0] == '\t';

	/* What continues nothing is read as if it had no blanks before it. */
	if (!folded || !e->begun)
		begin_field(m, e, folded ? text_trim(line) : line);
	else if (e->field != MIME_FIELD_OTHER)
		value_add(m, e, line);
	e->begun = true;
}

void mime_entity_more(struct mime *m, struct mime_entity *e, struct text piece)
{
	if (e->field != MIME_FIELD_OTHER && !m->over)
		value_add(m, e, piece);
}

/* A reference to a page names a file only behind its host, and without its query. */
static void read_location(struct mime *m, struct mime_entity *e)
{
	struct text t = e->location;

	for (size_t i = 0; i + 2 < t.n; i++) {
		if (t.p[i] == ':' && t.p[i + 1] == '/' && t.p[i + 2] == '/') {
			t = text_make(t.p + i + 3, t.n - i - 3);
			size_t path = text_find(t, '/');
			t = text_make(t.p + path, t.n - path);
			break;
		}
	}
	t.n = text_find(t, '?');
	t.n = text_find(t, '#');
	mime_name_add(m, &e->names, t);
}

/* A message in a file is opened like one that is shown; pages that were saved are such, too. */
static bool names_message(struct text name)
{
	static const char *const known[] = {"eml", "emlx", "mht", "mhtml", "nws"};
	struct extension e[EXTENSION_READINGS];
	const size_t n = extensions_of(name, e);

	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < sizeof(known) / sizeof(known[0]); k++) {
			if (strcmp(e[i].s, known[k]) == 0)
				return true;
		}
	}
	return false;
}

void mime_entity_end(struct mime *m, struct mime_entity *e)
{
	end_field(m, e);
	if (!e->names.first && !text_empty(e->location) && !m->over)
		read_location(m, e);
	for (const struct mime_text *t = e->names.first; t; t = t->next)
		e->message = e->message || names_message(t->t);
}
