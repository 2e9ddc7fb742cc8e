/* Files in archives: each told once, in bounded room. */
#include "worker/inspect/archive_findings.h"

#include "policy/message/utf8.h"
#include "worker/inspect/wire.h"

#include <stdlib.h>
#include <sys/random.h>

void archive_findings_begin(struct archive_findings *f, const struct archives_bounds *bounds,
			    char *room, unsigned char *states, size_t parts)
{
	*f = (struct archive_findings){
	    .bounds = *bounds,
	    .files = buf_over(room, ARCHIVE_FILES_BYTES),
	    .states = states,
	    .parts = parts,
	};
	if (getrandom(&f->key, sizeof(f->key), GRND_NONBLOCK) != (ssize_t)sizeof(f->key))
		abort();
}

void archive_findings_end(struct archive_findings *f)
{
	free(f->seen.slots);
	f->seen = (struct archive_seen){0};
}

void archive_findings_state(struct archive_findings *f, unsigned state)
{
	f->states[f->part] |= (unsigned char)state;
}

bool archive_findings_count(struct archive_findings *f)
{
	if (f->entries >= f->bounds.entries) {
		f->limits |= ARCHIVES_LIMIT_ENTRIES;
		return false;
	}
	f->entries++;
	return true;
}

/* ---- What was told already */

static bool grow(struct archive_seen *s)
{
	const size_t capacity = s->capacity ? 2 * s->capacity : 1024;
	uint64_t *slots = calloc(capacity, sizeof(*slots));

	if (!slots)
		return false;
	for (size_t i = 0; i < s->capacity; i++) {
		size_t at = s->slots[i] & (capacity - 1);

		if (s->slots[i] == 0)
			continue;
		while (slots[at] != 0)
			at = (at + 1) & (capacity - 1);
		slots[at] = s->slots[i];
	}
	free(s->slots);
	s->slots = slots;
	s->capacity = capacity;
	return true;
}

/* Was it there?  It is from now on, if there is memory. */
static bool seen_before(struct archive_seen *s, uint64_t hash)
{
	size_t at;

	hash += hash == 0;
	if (2 * s->used >= s->capacity && !grow(s))
		return false;
	for (at = hash & (s->capacity - 1); s->slots[at] != 0; at = (at + 1) & (s->capacity - 1)) {
		if (s->slots[at] == hash)
			return true;
	}
	s->slots[at] = hash;
	s->used++;
	return false;
}

/* What a thing is told by: all of it goes into its hash. */
struct mark {
	uint64_t part, kinds, flags;
	char bytes[ARCHIVES_PATH_MAX];
};

enum mark_of { MARK_NAME = 1 << 8, MARK_FILE = 2 << 8, MARK_LIKE = 3 << 8 };

static bool noted(struct archive_findings *f, enum mark_of of, const struct archive_found *found,
		  struct text bytes)
{
	struct mark m = {.part = of == MARK_LIKE ? 0 : f->part, .flags = (uint64_t)of};

	if (of != MARK_NAME) {
		m.kinds = found->kinds;
		m.flags |= (uint64_t)found->encrypted | (uint64_t)found->packed << 1;
	}
	memcpy(m.bytes, bytes.p, bytes.n);
	return seen_before(&f->seen, siphash(&f->key, &m, offsetof(struct mark, bytes) + bytes.n));
}

/* ---- Paths */

/* The end of t, from where a character begins. */
static struct text end_of(struct text t, size_t max)
{
	size_t skip = t.n > max ? t.n - max : 0;

	for (int i = 0; i < 3 && skip > 0 && ((unsigned char)t.p[skip] & 0xc0) == 0x80; i++)
		skip++;
	return text_make(t.p + skip, t.n - skip);
}

/* What is no UTF-8 becomes U+FFFD, byte by byte. */
static size_t clean(struct text t, char *dst)
{
	size_t n = 0;

	while (t.n > 0) {
		size_t step = utf8_first(t, NULL);

		if (step == 0) {
			n += utf8_put(0xfffd, dst + n);
			step = 1;
		} else {
			memcpy(dst + n, t.p, step);
			n += step;
		}
		t = text_make(t.p + step, t.n - step);
	}
	return n;
}

