/* The parts of a stream that are open: where they end, and who reads their bytes. */
#include "policy/message/mime_parser.h"

void mime_open_part(struct mime *m, struct mime_stream *st, int part, unsigned by, bool loose)
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

void mime_close_part(struct mime *m, struct mime_stream *st, struct mime_open **link, uint64_t end)
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

void mime_open_feed(struct mime *m, struct mime_stream *st, const char *p, size_t n)
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
