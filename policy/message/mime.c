/* The parser's frame: begin, feed, end, and the list of parts. */
#include "policy/message/mime_parser.h"

bool mime_list_add(struct mime_list *l, struct text t, struct arena *a)
{
	struct mime_text *item;

	for (const struct mime_text *i = l->first; i; i = i->next) {
		if (text_eq(i->t, t))
			return false;
	}
	item = arena_new(a, struct mime_text);
	item->t = t;
	if (l->last)
		l->last->next = item;
	else
		l->first = item;
	l->last = item;
	l->count++;
	return true;
}

void mime_give_up(struct mime *m, enum mime_limit limit)
{
	m->facts.limits |= limit;
	m->over = true;
}

/* The list doubles: the arena keeps the old ones, which together are as large as the last. */
static void make_room(struct mime *m)
{
	size_t capacity = m->capacity ? m->capacity * 2 : 4;
	struct mime_part *parts = arena_alloc(m->arena, capacity * sizeof(*parts));

	if (m->facts.count > 0)
		memcpy(parts, m->parts, m->facts.count * sizeof(*parts));
	m->parts = parts;
	m->capacity = capacity;
}

struct mime_part *mime_part_add(struct mime *m, int *index)
{
	if (m->facts.count >= m->bounds.parts) {
		mime_give_up(m, MIME_LIMIT_PARTS);
		return NULL;
	}
	if (m->facts.count == m->capacity)
		make_room(m);
	*index = (int)m->facts.count++;
	return &m->parts[*index];
}

struct mime *mime_begin(struct arena *a, const struct mime_bounds *bounds)
{
	struct mime *m = arena_new(a, struct mime);

	m->arena = a;
	m->bounds = *bounds;
	m->top = mime_stream_new(m, -1, 0);
	mime_stream_header(m->top, 0, false);
	return m;
}

void mime_feed(struct mime *m, const char *p, size_t n)
{
	mime_stream_feed(m, m->top, p, n);
}

const struct mime_facts *mime_end(struct mime *m)
{
	mime_stream_end(m, m->top);
	m->facts.parts = m->parts;
	return &m->facts;
}
