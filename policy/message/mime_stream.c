/* Lines, delimiters, header blocks and bodies of one stream.
 *
 * No boundary is ever forgotten while there is room: what is a delimiter to one program only (a
 * line that merely begins with a boundary, a boundary that was closed) begins a header block, but
 * ends no part that another program sees go on. */
#include "policy/message/mime_parser.h"

struct mime_stream *mime_stream_new(struct mime *m, int inside, unsigned layer)
{
	struct mime_stream *st = arena_new(m->arena, struct mime_stream);

	st->inside = inside;
	st->layer = layer;
	st->next_id = 1;
	return st;
}

/* --- header blocks and bodies */

void mime_stream_header(struct mime_stream *st, unsigned depth, bool loose)
{
	mime_entity_begin(&st->entity, depth, 0, loose);
	st->in_header = true;
	st->depth = depth;
}

/* An encoded container is read as it stands, and decoded. */
static void read_layers(struct mime *m, struct mime_stream *st, int part)
{
	const struct mime_entity *e = &st->entity;

	for (struct mime_reader *r = st->open ? st->open->readers : NULL; r; r = r->next) {
		struct mime_stream *inner;

		if (r->decoder.encoding == MIME_IDENTITY)
			continue;
		if (st->layer == MIME_LAYERS) {
			mime_give_up(m, MIME_LIMIT_DEPTH);
			return;
		}
		inner = r->stream = mime_stream_new(m, part, st->layer + 1);
		inner->depth = e->depth + 1;
		mime_boundaries_add(m, inner, &e->boundaries, e->depth + 1,
				    e->multipart && !e->boundaries.first);
		if (e->message)
			mime_stream_header(inner, e->depth + 1, e->multipart);
	}
}

/* The header block has ended, by an empty line or by a delimiter: a part of it. */
static void begin_part(struct mime *m, struct mime_stream *st, uint64_t offset)
{
	struct mime_entity *e = &st->entity;
	const bool container = e->multipart || e->message || e->boundaries.first;
	struct mime_part *p;
	int part;

	p = mime_part_add(m, &part);
	if (!p)
		return;
	p->inside = st->inside;
	p->offset = offset;
	p->depth = e->depth;
	p->encodings = e->encodings ? e->encodings : 1 << MIME_IDENTITY;
	p->container = container;
	p->names = e->names.first;
	p->types = e->types.first;
	mime_open_part(m, st, part, e->by, e->loose);
	if (!container || m->over)
		return;
	mime_boundaries_add(m, st, &e->boundaries, e->depth + 1,
			    e->multipart && !e->boundaries.first);
	if (!m->over)
		read_layers(m, st, part);
}

static void end_header(struct mime *m, struct mime_stream *st, uint64_t offset)
{
	struct mime_entity *e = &st->entity;
	const unsigned depth = e->depth;

	st->in_header = false;
	mime_entity_end(m, e);
	if (m->over || (e->loose && !e->any))
		return;
	const bool plain = !e->encodings || e->encodings & 1 << MIME_IDENTITY;
	const bool message = e->message;

	begin_part(m, st, offset);
	st->depth = depth;
	if (message && !m->over)
		mime_stream_header(st, depth + 1, !plain);
}

/* A line of blanks only ends the header for some programs.  Once: the rest is then a part of its
 * own, with these fields and those that follow. */
static void fork_header(struct mime *m, struct mime_stream *st, uint64_t offset)
{
	struct mime_entity *e = &st->entity;

	if (e->forked)
		return;
	e->forked = true;
	mime_entity_end(m, e);
	if (e->any && !m->over)
		begin_part(m, st, offset);
}

/* --- delimiters */

/* Those that end here: what stands deeper, and what this boundary began. */
static void close_parts(struct mime *m, struct mime_stream *st, const struct mime_boundary *b,
			enum mime_fit fit)
{
	const uint64_t end = st->at - st->line_end;
	struct mime_open **link = &st->open;

	while (*link) {
		const struct mime_open *o = *link;
		const bool mine = o->depth == b->depth && o->by == b->id;

		if (fit == FIT_LIVE ? mine || o->depth > b->depth : mine && o->loose)
			mime_close_part(m, st, link, end);
		else
			link = &(*link)->next;
	}
	if (fit != FIT_LIVE)
		return;
	for (size_t i = 0; i < st->boundary_count; i++) {
		if (st->boundaries[i].depth > b->depth)
			st->boundaries[i].live = false;
	}
	if (st->adopt > b->depth + 1)
		st->adopt = 0;
}

static void begin_entity(struct mime_stream *st, const struct mime_boundary *b, bool loose,
			 bool inherits)
{
	struct mime_entity *e = &st->entity;

	if (inherits) {
		/* another reading of the same fields, which has more of them */
		e->by = b->id;
		e->forked = false;
	} else {
		mime_entity_begin(e, b->depth, b->id, loose);
	}
	st->in_header = true;
	st->depth = b->depth;
}

static void take_delimiter(struct mime *m, struct mime_stream *st, struct mime_boundary *b,
			   enum mime_fit fit, bool closes)
{
	const bool in_header = st->in_header;
	const bool inherits =
	    in_header && st->entity.depth == b->depth && st->entity.by != b->id && st->entity.by;
	const unsigned id = b->id;

	if (in_header)
		end_header(m, st, st->at);
	if (m->over)
		return;
	/* A part that has just begun may have moved the list. */
	for (size_t i = 0; i < st->boundary_count && b->id != id; i++)
		b = &st->boundaries[i];
	close_parts(m, st, b, fit);
	begin_entity(st, b, closes || fit != FIT_LIVE, inherits);
	if (!closes || fit != FIT_LIVE)
		return;
	b->live = false;
	if (st->adopt == b->depth + 1)
		st->adopt = 0;
}

