/* Events: the records in the rings.  A record is {u16 type, u16 zero, u32 zero, i64 wall_us} and
 * then fields {u8 field, u8 zero, u16 length, bytes}; integers are 8 bytes, addresses 16.  Field
 * values that do not fit are cut, fields that do not fit are left out: a record is never refused
 * for its size. */
#ifndef SHM_EVENT_H
#define SHM_EVENT_H

#include "shm/base/ip.h"
#include "shm/base/text.h"

enum event_type {
#define EVENT(name, log, weight) EVENT_##name,
#define FIELD(name, type)
#include "shm/event.def"
#undef EVENT
#undef FIELD
	EVENT_TYPES
};

enum event_field {
#define EVENT(name, log, weight)
#define FIELD(name, type) FIELD_##name,
#include "shm/event.def"
#undef EVENT
#undef FIELD
	EVENT_FIELDS
};

enum field_type {
	FIELD_TEXT_,
	FIELD_TEXTS_,
	FIELD_INT_,
	FIELD_IP_,
	FIELD_TIME_,
	FIELD_DURATION_,
	FIELD_ID_
};

#define EVENT_MAX 4096
/* A text field is cut at this length. */
#define EVENT_TEXT_MAX 1024

struct event {
	size_t n;
	unsigned char bytes[EVENT_MAX];
};

void event_begin(struct event *e, enum event_type type, int64_t wall_us);
void event_text(struct event *e, enum event_field f, struct text t); /* an empty one is left out */
void event_int(struct event *e, enum event_field f, int64_t v);
void event_ip(struct event *e, enum event_field f, const struct ip *ip);
/* What was begun. */
enum event_type event_kind(const struct event *e);

/* Reading: false if the bytes are no event.  The views point into `bytes`.  Fields that this
 * program doesn't know (an event of a later version) are passed over. */
struct event_view {
	enum event_type type;
	int64_t wall_us;
	const unsigned char *fields;
	size_t n;
};
struct field_view {
	enum event_field field;
	struct text text; /* TEXT, TEXTS */
	int64_t number;   /* INT, TIME, DURATION, ID */
	struct ip ip;     /* IP */
};
bool event_parse(const void *bytes, size_t n, struct event_view *out);
/* The next field at `*offset` (start with 0); false at the end. */
bool event_next(const struct event_view *v, size_t *offset, struct field_view *out);
/* The first field of that name; false if there is none. */
bool event_get(const struct event_view *v, enum event_field f, struct field_view *out);

const char *event_type_name(enum event_type t);
const char *event_field_name(enum event_field f); /* with dashes */
enum field_type event_field_type(enum event_field f);
bool event_matters(enum event_type t);

/* One line without newline.  The type of a field decides how it is shown, never its bytes, so
 * nothing that a client sends can look like another field or another line:
 *
 *   message client=192.0.2.1 helo=mx.example.org duration=1.250000s reply="250 2.0.0 Taken"
 *
 * A value is quoted unless it is made of printable ASCII without space, quote, backslash and '=';
 * bytes outside printable ASCII, quotes and backslashes are \xHH.  In the text form times are ISO
 * 8601 and incidents "7KQ2-M4XD".
 *
 *   {"time":"...","event":"message","client":"192.0.2.1","duration":1.250000,"ran":["..."]}
 *
 * is pure ASCII: valid UTF-8 becomes \uHHHH, a byte that is not UTF-8 the four characters \xHH.  A
 * field of a kind that may come again (TEXTS) is always an array, any other stands once.
 *
 * With a buffer of EVENT_LINE_MAX nothing is ever cut. */
#define EVENT_LINE_MAX (8 * EVENT_MAX)
void event_format_text(const struct event_view *v, struct buf *out);
void event_format_json(const struct event_view *v, struct buf *out);

/* Incident ids: 40 bits, shown as "mx1-7KQ2-M4XD" (host label, Crockford base 32). */
#define INCIDENT_TEXT_MAX 48
char *incident_format(struct text host_label, uint64_t id, char dst[INCIDENT_TEXT_MAX]);
/* Reads one back, with or without host label, any case, O/0 and I/L/1 alike. */
bool incident_parse(struct text t, uint64_t *id);

#endif
