/* Headers of a zip, wherever they stand (APPNOTE 4.3). */
#include "worker/inspect/archive_zip.h"

#include "shm/base/little_endian.h"

#include <stdlib.h>

enum {
	LOCAL_BYTES = 30,
	CENTRAL_BYTES = 46,
	END_BYTES = 22,
	COMMENT_MAX = 65535,
	FLAG_ENCRYPTED = 1 << 0,
	FLAG_MASKED = 1 << 13, /* the local headers' facts are in an encrypted directory */
	EXTRA_ZIP64 = 0x0001,
	EXTRA_UNICODE_PATH = 0x7075,
	/* So that headers which claim the same bytes again and again take bounded time. */
	EXTRA_FIELDS_MAX = 1024,
	NAME_LOOKED_AT = 4096,
};

/* Where a file stands, by a directory. */
struct extent {
	uint64_t offset, end;
};

struct scan {
	struct archive_zip_scan *s;
	const unsigned char *p;
	size_t n;
	uint64_t local_sum, central_sum;
	/* The directory at hand: headers that follow each other. */
	size_t next_at;
	struct extent *extents;
	size_t extent_count, extent_room;
};

struct header {
	unsigned flags, method;
	uint64_t packed, size, offset;
	size_t name_n, extra_n, bytes; /* bytes: all of it */
	const unsigned char *name;
};

/* Those that some program can unpack: four bytes alone are met by chance in large files. */
static bool is_method(unsigned m)
{
	return m <= 20 || (m >= 92 && m <= 99);
}

/* ---- Extra fields */

/* The content of a field; NULL: it has none of that id. */
static const unsigned char *extra(const struct header *h, unsigned id, size_t *n)
{
	const unsigned char *p = h->name + h->name_n, *end = p + h->extra_n;

	for (unsigned i = 0; i < EXTRA_FIELDS_MAX && end - p >= 4; i++) {
		const size_t length = le16(p + 2);

		if (length > (size_t)(end - p) - 4)
			return NULL;
		if (le16(p) == id) {
			*n = length;
			return p + 4;
		}
		p += 4 + length;
	}
	return NULL;
}

/* Numbers that need more than 32 bits stand there, in the order size, packed size, offset. */
static void widen(struct header *h)
{
	uint64_t *const fields[] = {&h->size, &h->packed, &h->offset};
	size_t n = 0;
	const unsigned char *p = extra(h, EXTRA_ZIP64, &n);

	for (size_t i = 0; p && i < 3; i++) {
		if (*fields[i] != UINT32_MAX)
			continue;
		if (n < 8)
			return;
		*fields[i] = le64(p);
		p += 8;
		n -= 8;
	}
}

/* ---- Names */

static void tell(const struct scan *sc, struct text name, bool encrypted)
{
	const struct archive_zip_name found = {name, encrypted};

	if (name.n > 0 && sc->s->found)
		sc->s->found(sc->s->arg, &found);
}

static bool is_folder(const struct header *h)
{
	const unsigned char last = h->name[h->name_n - 1];

	return (last == '/' || last == '\\') && h->size == 0 && h->packed == 0;
}

static void tell_names(struct scan *sc, const struct header *h, uint64_t *sum)
{
	const struct text name = text_make((const char *)h->name, h->name_n);
	const size_t looked_at = name.n < NAME_LOOKED_AT ? name.n : NAME_LOOKED_AT;
	const size_t nul = text_find(text_make(name.p, looked_at), '\0');
	const bool encrypted = h->flags & FLAG_ENCRYPTED;
	size_t n = 0;
	const unsigned char *unicode = extra(h, EXTRA_UNICODE_PATH, &n);

	sc->s->sealed = sc->s->sealed || h->flags & FLAG_MASKED;
	*sum += siphash(sc->s->key, name.p, looked_at);
	if (is_folder(h))
		return;
	tell(sc, name, encrypted);
	if (nul < looked_at)
		tell(sc, text_make(name.p, nul), encrypted);
	/* Version, and the sum of the other name, which a program may or may not check. */
	if (unicode && n > 5)
		tell(sc, text_make((const char *)unicode + 5, n - 5), encrypted);
}

/* ---- Directories */

static int by_offset(const void *a, const void *b)
{
	const struct extent *x = a, *y = b;

	return (x->offset > y->offset) - (x->offset < y->offset);
}