/* A line that begins with "--": whether it was taken. */
static bool delimiter(struct mime *m, struct mime_stream *st, struct text line)
{
	enum mime_fit fit;
	bool closes;
	struct mime_boundary *b = mime_boundary_find(
	    m, st, mime_trim_right(text_make(line.p + 2, line.n - 2)), &fit, &closes);

	if (!b || m->over)
		return false;
	/* To strict programs the header block goes on: it does, and gets the fields of both. */
	if (st->in_header && fit != FIT_LIVE)
		return false;
	take_delimiter(m, st, b, fit, closes);
	return true;
}

/* --- lines */

static void header_line(struct mime *m, struct mime_stream *st, struct text line, size_t whole,
			bool complete)
{
	if (complete && line.n == 0)
		end_header(m, st, st->at + whole);
	else if (complete && mime_trim_right(line).n == 0)
		fork_header(m, st, st->at + whole);
	else
		mime_entity_line(m, &st->entity, line);
}

static bool may_be_special(char c)
{
	return c == '-' || mime_inline_may_be(c);
}

/* A line, or the beginning of one that is too long to be kept. */
static void take_line(struct mime *m, struct mime_stream *st, const char *p, size_t n)
{
	const bool complete = p[n - 1] == '\n';
	const unsigned end = !complete ? 0 : n > 1 && p[n - 2] == '\r' ? 2 : 1;
	const struct text line = text_make(p, n - end);
	const bool was_header = st->in_header;
	bool taken = false;

	if (line.n >= 2 && p[0] == '-' && p[1] == '-')
		taken = delimiter(m, st, line);
	/* Before anything begins with this line: its bytes belong to what was open. */
	mime_open_feed(m, st, p, n);
	if (!taken && was_header)
		header_line(m, st, line, n, complete);
	else if (!taken && may_be_special(p[0]))
		mime_inline_line(m, st, line, n);
	st->at += n;
	st->line_end = end;
	st->in_rest = !complete;
	st->rest_cr = p[n - 1] == '\r';
	st->held_cr = false;
	st->rest_is_header = was_header && !taken;
}

/* What follows the beginning of a long line. */
static size_t take_rest(struct mime *m, struct mime_stream *st, const char *p, size_t n)
{
	const char *nl = memchr(p, '\n', n);
	const size_t take = nl ? (size_t)(nl - p) + 1 : n;
	size_t content = nl ? take - 1 : take;
	const bool cr = content > 0 ? p[content - 1] == '\r' : st->rest_cr;

	mime_open_feed(m, st, p, take);
	st->line_end = !nl ? 0 : cr ? 2 : 1;
	/* A CR at the end of a piece is content unless the line ends with it. */
	if (st->rest_is_header && st->in_header) {
		if (st->held_cr && content > 0)
			mime_entity_more(m, &st->entity, LIT("\r"));
		if (content > 0 && cr)
			content--;
		st->held_cr = cr;
		mime_entity_more(m, &st->entity, text_make(p, content));
	}
	st->rest_cr = cr;
	st->at += take;
	st->in_rest = !nl;
	return take;
}

/* The pieces of a line are put together. */
static size_t keep(struct mime *m, struct mime_stream *st, const char *p, size_t n, const char *nl)
{
	const size_t room = sizeof(st->kept) - st->kept_n;
	size_t take = nl ? (size_t)(nl - p) + 1 : n;

	if (take > room)
		take = room;
	memcpy(st->kept + st->kept_n, p, take);
	st->kept_n += take;
	if (st->kept_n == sizeof(st->kept) || st->kept[st->kept_n - 1] == '\n') {
		const size_t kept = st->kept_n;

		st->kept_n = 0;
		take_line(m, st, st->kept, kept);
	}
	return take;
}

/* Lines of a body that nobody looks at, up to one that may mean something. */
static size_t skip_lines(struct mime_stream *st, const char *p, size_t n)
{
	size_t i = 0;
	const char *nl;

	while (i < n && !may_be_special(p[i]) && (nl = memchr(p + i, '\n', n - i))) {
		const size_t next = (size_t)(nl - p) + 1;

		st->line_end = next - i > 1 && nl[-1] == '\r' ? 2 : 1;
		i = next;
	}
	st->at += i;
	return i;
}

void mime_stream_feed(struct mime *m, struct mime_stream *st, const char *p, size_t n)
{
	while (n > 0 && !m->over) {
		size_t took = 0;

		if (st->in_rest) {
			took = take_rest(m, st, p, n);
		} else {
			if (st->kept_n == 0 && !st->in_header && st->reading == 0)
				took = skip_lines(st, p, n);
			if (took == 0) {
				const char *nl = memchr(p, '\n', n);

				if (nl && st->kept_n == 0) {
					took = (size_t)(nl - p) + 1;
					/* as if it had come in pieces */
					if (took > sizeof(st->kept))
						took = sizeof(st->kept);
					take_line(m, st, p, took);
				} else {
					took = keep(m, st, p, n, nl);
				}
			}
		}
		p += took;
		n -= took;
	}
	if (m->over)
		st->at += n;
}

void mime_stream_end(struct mime *m, struct mime_stream *st)
{
	if (st->kept_n > 0 && !m->over) {
		const size_t kept = st->kept_n;

		st->kept_n = 0;
		take_line(m, st, st->kept, kept);
		/* A last line without end is still an empty header's end or a delimiter. */
	}
	if (st->in_header && !m->over)
		end_header(m, st, st->at);
	/* What that began has no header. */
	st->in_header = false;
	while (st->open)
		mime_close_part(m, st, &st->open, st->at);
}
