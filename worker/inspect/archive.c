/* The question about archives: its two bodies, and the inspector's function. */
#include "worker/inspect/archive.h"

#include "policy/message/mime.h"
#include "policy/message/utf8.h"
#include "shm/base/clock.h"
#include "worker/inspect/archive_parts.h"
#include "worker/inspect/archive_walk.h"

#include <locale.h>
#include <stdlib.h>
#include <time.h>

enum {
	/* Of the inspector's address space: for archives that are taken out of archives. */
	MEMORY_BYTES = 96 << 20,
	FLAG_ENCRYPTED = 1,
	FLAG_PACKED = 2,
	BOUNDS_BYTES = 4 + 4 + 8 + 4 + 2,
	PART_BYTES = 4 + 8 + 8 + 1 + 1, /* as they are written */
	FILE_BYTES = 2 + 1 + 8 + 4,     /* and a path */
};

/* libarchive converts names to what the locale says; it is that of the question only. */
static locale_t utf8_locale;

void archives_prepare(void)
{
	utf8_locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	/* It converts dates, too: a zone that has a name is read once, now, and not looked after
	 * each time. */
	setenv("TZ", ":/etc/localtime", 0);
	tzset();
}

/* ---- The question */

size_t archives_question_size(const struct archives_request *rq)
{
	return BOUNDS_BYTES + rq->count * PART_BYTES + 1;
}

bool archives_question_put(struct buf *b, const struct archives_request *rq)
{
	if (rq->count > ARCHIVES_PARTS_MAX)
		return false;
	wire_put_u32(b, rq->bounds.depth);
	wire_put_u32(b, rq->bounds.entries);
	wire_put_u64(b, rq->bounds.bytes);
	wire_put_u32(b, rq->bounds.time_ms);
	wire_put_u16(b, (uint16_t)rq->count);
	for (size_t i = 0; i < rq->count; i++) {
		const struct archives_part *p = &rq->parts[i];

		wire_put_u32(b, (uint32_t)(p->inside + 1));
		wire_put_u64(b, p->offset);
		wire_put_u64(b, p->length);
		wire_put_u8(b, p->encodings);
		wire_put_u8(b, p->asked);
	}
	return !b->cut;
}

static bool get_part(struct reader *r, size_t index, struct archives_part *p)
{
	const uint32_t inside = wire_get_u32(r);

	p->inside = inside <= index ? (int)inside - 1 : -1;
	p->offset = wire_get_u64(r);
	p->length = wire_get_u64(r);
	p->encodings = wire_get_u8(r);
	p->asked = wire_get_u8(r) == 1;
	return !r->bad && inside <= index && p->encodings < 1U << MIME_ENCODINGS;
}

bool archives_question_get(struct text body, struct arena *a, struct archives_request *rq)
{
	struct reader r = reader_over(body);
	struct archives_part *parts;

	*rq = (struct archives_request){.bounds.depth = wire_get_u32(&r)};
	rq->bounds.entries = wire_get_u32(&r);
	rq->bounds.bytes = wire_get_u64(&r);
	rq->bounds.time_ms = wire_get_u32(&r);
	rq->count = wire_get_u16(&r);
	if (r.bad || rq->count > ARCHIVES_PARTS_MAX || rq->count > r.n / PART_BYTES)
		return false;
	parts = arena_alloc(a, (rq->count + 1) * sizeof(*parts));
	for (size_t i = 0; i < rq->count; i++) {
		if (!get_part(&r, i, &parts[i]))
			return false;
	}
	rq->parts = parts;
	return reader_done(&r);
}

/* ---- The answer: limits, files that are alike, states, and the files to the end */

static void put_answer(struct buf *b, const struct archive_findings *f)
{
	wire_put_u16(b, (uint16_t)f->limits);
	wire_put_u32(b, (uint32_t)f->alike);
	wire_put_u16(b, (uint16_t)f->parts);
	buf_put(b, f->states, f->parts);
	buf_put(b, f->files.p, f->files.n);
}

static bool get_file(struct reader *r, size_t parts, struct archives_file *f)
{
	f->part = wire_get_u16(r);
	const uint8_t flags = wire_get_u8(r);
	f->encrypted = flags & FLAG_ENCRYPTED;
	f->packed = flags & FLAG_PACKED;
	f->kinds = wire_get_u64(r);
	f->path = wire_get_text(r, ARCHIVES_PATH_MAX);
	return !r->bad && f->part < parts && f->kinds >> MIME_KINDS == 0 && utf8_is_valid(f->path);
}

bool archives_answer_get(struct text body, struct arena *a, const struct archives_request *rq,
			 struct archives_facts *out)
{
	struct reader r = reader_over(body);
	struct archives_file *files;

	out->limits = wire_get_u16(&r);
	out->alike = wire_get_u32(&r);
	const size_t parts = wire_get_u16(&r);
	const struct text states = wire_get_bytes(&r, parts);
	if (r.bad || parts != rq->count)
		return false;
	out->part_states = (const unsigned char *)states.p;
	out->states = 0;
	for (size_t i = 0; i < parts; i++)
		out->states |= out->part_states[i];
	files = arena_alloc(a, (r.n / FILE_BYTES + 1) * sizeof(*files));
	for (out->count = 0; r.n > 0; out->count++) {
		if (!get_file(&r, parts, &files[out->count]))
			return false;
	}
	out->files = files;
	out->answered = true;
	return true;
}

/* ---- In the inspector */

static void look_at_part(struct archive_parts *parts, struct archive_walk *w, unsigned part)
{
	struct archive_reading r;
	const unsigned char *p;
	size_t n;

	w->found->part = part;
	archive_reading_first(parts, part, &r);
	if (r.depth == 0)
		w->found->limits |= ARCHIVES_LIMIT_DEPTH;
	for (; r.depth > 0 && !w->over; archive_reading_next(parts, &r)) {
		if (archive_parts_bytes(parts, &r, &p, &n, &w->found->limits))
			archive_walk(w, p, n);
		else
			w->over = true;
	}
}

static void look_at_all(struct archive_parts *parts, const struct archives_request *rq,
			struct archive_findings *found)
{
	const int64_t time_us = INT64_C(1000) * rq->bounds.time_ms;
	struct archive_walk w = {
	    .found = found,
	    .deadline_cpu_us = clock_cpu_us() + time_us,
	    .look_mono_us = clock_mono_us() + time_us,
	    .memory_left = MEMORY_BYTES,
	};

	for (unsigned i = 0; i < rq->count && !w.over; i++) {
		if (rq->parts[i].asked)
			look_at_part(parts, &w, i);
	}
}

void question_archive(struct inquiry *i, struct buf *answer)
{
	struct archives_request rq;
	struct archive_findings found;
	struct archive_parts parts;
	locale_t before;

	if (!archives_question_get(i->q->body, i->arena, &rq) ||
	    !archive_parts_open(&parts, i->q->message_fd, &rq)) {
		answer->cut = true; /* no answer */
		return;
	}
	archive_findings_begin(&found, &rq.bounds, arena_alloc(i->arena, ARCHIVE_FILES_BYTES),
			       arena_alloc(i->arena, rq.count + 1), rq.count);
	before = utf8_locale ? uselocale(utf8_locale) : (locale_t)0;
	look_at_all(&parts, &rq, &found);
	if (before)
		uselocale(before);
	put_answer(answer, &found);
	archive_findings_end(&found);
	archive_parts_close(&parts);
}
