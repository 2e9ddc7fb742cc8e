/* What a signed S/MIME message carries (RFC 5652 5, RFC 8551 3.5.2): mail programs show it whoever
 * signed it, so a file in it is a file of the message.
 *
 * The content is a string of bytes some levels deep in BER, in one piece or in several: the decoder
 * takes off what stands around it.  It becomes a part of its own, in the part of the signature, and
 * is read as a message and as a file. */
#include "policy/message/mime_parser.h"

/* What a program that signs files leaves of the name: "contract.pdf.p7m". */
static void name_content(struct mime *m, struct mime_list *names, const struct mime_text *of)
{
	static const struct text end = LIT(".p7m");

	for (; of && !m->over; of = of->next) {
		const struct text t = text_trim(of->t);

		if (t.n > end.n && text_iends(t, end) && text_find(t, '.') < t.n - end.n)
			mime_name_add(m, names, text_make(t.p, t.n - end.n));
	}
}

/* The content begins. */
static struct mime_reader *begin_content(struct mime *m, int part)
{
	const unsigned layer = mime_layer_of(m, part), depth = m->parts[part].depth + 1;
	struct mime_list names = {0}, none = {0};
	struct mime_reader *r;
	struct mime_part *p;
	int content;

	if (layer >= MIME_LAYERS) {
		mime_give_up(m, MIME_LIMIT_DEPTH);
		return NULL;
	}
	name_content(m, &names, m->parts[part].names);
	p = m->over ? NULL : mime_part_add(m, &content);
	if (!p)
		return NULL;
	p->inside = part;
	p->depth = depth;
	p->encodings = 1 << MIME_CMS;
	p->container = true;
	p->names = names.first;
	r = mime_reader_new(m, content, MIME_IDENTITY);
	r->stream = mime_stream_new(m, content, layer + 1);
	mime_boundaries_add(m, r->stream, &none, depth + 1, false);
	mime_stream_header(r->stream, depth + 1, false);
	return r;
}

bool mime_cms_may_begin(char c)
{
	return c == 0x30;
}

struct mime_cms *mime_cms_new(struct mime *m)
{
	struct mime_cms *cms = arena_new(m->arena, struct mime_cms);

	cms->decoder.encoding = MIME_CMS;
	return cms;
}

static void take_content(struct mime *m, struct mime_cms *cms, int part, const char *p, size_t n)
{
	if (!cms->content)
		cms->content = begin_content(m, part);
	if (cms->content)
		mime_reader_feed(m, cms->content, p, n);
}

bool mime_cms_feed(struct mime *m, struct mime_cms *cms, int part, const char *p, size_t n)
{
	enum { PIECE = 512 };
	char out[PIECE + MIME_DECODE_MORE];

	for (size_t at = 0; at < n && !m->over; at += PIECE) {
		const size_t piece = n - at < PIECE ? n - at : PIECE;
		const size_t got = mime_decode(&cms->decoder, p + at, piece, out);

		if (got > 0)
			take_content(m, cms, part, out, got);
	}
	switch (mime_decode_cms_what(&cms->decoder)) {
	case MIME_CMS_OTHER:
		return false;
	case MIME_CMS_SEALED:
		m->facts.opaque |= MIME_OPAQUE_ENCRYPTED;
		return false;
	case MIME_CMS_UNREADABLE:
		m->facts.opaque |= MIME_OPAQUE_SIGNED;
		return cms->content != NULL;
	case MIME_CMS_SIGNED:
		break;
	}
	return true;
}

void mime_cms_end(struct mime *m, struct mime_cms *cms, uint64_t length)
{
	if (!cms->content)
		return;
	m->parts[cms->content->part].length = length;
	mime_reader_end(m, cms->content);
}
