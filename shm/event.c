/* Events: written field by field, read back with every length checked. */
#include "shm/event.h"

#include <assert.h>

#define HEADER_BYTES 16
#define FIELD_BYTES  4

_Static_assert(EVENT_FIELDS <= 256, "a field's number is one byte");

static const struct {
	const char *name;
	bool matters;
} TYPES[EVENT_TYPES] = {
#define AUDIT                    false
#define MATTERS                  true
#define EVENT(name, log, weight) {log, weight},
#define FIELD(name, type)
#include "shm/event.def"
#undef EVENT
#undef FIELD
};

static struct {
	char name[24];
	enum field_type type;
} FIELDS[EVENT_FIELDS] = {
#define EVENT(name, log, weight)
#define FIELD(name, type) {#name, FIELD_##type##_},
#include "shm/event.def"
#undef EVENT
#undef FIELD
};

/* The table's names are C's, with underscores; everybody else's have dashes.  Once, before main. */
static void __attribute__((constructor)) give_dashes(void)
{
	for (unsigned f = 0; f < EVENT_FIELDS; f++) {
		for (char *p = FIELDS[f].name; (p = strchr(p, '_'));)
			*p = '-';
	}
}

const char *event_type_name(enum event_type t)
{
	return TYPES[t].name;
}

const char *event_field_name(enum event_field f)
{
	return FIELDS[f].name;
}

enum field_type event_field_type(enum event_field f)
{
	return FIELDS[f].type;
}

bool event_matters(enum event_type t)
{
	return TYPES[t].matters;
}

static bool is_text(enum event_field f)
{
	return FIELDS[f].type == FIELD_TEXT_ || FIELDS[f].type == FIELD_TEXTS_;
}

void event_begin(struct event *e, enum event_type type, int64_t wall_us)
{
	uint16_t number = (uint16_t)type;

	memset(e->bytes, 0, HEADER_BYTES);
	memcpy(e->bytes, &number, sizeof(number));
	memcpy(e->bytes + 8, &wall_us, sizeof(wall_us));
	e->n = HEADER_BYTES;
}

static void put(struct event *e, enum event_field f, const void *p, uint16_t n)
{
	unsigned char *at = e->bytes + e->n;

	if (EVENT_MAX - e->n < (size_t)FIELD_BYTES + n)
		return;
	at[0] = (unsigned char)f;
	at[1] = 0;
	memcpy(at + 2, &n, sizeof(n));
	memcpy(at + FIELD_BYTES, p, n);
	e->n += (size_t)FIELD_BYTES + n;
}

void event_text(struct event *e, enum event_field f, struct text t)
{
	size_t room = EVENT_MAX - e->n;

	assert(is_text(f));
	if (t.n > EVENT_TEXT_MAX)
		t.n = EVENT_TEXT_MAX;
	if (room > FIELD_BYTES && t.n > room - FIELD_BYTES)
		t.n = room - FIELD_BYTES;
	if (t.n)
		put(e, f, t.p, (uint16_t)t.n);
}

void event_int(struct event *e, enum event_field f, int64_t v)
{
	assert(!is_text(f) && FIELDS[f].type != FIELD_IP_);
	put(e, f, &v, sizeof(v));
}

void event_ip(struct event *e, enum event_field f, const struct ip *ip)
{
	assert(FIELDS[f].type == FIELD_IP_);
	put(e, f, ip->b, sizeof(ip->b));
}

/* Is the length one that the field can have? */
static bool length_fits(unsigned field, size_t n)
{
	if (field >= EVENT_FIELDS || is_text(field))
		return true;
	return n == (FIELDS[field].type == FIELD_IP_ ? sizeof(struct ip) : sizeof(int64_t));
}

/* The length of the field at p with its header, or 0 if it runs over the end or can't be. */
static size_t field_length(const unsigned char *p, size_t left)
{
	uint16_t n;

	if (left < FIELD_BYTES)
		return 0;
	memcpy(&n, p + 2, sizeof(n));
	if (p[1] != 0 || n > left - FIELD_BYTES || !length_fits(p[0], n))
		return 0;
	return (size_t)FIELD_BYTES + n;
}

enum event_type event_kind(const struct event *e)
{
	uint16_t type;

	memcpy(&type, e->bytes, sizeof(type));
	return type;
}

bool event_parse(const void *bytes, size_t n, struct event_view *out)
{
	const unsigned char *p = bytes;
	uint16_t type;

	if (n < HEADER_BYTES || n > EVENT_MAX)
		return false;
	memcpy(&type, p, sizeof(type));
	if (type >= EVENT_TYPES || memcmp(p + 2, "\0\0\0\0\0", 6) != 0)
		return false;
	out->type = type;
	memcpy(&out->wall_us, p + 8, sizeof(out->wall_us));
	out->fields = p + HEADER_BYTES;
	out->n = n - HEADER_BYTES;
	for (size_t at = 0, step; at < out->n; at += step) {
		step = field_length(out->fields + at, out->n - at);
		if (step == 0)
			return false;
	}
	return true;
}

static void read_field(const unsigned char *p, size_t n, struct field_view *out)
{
	*out = (struct field_view){.field = p[0]};
	p += FIELD_BYTES;
	n -= FIELD_BYTES;
	if (is_text(out->field))
		out->text = text_make((const char *)p, n);
	else if (FIELDS[out->field].type == FIELD_IP_)
		memcpy(out->ip.b, p, sizeof(out->ip.b));
	else
		memcpy(&out->number, p, sizeof(out->number));
}

bool event_next(const struct event_view *v, size_t *offset, struct field_view *out)
{
	while (*offset < v->n) {
		const unsigned char *p = v->fields + *offset;
		size_t n = field_length(p, v->n - *offset);
		if (n == 0)
			return false;
		*offset += n;
		if (p[0] >= EVENT_FIELDS)
			continue;
		read_field(p, n, out);
		return true;
	}
	return false;
}

bool event_get(const struct event_view *v, enum event_field f, struct field_view *out)
{
	for (size_t offset = 0; event_next(v, &offset, out);) {
		if (out->field == f)
			return true;
	}
	return false;
}
