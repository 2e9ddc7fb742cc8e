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

/* --- parts that are open */

static void open_part(struct mime *m, struct mime_stream *st, int part, unsigned by, bool loose)
{
	struct mime_open *o = m->free_open;
	const struct mime_part *p = &m->parts[part];

	if (st->open_count == MIME_OPEN) {
		mime_give_up(m, MIME_LIMIT_READINGS);
		return;
	}
	if (o)
		m->free_open = o->next;
	else
		o = arena_new(m->arena, struct mime_open);
	*o = (struct mime_open){.next = st->open, .part = part, .by = by, .loose = loose};
	o->depth = p->depth;
	st->open = o;
	st->open_count++;
	for (unsigned e = 0; e < MIME_ENCODINGS; e++) {
		struct mime_reader *r;

		if (!(p->encodings >> e & 1))
			continue;
		r = mime_reader_new(m, part, (enum mime_encoding)e);
		r->next = o->readers;
		o->readers = r;
		st->reading++;
	}
}

static void drop_reader(struct mime *m, struct mime_stream *st, struct mime_reader **link)
{
	struct mime_reader *r = *link;

	*link = r->next;
	st->reading--;
	mime_reader_end(m, r);
}

/* `end` is where its body ends. */
static void close_part(struct mime *m, struct mime_stream *st, struct mime_open **link,
		       uint64_t end)
{
	struct mime_open *o = *link;
	struct mime_part *p;

	while (o->readers)
		drop_reader(m, st, &o->readers);
	p = &m->parts[o->part];
	p->length = end > p->offset ? end - p->offset : 0;
	*link = o->next;
	st->open_count--;
	o->next = m->free_open;
	m->free_open = o;
}

/* The bytes at hand belong to every open part. */
static void give(struct mime *m, struct mime_stream *st, const char *p, size_t n)
{
	if (st->reading == 0)
		return;
	for (struct mime_open *o = st->open; o; o = o->next) {
		struct mime_reader **link = &o->readers;

		while (*link) {
			if (mime_reader_feed(m, *link, p, n))
				link = &(*link)->next;
			else
				drop_reader(m, st, link);
		}
	}
}

/* --- boundaries */

static struct mime_boundary *boundary_slot(struct mime *m, struct mime_stream *st)
{
	if (st->boundary_count < MIME_BOUNDARIES)
		return &st->boundaries[st->boundary_count++];
	for (size_t i = 0; i < st->boundary_count; i++) {
		if (st->boundaries[i].live)
			continue;
		/* the one that was closed longest ago makes room */
		memmove(&st->boundaries[i], &st->boundaries[i + 1],
			(st->boundary_count - i - 1) * sizeof(st->boundaries[0]));
		return &st->boundaries[st->boundary_count - 1];
	}
	mime_give_up(m, MIME_LIMIT_READINGS);
	return NULL;
}

static struct mime_boundary *boundary_add(struct mime *m, struct mime_stream *st, struct text t,
					  unsigned depth)
{
	struct mime_boundary *b;

	for (size_t i = 0; i < st->boundary_count; i++) {
		b = &st->boundaries[i];
		if (b->live && b->depth == depth && text_eq(b->t, t))
			return b;
	}
	b = boundary_slot(m, st);
	if (b)
		*b = (struct mime_boundary){t, st->next_id++, depth, true};
	return b;
}

void mime_stream_boundaries(struct mime *m, struct mime_stream *st, const struct mime_list *list,
			    unsigned depth, bool adopt)
{
	if (depth > m->bounds.depth) {
		mime_give_up(m, MIME_LIMIT_DEPTH);
		return;
	}
	for (const struct mime_text *t = list->first; t && !m->over; t = t->next)
		boundary_add(m, st, t->t, depth);
	if (!adopt)
		return;
	st->adopt = depth + 1;
	st->adopted = 0;
}

/* How a line that starts with "--" fits a boundary; the larger, the stricter a program may be. */
enum fit { FIT_NONE, FIT_LOOSE, FIT_CLOSED, FIT_LIVE };

static enum fit boundary_fits(const struct mime_boundary *b, struct text line, bool *closes)
{
	*closes = false;
	if (line.n < b->t.n || memcmp(line.p, b->t.p, b->t.n) != 0)
		return FIT_NONE;
	line = text_make(line.p + b->t.n, line.n - b->t.n);
	*closes = text_eq(line, LIT("--"));
	if (line.n > 0 && !*closes)
		return b->t.n > 0 ? FIT_LOOSE : FIT_NONE;
	return b->live ? FIT_LIVE : FIT_CLOSED;
}

