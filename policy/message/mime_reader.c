/* What takes the bytes of an open part: decodes them, judges the first, and hands them to the
 * stream of an encoded container or to the parser of a winmail.dat or of a signed message. */
#include "policy/message/mime_parser.h"

struct mime_reader *mime_reader_new(struct mime *m, int part, enum mime_encoding encoding)
{
	struct mime_reader *r = m->free_readers;

	if (r)
		m->free_readers = r->next;
	else
		r = arena_new(m->arena, struct mime_reader);
	r->next = NULL;
	r->decoder = (struct mime_decoder){.encoding = encoding};
	r->part = part;
	r->looked = false;
	r->head_n = 0;
	r->decoded = 0;
	memset(r->disc, 0, sizeof(r->disc));
	r->stream = NULL;
	r->tnef = NULL;
	r->cms = NULL;
	return r;
}

static void judge_head(struct mime *m, struct mime_reader *r)
{
	if (r->looked)
		return;
	r->looked = true;
	m->parts[r->part].kinds |= mime_magic(r->head, r->head_n);
}

/* A sequence of layers has an end, whatever they are. */
unsigned mime_layer_of(const struct mime *m, int part)
{
	unsigned layer = 0;

	while ((part = m->parts[part].inside) >= 0)
		layer++;
	return layer;
}

static void begin_tnef(struct mime *m, struct mime_reader *r)
{
	const unsigned layer = mime_layer_of(m, r->part);

	if (!(mime_magic(r->head, r->head_n) >> MIME_TNEF & 1))
		return;
	if (layer >= MIME_LAYERS) {
		mime_give_up(m, MIME_LIMIT_DEPTH);
		return;
	}
	r->tnef = mime_tnef_new(m, r->part, layer);
}

/* The first bytes. */
static void take_head(struct mime *m, struct mime_reader *r, const char *p, size_t n)
{
	enum { TNEF_KNOWN = 4 };
	const size_t before = r->head_n, room = sizeof(r->head) - before;
	const size_t take = n < room ? n : room;

	memcpy(r->head + before, p, take);
	r->head_n += take;
	if (before < TNEF_KNOWN && r->head_n >= TNEF_KNOWN) {
		begin_tnef(m, r);
		/* what came in earlier pieces; the caller gives it the rest */
		if (r->tnef && before > 0)
			mime_tnef_feed(m, r->tnef, (const char *)r->head, before);
	}
	if (r->head_n == sizeof(r->head))
		judge_head(m, r);
}

/* The mark of an image of a disc, once it comes by. */
static void take_disc(struct mime *m, struct mime_reader *r, const char *p, size_t n)
{
	for (size_t i = 0; i < MIME_DISC_BYTES; i++) {
		const uint64_t at = MIME_DISC_AT + i;

		if (at >= r->decoded && at - r->decoded < n)
			r->disc[i] = (unsigned char)p[at - r->decoded];
	}
	if (mime_magic_is_disc(r->disc))
		m->parts[r->part].kinds |= UINT64_C(1) << MIME_ISO;
}

/* A bare CR is a line end to some programs; where it stands at the end of a piece, the next piece
 * tells. */
static void feed_stream(struct mime *m, struct mime_stream *st, char *p, size_t n)
{
	if (n == 0)
		return;
	if (st->cr) {
		st->cr = false;
		mime_stream_feed(m, st, p[0] == '\n' ? "\r" : "\n", 1);
	}
	for (size_t i = 0; i + 1 < n; i++) {
		if (p[i] == '\r' && p[i + 1] != '\n')
			p[i] = '\n';
	}
	if (p[n - 1] == '\r') {
		st->cr = true;
		n--;
	}
	mime_stream_feed(m, st, p, n);
}

/* Bytes of the file itself. */
static void take(struct mime *m, struct mime_reader *r, char *p, size_t n)
{
	if (r->decoded == 0 && mime_cms_may_begin(p[0]))
		r->cms = mime_cms_new(m);
	if (r->head_n < sizeof(r->head))
		take_head(m, r, p, n);
	if (r->decoded + n > MIME_DISC_AT && r->decoded < MIME_DISC_AT + MIME_DISC_BYTES)
		take_disc(m, r, p, n);
	r->decoded += n;
	if (r->tnef)
		mime_tnef_feed(m, r->tnef, p, n);
	if (r->cms && !mime_cms_feed(m, r->cms, r->part, p, n))
		r->cms = NULL;
	/* last, as it changes the bytes */
	if (r->stream)
		feed_stream(m, r->stream, p, n);
}

/* A file whose head says nothing may be an image of a disc; a text is none. */
static bool wants_more(const struct mime *m, const struct mime_reader *r)
{
	if (r->stream || r->tnef || r->cms || !r->looked)
		return true;
	if (r->decoded >= MIME_DISC_AT + MIME_DISC_BYTES || m->parts[r->part].container)
		return false;
	return m->parts[r->part].kinds == 0 && memchr(r->head, '\0', r->head_n);
}

bool mime_reader_feed(struct mime *m, struct mime_reader *r, const char *p, size_t n)
{
	enum { PIECE = 512 };
	char out[PIECE + MIME_DECODE_MORE];

	while (n > 0 && wants_more(m, r) && !m->over) {
		const size_t piece = n < PIECE ? n : PIECE;
		size_t got = piece;

		if (r->decoder.encoding == MIME_IDENTITY)
			memcpy(out, p, piece);
		else
			got = mime_decode(&r->decoder, p, piece, out);
		if (got > 0)
			take(m, r, out, got);
		p += piece;
		n -= piece;
	}
	return wants_more(m, r);
}

void mime_reader_end(struct mime *m, struct mime_reader *r)
{
	judge_head(m, r);
	if (r->stream)
		mime_stream_end(m, r->stream);
	if (r->cms)
		mime_cms_end(m, r->cms, r->decoded);
	r->next = m->free_readers;
	m->free_readers = r;
}
