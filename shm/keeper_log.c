/* The mail log: one line an event. */
#include "shm/base/log.h"
#include "shm/event.h"
#include "shm/keeper_parts.h"

enum { LINE_MAX_ = 16384 };

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

static void without_details(const struct event_view *v, struct event *out)
{
	struct field_view field;

	event_begin(out, v->type, v->wall_us);
	for (size_t at = 0; event_next(v, &at, &field);) {
		if (!is_detail(field.field))
			copy_field(out, &field);
	}
}

static void log_event(const struct event_view *v, bool json)
{
	char bytes[LINE_MAX_];
	struct buf line = buf_over(bytes, sizeof(bytes));

	if (json)
		event_format_json(v, &line);
	else
		event_format_text(v, &line);
	log_line(LOG_LEVEL_INFO, line.p, (int)line.n);
}

void keeper_log(const struct keeper_batch *b, bool json)
{
	for (unsigned i = 0; i < b->n; i++) {
		const struct keeper_record *r = &b->records[i];
		struct event_view v;
		struct event shown;

		if (!event_parse(b->bytes + r->offset, r->n, &v) || !is_logged(v.type))
			continue;
		without_details(&v, &shown);
		if (event_parse(shown.bytes, shown.n, &v))
			log_event(&v, json);
	}
}
