/* The mail log: one line an event. */
#include "shm/base/log.h"
#include "shm/event.h"
#include "shm/keeper_parts.h"

enum { LINE_BYTES = 16000 };

/* A hit is counted, and told by the line of the message that it decided. */
static bool is_logged(enum event_type type)
{
	return type != EVENT_HIT;
}

/* What only `explain` needs: in the log it would drown the rest. */
static bool is_detail(enum event_field f)
{
	return f == FIELD_ran || f == FIELD_remedy;
}

static void copy_field(struct event *to, const struct field_view *f)
{
	switch (event_field_type(f->field)) {
	case FIELD_TEXT_:
	case FIELD_TEXTS_:
		event_text(to, f->field, f->text);
		break;
	case FIELD_IP_:
		event_ip(to, f->field, &f->ip);
		break;
	default:
		event_int(to, f->field, f->number);
	}
}

static bool has_details(const struct event_view *v)
{
	struct field_view field;

	for (size_t at = 0; event_next(v, &at, &field);) {
		if (is_detail(field.field))
			return true;
	}
	return false;
}

static void without_details(const struct event_view *v, struct event *out)
{
	struct field_view field;

	event_begin(out, v->type, v->wall_us);
	for (size_t at = 0; event_next(v, &at, &field);) {
		if (!is_detail(field.field))
			copy_field(out, &field);
	}
}

/* The longest that a line can be fits behind what is there already, or that goes out first. */
static void put_line(struct buf *lines, const struct event_view *v, bool json)
{
	if (lines->cap - lines->n < LINE_BYTES) {
		log_lines(LOG_LEVEL_INFO, lines->p, lines->n);
		lines->n = 0;
	}
	struct buf line = buf_over(lines->p + lines->n, LINE_BYTES - 1);

	if (json)
		event_format_json(v, &line);
	else
		event_format_text(v, &line);
	lines->n += line.n;
	buf_char(lines, '\n');
}

void keeper_log(struct keeper_batch *b, bool json)
{
	struct buf lines = buf_over(b->lines, sizeof(b->lines));

	for (unsigned i = 0; i < b->n; i++) {
		const struct keeper_record *r = &b->records[i];
		struct event_view v;
		struct event shown;

		if (!event_parse(b->bytes + r->offset, r->n, &v) || !is_logged(v.type))
			continue;
		if (has_details(&v)) {
			without_details(&v, &shown);
			if (!event_parse(shown.bytes, shown.n, &v))
				continue;
		}
		put_line(&lines, &v, json);
	}
	log_lines(LOG_LEVEL_INFO, lines.p, lines.n);
}
