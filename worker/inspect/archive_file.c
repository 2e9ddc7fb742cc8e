/* One file in an archive: what it is, what it comes to, and what is in it if it is an archive
 * itself. */
#include "worker/inspect/archive_marks.h"
#include "worker/inspect/archive_walk_inner.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdlib.h>

/* How many it got; less than `max` at the file's end, or where it is broken. */
static size_t read_content(struct archive_walk *w, struct archive_file *f, unsigned char *p,
			   size_t max)
{
	size_t n = 0;

	while (n < max && archive_in_time(w)) {
		const size_t step = max - n < ARCHIVE_STEP_BYTES ? max - n : ARCHIVE_STEP_BYTES;
		const la_ssize_t got = archive_read_data(f->a, p + n, step);

		if (got == ARCHIVE_RETRY)
			continue;
		if (got < 0)
			f->broken = true;
		if (got <= 0)
			break;
		n += (size_t)got;
	}
	return n;
}

/* What a file claims to come to; by a later pass it has been counted. */
static uint64_t claim_of(const struct archive_file *f)
{
	const la_int64_t claim =
	    !f->again && archive_entry_size_is_set(f->e) ? archive_entry_size(f->e) : 0;

	return claim > 0 ? (uint64_t)claim : 0;
}

static uint64_t kinds_of(const struct archive_file *f)
{
	uint64_t kinds = mime_magic(f->head, f->head_n);

	if (f->head_n == ARCHIVE_HEAD_BYTES && mime_magic_is_disc(f->head + MIME_DISC_AT))
		kinds |= UINT64_C(1) << MIME_ISO;
	return kinds;
}

/* The whole content; NULL: no memory, or too much of it. */
static unsigned char *take_out(struct archive_walk *w, struct archive_file *f, size_t *n)
{
	size_t room = f->head_n + 16 * 1024, used = f->head_n;
	unsigned char *p = malloc(room);

	if (p)
		memcpy(p, f->head, used);
	while (p) {
		used += read_content(w, f, p + used, room - used);
		if (used < room || w->over)
			break;
		room *= 2;
		unsigned char *more = room <= w->memory_left ? realloc(p, room) : NULL;
		if (!more)
			free(p);
		p = more;
	}
	if (!p)
		archive_give_up(w, ARCHIVES_LIMIT_MEMORY);
	*n = used;
	return p;
}

/* An archive in an archive. */
static void walk_file(struct archive_walk *w, struct archive_file *f, uint64_t kinds,
		      uint64_t *read)
{
	char room[ARCHIVES_PATH_MAX];
	struct archive_place at = {.kinds = kinds, .depth = f->in->depth + 1};
	unsigned char *p;

	if (f->in->depth >= w->found->bounds.depth) {
		w->found->limits |= ARCHIVES_LIMIT_DEPTH;
		return;
	}
	p = take_out(w, f, &at.n);
	if (!p)
		return;
	*read = at.n;
	at.p = p;
	at.path = archive_path(f->in->path, f->name, room);
	w->memory_left -= at.n < w->memory_left ? at.n : w->memory_left;
	if (!w->over)
		archive_walk_place(w, &at);
	w->memory_left += at.n;
	free(p);
}

/* Formats in which the next file is found only by unpacking this one: by us, so that what it comes
 * to is counted and the time looked at. */
static void read_through(struct archive_walk *w, struct archive_file *f, uint64_t *read)
{
	const int format = archive_format(f->a) & ARCHIVE_FORMAT_BASE_MASK;
	const bool solid = format == ARCHIVE_FORMAT_7ZIP || format == ARCHIVE_FORMAT_RAR ||
			   format == ARCHIVE_FORMAT_RAR_V5 || format == ARCHIVE_FORMAT_CAB ||
			   archive_filter_count(f->a) > 1;
	const void *p;
	size_t n;
	la_int64_t offset;
	int r;

	if (!solid || f->packed || f->encrypted || f->broken)
		return;
	while (archive_in_time(w) &&
	       (r = archive_read_data_block(f->a, &p, &n, &offset)) != ARCHIVE_EOF) {
		if (r == ARCHIVE_RETRY)
			continue;
		if (r < ARCHIVE_WARN) {
			f->broken = true;
			return;
		}
		*read += n;
		if (w->bytes + *read > w->found->bounds.bytes)
			archive_give_up(w, ARCHIVES_LIMIT_BYTES);
	}
}

static void tell(struct archive_walk *w, const struct archive_file *f, uint64_t kinds)
{
	archive_findings_add(w->found, &(struct archive_found){
					   .folder = f->in->path,
					   .name = f->name,
					   .kinds = kinds,
					   .encrypted = f->encrypted,
					   .packed = f->packed,
				       });
}

void archive_file_look(struct archive_walk *w, struct archive_file *f)
{
	const uint64_t claim = claim_of(f);
	uint64_t kinds = 0, read = 0;

	if (!archive_findings_count(w->found)) {
		w->over = true;
		return;
	}
	if (!f->encrypted) {
		f->head_n = read_content(w, f, f->head, ARCHIVE_HEAD_BYTES);
		read = f->head_n;
		kinds = kinds_of(f);
	}
	tell(w, f, kinds);
	if (!archive_spend(w, claim))
		return;
	if (!f->encrypted && f->head_n > 0 && archive_marks_nested(kinds, f->name))
		walk_file(w, f, kinds, &read);
	else
		read_through(w, f, &read);
	if (f->broken && !w->over)
		archive_findings_state(w->found, ARCHIVES_DAMAGED);
	/* The claim or what came, whichever is more. */
	archive_spend(w, read > claim ? read - claim : 0);
}
