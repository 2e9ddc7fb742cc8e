/* The attributes of a winmail.dat: titles of attachments, and where their files stand. */
#include "policy/message/mime_tnef.h"

#include "shm/base/little_endian.h"

enum {
	HEAD_BYTES = 6,      /* signature and key */
	ATTRIBUTE_BYTES = 9, /* level, id, length */
	SUM_BYTES = 2,
	ATTACH_REND_DATA = 0x00069002, /* an attachment begins */
	ATTACH_TITLE = 0x00018010,
	ATTACH_TRANSPORT_NAME = 0x00069001,
	ATTACH_PROPERTIES = 0x00069005,
	ATTACH_DATA = 0x0006800f,
};

struct mime_tnef *mime_tnef_new(struct mime *m, int part, unsigned layer)
{
	struct mime_tnef *t = arena_new(m->arena, struct mime_tnef);

	t->part = part;
	t->layer = layer;
	t->attachment = -1;
	return t;
}

bool tnef_gather(struct tnef_want *want, unsigned need, const char **p, size_t *n)
{
	while (want->n<need && * n> 0) {
		want->b[want->n++] = (unsigned char)**p;
		++*p;
		--*n;
	}
	if (want->n < need)
		return false;
	want->n = 0;
	return true;
}

void tnef_stop(struct mime *m, struct mime_tnef *t)
{
	m->facts.opaque |= MIME_OPAQUE_TNEF;
	t->state = TNEF_END;
}

static void new_attachment(struct mime *m, struct mime_tnef *t)
{
	const unsigned depth = m->parts[t->part].depth + 1;
	struct mime_part *p = mime_part_add(m, &t->attachment);

	if (!p)
		return;
	p->inside = t->part;
	p->depth = depth;
	p->encodings = 1 << MIME_IDENTITY;
}

struct mime_part *tnef_attachment(struct mime *m, struct mime_tnef *t)
{
	if (t->attachment < 0)
		new_attachment(m, t);
	return m->over ? NULL : &m->parts[t->attachment];
}

/* --- values */

void tnef_value_begin(struct mime *m, struct mime_tnef *t, enum tnef_use use, uint64_t length,
		      struct text charset)
{
	struct tnef_value *v = &t->value;
	struct mime_part *p = use == TNEF_FILE ? tnef_attachment(m, t) : NULL;

	v->left = length;
	v->use = use;
	v->charset = charset;
	v->n = 0;
	v->head_n = 0;
	if (p) {
		p->offset = t->at;
		p->length = length;
	}
}

static void keep_name(struct mime *m, struct tnef_value *v, const char *p, size_t n)
{
	if (!v->name) {
		v->room = m->bounds.name_bytes * 2;
		v->name = arena_alloc(m->arena, v->room);
	}
	if (n > v->room - v->n) {
		mime_give_up(m, MIME_LIMIT_NAME_BYTES);
		return;
	}
	memcpy(v->name + v->n, p, n);
	v->n += n;
}

/* A name ends at its NUL. */
static void add_name(struct mime *m, struct mime_tnef *t)
{
	struct tnef_value *v = &t->value;
	struct mime_part *p = tnef_attachment(m, t);
	struct mime_list names = {0};

	if (!p)
		return;
	for (const struct mime_text *old = p->names; old && !m->over; old = old->next)
		mime_list_add(&names, old->t, m->arena);
	if (text_empty(v->charset))
		v->n = text_find(text_make(v->name, v->n), '\0');
	while (v->n >= 2 && v->name[v->n - 1] == '\0' && v->name[v->n - 2] == '\0')
		v->n -= 2;
	mime_name_add_charset(m, &names, v->charset,
			      arena_text(m->arena, text_make(v->name, v->n)));
	m->parts[t->attachment].names = names.first;
}

static void keep_head(struct tnef_value *v, const char *p, size_t n)
{
	const size_t room = sizeof(v->head) - v->head_n;
	const size_t take = n < room ? n : room;

	memcpy(v->head + v->head_n, p, take);
	v->head_n += take;
}