static struct text trim_right(struct text t)
{
	while (t.n > 0 && (t.p[t.n - 1] == ' ' || t.p[t.n - 1] == '\t'))
		t.n--;
	return t;
}

/* A multipart that names no boundary: some programs take what they find. */
static struct mime_boundary *adopt_boundary(struct mime *m, struct mime_stream *st, struct text t)
{
	struct mime_boundary *b;

	if (st->adopt == 0 || st->adopted == MIME_ADOPTED || t.n == 0 || t.n > MIME_BOUNDARY_BYTES)
		return NULL;
	b = boundary_add(m, st, arena_text(m->arena, t), st->adopt - 1);
	if (b)
		st->adopted++;
	return b;
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
		mime_stream_boundaries(m, inner, &e->boundaries, e->depth + 1,
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
	open_part(m, st, part, e->by, e->loose);
	if (!container || m->over)
		return;
	mime_stream_boundaries(m, st, &e->boundaries, e->depth + 1,
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
			enum fit fit)
{
	const uint64_t end = st->at - st->line_end;
	struct mime_open **link = &st->open;

	while (*link) {
		const struct mime_open *o = *link;
		const bool mine = o->depth == b->depth && o->by == b->id;

		if (fit == FIT_LIVE ? mine || o->depth > b->depth : mine && o->loose)
			close_part(m, st, link, end);
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
			   enum fit fit, bool closes)
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
	const struct text t = trim_right(text_make(line.p + 2, line.n - 2));
	struct mime_boundary *best = NULL;
	enum fit best_fit = FIT_NONE;
	bool best_closes = false, closes;

	for (size_t i = st->boundary_count; i-- > 0;) {
		const enum fit fit = boundary_fits(&st->boundaries[i], t, &closes);

		/* of two that fit alike, an opening one, then the later */
		if (fit > best_fit || (fit == best_fit && best_closes && !closes && best)) {
			best = &st->boundaries[i];
			best_fit = fit;
			best_closes = closes;
		}
	}
	if (best_fit < FIT_CLOSED) {
		struct mime_boundary *b = adopt_boundary(m, st, t);

		if (b) {
			best = b;
			best_fit = FIT_LIVE;
			best_closes = false;
		}
	}
	if (!best || m->over)
		return false;
	/* To strict programs the header block goes on: it does, and gets the fields of both. */
	if (st->in_header && best_fit != FIT_LIVE)
		return false;
	take_delimiter(m, st, best, best_fit, best_closes);
	return true;
}

/* --- uuencoded files in a text */

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

static void close_uu(struct mime *m, struct mime_stream *st)
{
	if (st->open && st->open->uu)
		close_part(m, st, &st->open, st->at - st->line_end);
}

static void uu_line(struct mime *m, struct mime_stream *st, struct text line, size_t whole)
{
	enum mime_encoding encoding;
	struct mime_list names = {0};
	struct mime_part *p;
	struct text name;
	int part;

	if (st->open && st->open->uu && (text_eq(line, LIT("end")) || text_eq(line, LIT("===="))))
		close_uu(m, st);
	if (!uu_begin(line, &name, &encoding))
		return;
	close_uu(m, st);
	mime_name_add(m, &names, name);
	p = m->over ? NULL : mime_part_add(m, &part);
	if (!p)
		return;
	p->inside = st->inside;
	p->offset = st->at + whole;
	p->depth = st->depth + 1;
	p->encodings = (unsigned char)(1 << encoding);
	p->names = names.first;
	open_part(m, st, part, 0, false);
	if (!m->over)
		st->open->uu = true;
}

/* --- lines */

static void header_line(struct mime *m, struct mime_stream *st, struct text line, size_t whole,
			bool complete)
{
	if (complete && line.n == 0)
		end_header(m, st, st->at + whole);
	else if (complete && trim_right(line).n == 0)
		fork_header(m, st, st->at + whole);
	else
		mime_entity_line(m, &st->entity, line);
}

static bool may_be_special(char c)
{
	return c == '-' || c == 'b' || c == 'B' || c == 'e' || c == '=';
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
	give(m, st, p, n);
	if (!taken && was_header)
		header_line(m, st, line, n, complete);
	else if (!taken && may_be_special(p[0]))
		uu_line(m, st, line, n);
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

	give(m, st, p, take);
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
		close_part(m, st, &st->open, st->at);
}
