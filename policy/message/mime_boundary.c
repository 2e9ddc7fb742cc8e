/* The boundaries of a stream, and which of them a line may be taken for. */
#include "policy/message/mime_parser.h"

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

void mime_boundaries_add(struct mime *m, struct mime_stream *st, const struct mime_list *list,
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

static enum mime_fit boundary_fits(const struct mime_boundary *b, struct text line, bool *closes)
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

struct mime_boundary *mime_boundary_find(struct mime *m, struct mime_stream *st, struct text t,
					 enum mime_fit *best_fit, bool *best_closes)
{
	struct mime_boundary *best = NULL, *adopted;
	bool closes;

	*best_fit = FIT_NONE;
	*best_closes = false;
	for (size_t i = st->boundary_count; i-- > 0;) {
		const enum mime_fit fit = boundary_fits(&st->boundaries[i], t, &closes);

		/* of two that fit alike, an opening one, then the later */
		if (fit > *best_fit || (fit == *best_fit && *best_closes && !closes && best)) {
			best = &st->boundaries[i];
			*best_fit = fit;
			*best_closes = closes;
		}
	}
	adopted = *best_fit < FIT_CLOSED ? adopt_boundary(m, st, t) : NULL;
	if (!adopted)
		return best;
	*best_fit = FIT_LIVE;
	*best_closes = false;
	return adopted;
}
