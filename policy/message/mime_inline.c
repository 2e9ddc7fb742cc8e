/* Files that stand in a text: uuencoded ones, and those of yEnc, which news readers and mail
 * programs that came of them decode. */
#include "policy/message/mime_parser.h"

/* "begin 644 name", "begin-base64 644 name" */
static bool uu_begin(struct text line, struct text *name, enum mime_encoding *encoding)
{
	size_t i = 5, digits = 0;

	*encoding = MIME_UU;
	if (!text_istarts(line, LIT("begin")))
		return false;
	if (text_istarts(line, LIT("begin-base64"))) {
		*encoding = MIME_BASE64;
		i = 12;
	}
	if (i >= line.n || line.p[i] != ' ')
		return false;
	while (i < line.n && line.p[i] == ' ')
		i++;
	for (; i < line.n && line.p[i] >= '0' && line.p[i] <= '7'; i++)
		digits++;
	if (digits < 3 || digits > 6 || i >= line.n || line.p[i] != ' ')
		return false;
	*name = text_trim(text_make(line.p + i, line.n - i));
	return name->n > 0;
}

/* "=ybegin line=128 size=123456 name=what stands to the end of the line" */
static bool yenc_begin(struct text line, struct text *name)
{
	static const struct text word = LIT("name=");

	if (!text_istarts(line, LIT("=ybegin ")))
		return false;
	for (; line.n >= word.n; line = text_make(line.p + 1, line.n - 1)) {
		if (!text_istarts(line, word))
			continue;
		*name = text_trim(text_make(line.p + word.n, line.n - word.n));
		return name->n > 0;
	}
	return false;
}

static bool ends(struct text line)
{
	return text_eq(line, LIT("end")) || text_eq(line, LIT("====")) ||
	       text_istarts(line, LIT("=yend"));
}

static void close_inline(struct mime *m, struct mime_stream *st)
{
	if (st->open && st->open->in_text)
		mime_close_part(m, st, &st->open, st->at - st->line_end);
}

bool mime_inline_may_be(char c)
{
	return c == 'b' || c == 'B' || c == 'e' || c == '=' || c == '(';
}

void mime_inline_line(struct mime *m, struct mime_stream *st, struct text line, size_t whole)
{
	enum mime_encoding encoding = MIME_YENC;
	struct mime_list names = {0};
	struct mime_part *p;
	struct text name;
	int part;

	if (text_istarts(line, LIT("(This file must be converted with BinHex")))
		m->facts.opaque |= MIME_OPAQUE_BINHEX;
	if (ends(line))
		close_inline(m, st);
	if (!yenc_begin(line, &name) && !uu_begin(line, &name, &encoding))
		return;
	close_inline(m, st);
	mime_name_add(m, &names, name);
	p = m->over ? NULL : mime_part_add(m, &part);
	if (!p)
		return;
	p->inside = st->inside;
	p->offset = st->at + whole;
	p->depth = st->depth + 1;
	p->encodings = (unsigned char)(1 << encoding);
	p->names = names.first;
	mime_open_part(m, st, part, 0, false);
	if (!m->over)
		st->open->in_text = true;
}