struct text archive_path(struct text folder, struct text name, char room[ARCHIVES_PATH_MAX])
{
	char cleaned[3 * ARCHIVES_PATH_MAX];
	const struct text last = end_of(name, ARCHIVES_PATH_MAX);
	const struct text t = end_of(text_make(cleaned, clean(last, cleaned)), ARCHIVES_PATH_MAX);
	const size_t left = ARCHIVES_PATH_MAX - t.n;
	size_t n = 0;

	if (folder.n > 0 && left > 1) {
		folder = end_of(folder, left - 1);
		memcpy(room, folder.p, folder.n);
		room[folder.n] = '/';
		n = folder.n + 1;
	}
	memcpy(room + n, t.p, t.n);
	return text_make(room, n + t.n);
}

/* ---- Files that are alike */

/* Whatever a program might read in another way than its last two extensions say is told. */
static bool is_plain(struct text name)
{
	if (name.n == 0 || strchr(". '", name.p[name.n - 1]))
		return false;
	for (size_t i = 0; i < name.n; i++) {
		const unsigned char c = (unsigned char)name.p[i];

		if (c < ' ' || c > '~' || strchr(":*?\"<>|%;$`", c))
			return false;
	}
	return true;
}

/* Its last two extensions, with their dots; all of it has none: empty. */
static struct text extensions(struct text name)
{
	size_t dots = 0;

	for (size_t i = name.n; i-- > 0;) {
		if (name.p[i] == '.' && ++dots == 2)
			return text_make(name.p + i, name.n - i);
	}
	return dots == 0 ? text_make(name.p, 0)
			 : text_make(name.p + text_find(name, '.'), name.n - text_find(name, '.'));
}

static bool like_another(struct archive_findings *f, const struct archive_found *found,
			 struct text path)
{
	const struct archives_file file = {.path = path};
	const struct text name = archives_file_name(&file);
	char lower[ARCHIVES_PATH_MAX];

	if (!is_plain(name))
		return false;
	const struct text ends = extensions(name);
	text_lower(ends, lower);
	return noted(f, MARK_LIKE, found, text_make(lower, ends.n));
}

/* ---- Telling */

/* The part of a name that is the file's own, counted no further than one too long. */
static size_t own_length(struct text name)
{
	size_t n = 0;

	while (n <= ARCHIVE_NAME_MAX && n < name.n && name.p[name.n - 1 - n] != '/' &&
	       name.p[name.n - 1 - n] != '\\')
		n++;
	return n;
}

static bool write_file(struct archive_findings *f, const struct archive_found *found,
		       struct text path)
{
	/* Part, flags, kinds, the length of the path; buf ends with a NUL. */
	const size_t room = f->files.cap - f->files.n, wanted = 2 + 1 + 8 + 4 + path.n + 1;

	if (room < wanted) {
		f->limits |= ARCHIVES_LIMIT_NAMES;
		return false;
	}
	wire_put_u16(&f->files, (uint16_t)f->part);
	wire_put_u8(&f->files, (uint8_t)(found->encrypted | found->packed << 1));
	wire_put_u64(&f->files, found->kinds);
	wire_put_text(&f->files, path);
	return true;
}

bool archive_findings_add(struct archive_findings *f, const struct archive_found *found)
{
	char room[ARCHIVES_PATH_MAX];
	const struct text path = archive_path(found->folder, found->name, room);

	if (own_length(found->name) > ARCHIVE_NAME_MAX)
		f->limits |= ARCHIVES_LIMIT_NAME_BYTES;
	const bool name_known = noted(f, MARK_NAME, found, path);
	if (found->encrypted)
		archive_findings_state(f, ARCHIVES_ENCRYPTED);
	if (found->only_name ? name_known : noted(f, MARK_FILE, found, path))
		return false;
	const bool like = like_another(f, found, path);
	if (like && f->files.n > ARCHIVE_FILES_THRIFTY) {
		f->alike++;
		return false;
	}
	return write_file(f, found, path);
}