/* The directory at hand is over. */
static void judge_directory(struct scan *sc)
{
	if (sc->extent_count > 1)
		qsort(sc->extents, sc->extent_count, sizeof(*sc->extents), by_offset);
	for (size_t i = 1; i < sc->extent_count; i++) {
		if (sc->extents[i - 1].end > sc->extents[i].offset)
			sc->s->overlap = true;
	}
	sc->extent_count = 0;
}

static void note_extent(struct scan *sc, const struct header *h)
{
	if (sc->extent_count == sc->extent_room) {
		const size_t room = sc->extent_room ? 2 * sc->extent_room : 256;
		struct extent *more = realloc(sc->extents, room * sizeof(*more));

		if (!more)
			return;
		sc->extents = more;
		sc->extent_room = room;
	}
	/* A sum of wild numbers must not wrap. */
	const uint64_t packed = h->packed > UINT32_MAX ? UINT32_MAX : h->packed;
	const uint64_t offset = h->offset > INT64_MAX ? INT64_MAX : h->offset;
	sc->extents[sc->extent_count++] = (struct extent){offset, offset + LOCAL_BYTES + packed};
}

/* ---- Headers */

static bool read_local(const struct scan *sc, size_t at, struct header *h)
{
	const unsigned char *p = sc->p + at;

	if (sc->n - at < LOCAL_BYTES)
		return false;
	*h = (struct header){.flags = le16(p + 6),
			     .method = le16(p + 8),
			     .packed = le32(p + 18),
			     .size = le32(p + 22),
			     .name_n = le16(p + 26),
			     .extra_n = le16(p + 28),
			     .name = p + LOCAL_BYTES};
	h->bytes = LOCAL_BYTES + h->name_n + h->extra_n;
	return true;
}

static bool read_central(const struct scan *sc, size_t at, struct header *h)
{
	const unsigned char *p = sc->p + at;

	if (sc->n - at < CENTRAL_BYTES)
		return false;
	*h = (struct header){.flags = le16(p + 8),
			     .method = le16(p + 10),
			     .packed = le32(p + 20),
			     .size = le32(p + 24),
			     .offset = le32(p + 42),
			     .name_n = le16(p + 28),
			     .extra_n = le16(p + 30),
			     .name = p + CENTRAL_BYTES};
	h->bytes = CENTRAL_BYTES + h->name_n + h->extra_n + le16(p + 32);
	return true;
}

/* One that is cut off counts as far as its name stands there. */
static bool is_sound(const struct scan *sc, size_t at, struct header *h, size_t fixed)
{
	const size_t left = sc->n - at - fixed;

	if (h->name_n == 0 || h->name_n > left || !is_method(h->method))
		return false;
	if (h->extra_n > left - h->name_n)
		h->extra_n = left - h->name_n;
	widen(h);
	return true;
}

static bool take_local(struct scan *sc, size_t at)
{
	struct header h;

	if (!read_local(sc, at, &h) || !is_sound(sc, at, &h, LOCAL_BYTES))
		return false;
	tell_names(sc, &h, &sc->local_sum);
	return true;
}

static bool take_central(struct scan *sc, size_t at)
{
	struct header h;

	if (!read_central(sc, at, &h) || !is_sound(sc, at, &h, CENTRAL_BYTES))
		return false;
	tell_names(sc, &h, &sc->central_sum);
	/* A header in the comment of another is of no directory. */
	if (sc->extent_count > 0 && at < sc->next_at)
		return true;
	if (at != sc->next_at)
		judge_directory(sc);
	note_extent(sc, &h);
	sc->next_at = at + h.bytes;
	return true;
}

void archive_zip_scan(struct archive_zip_scan *s, const unsigned char *p, size_t n)
{
	struct scan sc = {.s = s, .p = p, .n = n};
	size_t at = 0;

	while (n - at >= 4) {
		const unsigned char *pk = memmem(p + at, n - at, "PK", 2);
		bool taken = false;

		if (!pk || n - (size_t)(pk - p) < 4)
			break;
		at = (size_t)(pk - p);
		if (pk[2] == 3 && pk[3] == 4)
			taken = take_local(&sc, at);
		else if (pk[2] == 1 && pk[3] == 2)
			taken = take_central(&sc, at);
		if (taken && ++s->headers == s->headers_max) {
			s->stopped = true;
			break;
		}
		at += 2;
	}
	judge_directory(&sc);
	s->disagree = sc.local_sum != sc.central_sum;
	free(sc.extents);
}

bool archive_zip_has_end(const unsigned char *p, size_t n)
{
	const size_t look = n < END_BYTES + COMMENT_MAX ? n : END_BYTES + COMMENT_MAX;

	return memmem(p + n - look, look, "PK\5\6", 4) != NULL;
}