/* A message within: 16 bytes that name its interface, and a TNEF of its own. */
static void feed_inner(struct mime *m, struct mime_tnef *t, const char *p, size_t n)
{
	enum { INTERFACE_BYTES = 16 };
	struct tnef_value *v = &t->value;
	uint64_t at = t->at;

	if (v->n < INTERFACE_BYTES) {
		size_t skip = INTERFACE_BYTES - v->n < n ? INTERFACE_BYTES - v->n : n;

		v->n += skip;
		p += skip;
		n -= skip;
		at += skip;
		t->inner = NULL;
	}
	if (n == 0)
		return;
	if (!t->inner && t->layer + 1 >= MIME_LAYERS) {
		mime_give_up(m, MIME_LIMIT_DEPTH);
		return;
	}
	if (!t->inner) {
		t->inner = mime_tnef_new(m, t->part, t->layer + 1);
		t->inner->at = at; /* its attachments stand in the same body */
	}
	mime_tnef_feed(m, t->inner, p, n);
}

static void end_value(struct mime *m, struct mime_tnef *t)
{
	struct tnef_value *v = &t->value;

	if (v->use == TNEF_NAME && v->n > 0)
		add_name(m, t);
	if (v->use == TNEF_FILE && t->attachment >= 0 && !m->over)
		m->parts[t->attachment].kinds |= mime_magic(v->head, v->head_n);
}

size_t tnef_value_take(struct mime *m, struct mime_tnef *t, const char *p, size_t n)
{
	struct tnef_value *v = &t->value;

	if (n > v->left)
		n = (size_t)v->left;
	if (v->use == TNEF_NAME)
		keep_name(m, v, p, n);
	else if (v->use == TNEF_FILE)
		keep_head(v, p, n);
	else if (v->use == TNEF_MESSAGE)
		feed_inner(m, t, p, n);
	v->left -= n;
	if (v->left == 0 && !m->over)
		end_value(m, t);
	return n;
}

/* --- attributes */

static void begin_data(struct mime *m, struct mime_tnef *t)
{
	enum tnef_use use = TNEF_SKIP;

	switch (t->attribute) {
	case ATTACH_REND_DATA:
		new_attachment(m, t);
		break;
	case ATTACH_TITLE:
	case ATTACH_TRANSPORT_NAME:
		use = TNEF_NAME;
		break;
	case ATTACH_DATA:
		use = TNEF_FILE;
		break;
	default:
		break;
	}
	if (t->attribute == ATTACH_PROPERTIES)
		mime_mapi_begin(&t->mapi);
	else
		tnef_value_begin(m, t, use, t->left, LIT(""));
	t->state = t->left > 0 ? TNEF_DATA : TNEF_SUM;
}

static void begin_attribute(struct mime *m, struct mime_tnef *t)
{
	const unsigned level = t->want.b[0];

	if (level != 1 && level != 2) {
		tnef_stop(m, t);
		return;
	}
	t->attribute = le32(t->want.b + 1);
	t->left = le32(t->want.b + 5);
	begin_data(m, t);
}

static size_t take_data(struct mime *m, struct mime_tnef *t, const char *p, size_t n)
{
	if (n > t->left)
		n = t->left;
	if (t->attribute == ATTACH_PROPERTIES)
		n = mime_mapi_take(m, t, p, n);
	else
		n = tnef_value_take(m, t, p, n);
	t->left -= (uint32_t)n;
	if (t->left == 0 && t->state == TNEF_DATA)
		t->state = TNEF_SUM;
	return n;
}

void mime_tnef_feed(struct mime *m, struct mime_tnef *t, const char *p, size_t n)
{
	while (n > 0 && t->state != TNEF_END && !m->over) {
		const char *const from = p;

		switch (t->state) {
		case TNEF_HEAD:
			if (tnef_gather(&t->want, HEAD_BYTES, &p, &n))
				t->state = TNEF_ATTRIBUTE;
			break;
		case TNEF_ATTRIBUTE:
			if (tnef_gather(&t->want, ATTRIBUTE_BYTES, &p, &n)) {
				t->at += (uint64_t)(p - from);
				begin_attribute(m, t);
				continue;
			}
			break;
		case TNEF_DATA: {
			const size_t took = take_data(m, t, p, n);

			p += took;
			n -= took;
			break;
		}
		default:
			if (tnef_gather(&t->want, SUM_BYTES, &p, &n))
				t->state = TNEF_ATTRIBUTE;
			break;
		}
		t->at += (uint64_t)(p - from);
	}
}
