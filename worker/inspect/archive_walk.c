/* Listing archives: one pass of libarchive for each way in which programs read them. */
#include "worker/inspect/archive_walk.h"

#include "policy/message/mime_magic.h"
#include "shm/base/clock.h"
#include "worker/inspect/archive_marks.h"
#include "worker/inspect/archive_zip.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdlib.h>

enum {
	/* What libarchive is given at once: between two of them the time is looked at. */
	STEP_BYTES = 64 * 1024,
	/* Of each file: enough to know a disc by. */
	HEAD_BYTES = MIME_DISC_AT + MIME_DISC_BYTES,
};

/* Bytes that libarchive reads. */
struct source {
	struct archive_walk *w;
	const unsigned char *p;
	size_t n, at;
};

/* An archive, and where it is. */
struct place {
	const unsigned char *p;
	size_t n;
	uint64_t kinds;
	struct text path; /* empty: the part itself */
	unsigned depth;   /* 1: the part itself */
};

/* What a pass reads. */
enum formats {
	FORMATS_ALL,
	ZIP_BY_FILES, /* by the headers before them, not by the directory */
	TAR_PACKED,   /* what is read as a stream when it is unpacked */
	ANY_PACKED,   /* a compressed file, of whatever it is */
};

struct pass {
	enum formats formats;
	const char *options; /* of libarchive; NULL: none */
	bool again;          /* what files claim to be has been counted by an earlier pass */
};

static void walk_place(struct archive_walk *w, const struct place *at);

static void give_up(struct archive_walk *w, enum archives_limit limit)
{
	w->found->limits |= (unsigned)limit;
	w->over = true;
}

static bool in_time(struct archive_walk *w)
{
	if (!w->over && clock_mono_us() > w->deadline_mono_us)
		give_up(w, ARCHIVES_LIMIT_TIME);
	return !w->over;
}

static bool spend(struct archive_walk *w, uint64_t bytes)
{
	if (bytes > w->found->bounds.bytes || w->bytes > w->found->bounds.bytes - bytes)
		give_up(w, ARCHIVES_LIMIT_BYTES);
	else
		w->bytes += bytes;
	return !w->over;
}

/* ---- What libarchive reads from */

static la_ssize_t source_read(struct archive *a, void *arg, const void **p)
{
	struct source *s = arg;
	const size_t n = s->n - s->at < STEP_BYTES ? s->n - s->at : STEP_BYTES;

	if (!in_time(s->w)) {
		archive_set_error(a, ETIMEDOUT, "no time is left");
		return ARCHIVE_FATAL;
	}
	*p = s->p + s->at;
	s->at += n;
	return (la_ssize_t)n;
}

static la_int64_t source_skip(struct archive *a, void *arg, la_int64_t n)
{
	struct source *s = arg;
	const size_t left = s->n - s->at;
	const size_t step = n < 0 ? 0 : (uint64_t)n < left ? (size_t)n : left;

	(void)a;
	s->at += step;
	return (la_int64_t)step;
}

static la_int64_t source_seek(struct archive *a, void *arg, la_int64_t offset, int whence)
{
	struct source *s = arg;
	const la_int64_t base = whence == SEEK_SET   ? 0
				: whence == SEEK_CUR ? (la_int64_t)s->at
						     : (la_int64_t)s->n;
	la_int64_t to;

	(void)a;
	if (__builtin_add_overflow(base, offset, &to) || to < 0)
		return ARCHIVE_FATAL;
	s->at = (uint64_t)to < s->n ? (size_t)to : s->n;
	return (la_int64_t)s->at;
}

/* None that runs other programs. */
static void allow_filters(struct archive *a)
{
	archive_read_support_filter_gzip(a);
	archive_read_support_filter_bzip2(a);
	archive_read_support_filter_xz(a);
	archive_read_support_filter_lzma(a);
	archive_read_support_filter_lzip(a);
	archive_read_support_filter_zstd(a);
	archive_read_support_filter_lz4(a);
	archive_read_support_filter_compress(a);
}

/* None that is a list of files elsewhere, or anything at all. */
static void allow_formats(struct archive *a, enum formats formats)
{
	switch (formats) {
	case ZIP_BY_FILES:
		archive_read_support_format_zip_streamable(a);
		return;
	case ANY_PACKED:
		archive_read_support_format_raw(a);
		return;
	case FORMATS_ALL:
		archive_read_support_format_zip_seekable(a);
		archive_read_support_format_zip_streamable(a);
		archive_read_support_format_7zip(a);
		archive_read_support_format_rar(a);
		archive_read_support_format_rar5(a);
		archive_read_support_format_iso9660(a);
		archive_read_support_format_cab(a);
		archive_read_support_format_lha(a);
		archive_read_support_format_ar(a);
		break;
	case TAR_PACKED:
		break;
	}
	archive_read_support_format_tar(a);
	archive_read_support_format_cpio(a);
}

static struct archive *open_archive(struct source *s, const struct pass *pass)
{
	struct archive *a = archive_read_new();

	if (!a)
		return NULL;
	allow_filters(a);
	allow_formats(a, pass->formats);
	archive_read_set_read_callback(a, source_read);
	archive_read_set_skip_callback(a, source_skip);
	archive_read_set_seek_callback(a, source_seek);
	archive_read_set_callback_data(a, s);
	if ((pass->options && archive_read_set_options(a, pass->options) != ARCHIVE_OK) ||
	    archive_read_open1(a) != ARCHIVE_OK) {
		archive_read_free(a);
		return NULL;
	}
	return a;
}

/* ---- One file */

struct file {
	struct archive *a;
	struct archive_entry *e;
	const struct place *in;
	struct text name;
	unsigned char *head; /* HEAD_BYTES, of the pass */
	size_t head_n;
	bool encrypted, broken, packed;
};

/* How many it got; less than `max` at the file's end, or where it is broken. */
static size_t read_content(struct archive_walk *w, struct file *f, unsigned char *p, size_t max)
{
	size_t n = 0;

	while (n < max && in_time(w)) {
		const size_t step = max - n < STEP_BYTES ? max - n : STEP_BYTES;
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
static uint64_t claim_of(const struct file *f, const struct pass *pass)
{
	const la_int64_t claim =
	    !pass->again && archive_entry_size_is_set(f->e) ? archive_entry_size(f->e) : 0;

	return claim > 0 ? (uint64_t)claim : 0;
}

static uint64_t kinds_of(const struct file *f)
{
	uint64_t kinds = mime_magic(f->head, f->head_n);

	if (f->head_n == HEAD_BYTES && mime_magic_is_disc(f->head + MIME_DISC_AT))
		kinds |= UINT64_C(1) << MIME_ISO;
	return kinds;
}

/* The whole content; NULL: no memory, or too much of it. */
static unsigned char *take_out(struct archive_walk *w, struct file *f, size_t *n)
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
		give_up(w, ARCHIVES_LIMIT_MEMORY);
	*n = used;
	return p;
}

/* An archive in an archive. */
static void walk_file(struct archive_walk *w, struct file *f, uint64_t kinds, uint64_t *read)
{
	char room[ARCHIVES_PATH_MAX];
	struct place at = {.kinds = kinds, .depth = f->in->depth + 1};
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
		walk_place(w, &at);
	w->memory_left += at.n;
	free(p);
}

/* Formats in which the next file is found only by unpacking this one: by us, so that what it comes
 * to is counted and the time looked at. */
static void read_through(struct archive_walk *w, struct file *f, uint64_t *read)
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
	while (in_time(w) && (r = archive_read_data_block(f->a, &p, &n, &offset)) != ARCHIVE_EOF) {
		if (r == ARCHIVE_RETRY)
			continue;
		if (r < ARCHIVE_WARN) {
			f->broken = true;
			return;
		}
		*read += n;
		if (w->bytes + *read > w->found->bounds.bytes)
			give_up(w, ARCHIVES_LIMIT_BYTES);
	}
}

static struct text name_of(struct archive_entry *e)
{
	const char *name = archive_entry_pathname_utf8(e);

	return text_of(name ? name : archive_entry_pathname(e));
}

/* "photo.zip" for "photo.zip.gz": a compressed file need not say its content's name. */
static struct text unpacked_name(const struct place *at)
{
	const struct archives_file f = {.path = at->path};
	const struct text name = archives_file_name(&f);
	size_t n = name.n;

	while (n > 0 && name.p[n - 1] != '.')
		n--;
	return n > 1 ? text_make(name.p, n - 1) : LIT("");
}

static void tell(struct archive_walk *w, const struct file *f, uint64_t kinds)
{
	archive_findings_add(w->found, &(struct archive_found){
					   .folder = f->in->path,
					   .name = f->name,
					   .kinds = kinds,
					   .encrypted = f->encrypted,
					   .packed = f->packed,
				       });
}

static void look_at_file(struct archive_walk *w, struct file *f, const struct pass *pass)
{
	const uint64_t claim = claim_of(f, pass);
	uint64_t kinds = 0, read = 0;

	if (!archive_findings_count(w->found)) {
		w->over = true;
		return;
	}
	if (!f->encrypted) {
		f->head_n = read_content(w, f, f->head, HEAD_BYTES);
		read = f->head_n;
		kinds = kinds_of(f);
	}
	tell(w, f, kinds);
	if (!spend(w, claim))
		return;
	if (!f->encrypted && f->head_n > 0 && archive_marks_nested(kinds, f->name))
		walk_file(w, f, kinds, &read);
	else
		read_through(w, f, &read);
	if (f->broken && !w->over)
		archive_findings_state(w->found, ARCHIVES_DAMAGED);
	/* The claim or what came, whichever is more. */
	spend(w, read > claim ? read - claim : 0);
}

/* ---- One pass */

static bool is_raw(struct archive *a)
{
	return (archive_format(a) & ARCHIVE_FORMAT_BASE_MASK) == ARCHIVE_FORMAT_RAW;
}

/* False: the archive is over, or can't be read on. */
static bool next_file(struct archive_walk *w, struct archive *a, struct archive_entry **e,
		      unsigned *seen)
{
	int r;

	do {
		r = archive_read_next_header(a, e);
	} while (r == ARCHIVE_RETRY && in_time(w));
	if (r == ARCHIVE_EOF || w->over || !in_time(w))
		return false;
	if (r >= ARCHIVE_WARN || r == ARCHIVE_FAILED) {
		++*seen;
		return true;
	}
	if (*seen == 0 && archive_read_has_encrypted_entries(a) > 0)
		archive_findings_state(w->found, ARCHIVES_SEALED | ARCHIVES_ENCRYPTED);
	else if (*seen > 0)
		archive_findings_state(w->found, ARCHIVES_DAMAGED);
	return false;
}

static void judge_file(struct archive_walk *w, struct archive *a, struct archive_entry *e,
		       const struct place *at, const struct pass *pass, unsigned char *head)
{
	struct file f = {
	    .a = a,
	    .e = e,
	    .in = at,
	    .head = head,
	    .name = name_of(e),
	    .encrypted = archive_entry_is_data_encrypted(e),
	};

	if (archive_entry_filetype(e) == AE_IFDIR)
		return;
	if (is_raw(a)) {
		f.packed = true;
		if (text_eq(f.name, LIT("data")))
			f.name = unpacked_name(at);
	}
	look_at_file(w, &f, pass);
}

/* How many files it has seen. */
static unsigned run_pass(struct archive_walk *w, const struct place *at, const struct pass *pass)
{
	struct source s = {.w = w, .p = at->p, .n = at->n};
	struct archive_entry *e;
	unsigned char *head = malloc(HEAD_BYTES);
	struct archive *a = head ? open_archive(&s, pass) : NULL;
	unsigned seen = 0;

	while (a && next_file(w, a, &e, &seen) && !w->over)
		judge_file(w, a, e, at, pass, head);
	if (seen > 0)
		archive_findings_state(w->found, ARCHIVES_READ);
	if (a)
		archive_read_free(a);
	free(head);
	return seen;
}

/* ---- Zip */

struct zip_names {
	struct archive_walk *w;
	const struct place *at;
};

static void note_zip_name(void *arg, const struct archive_zip_name *name)
{
	const struct zip_names *z = arg;

	archive_findings_add(z->w->found, &(struct archive_found){
					      .folder = z->at->path,
					      .name = name->name,
					      .encrypted = name->encrypted,
					      .only_name = true,
					  });
}

static struct archive_zip_scan scan_zip(struct archive_walk *w, const struct place *at,
					void (*found)(void *, const struct archive_zip_name *))
{
	struct zip_names names = {w, at};
	struct archive_zip_scan scan = {
	    .found = found,
	    .arg = &names,
	    .key = &w->found->key,
	    /* Each file has two. */
	    .headers_max = 2 * (size_t)w->found->bounds.entries + 2,
	};

	archive_zip_scan(&scan, at->p, at->n);
	return scan;
}

/* A bomb is known before anything of it is unpacked. */
static void judge_zip(struct archive_walk *w, const struct archive_zip_scan *scan)
{
	if (scan->headers > 0)
		archive_findings_state(w->found, ARCHIVES_READ);
	if (scan->sealed)
		archive_findings_state(w->found, ARCHIVES_SEALED | ARCHIVES_ENCRYPTED);
	if (scan->overlap)
		give_up(w, ARCHIVES_LIMIT_OVERLAP);
	if (scan->stopped)
		give_up(w, ARCHIVES_LIMIT_ENTRIES);
}

static void walk_zip(struct archive_walk *w, const struct place *at)
{
	static const struct pass by_directory = {0},
				 by_files = {.formats = ZIP_BY_FILES, .again = true};
	const struct archive_zip_scan scan = scan_zip(w, at, NULL);
	unsigned seen = 0;

	judge_zip(w, &scan);
	if (!w->over)
		seen = run_pass(w, at, &by_directory);
	/* By its two directories programs see different files. */
	if (scan.disagree && !w->over)
		seen += run_pass(w, at, &by_files);
	/* Also when a limit was exceeded: it is quick, and finds all names. */
	scan_zip(w, at, note_zip_name);
	if (seen == 0 && !w->over && !archive_zip_has_end(at->p, at->n))
		archive_findings_state(w->found,
				       scan.headers > 0 ? ARCHIVES_DAMAGED : ARCHIVES_UNREADABLE);
}

/* ---- One archive, in all readings */

/* A compressed file: of a tar, whose files it then has, or of anything. */
static unsigned walk_packed(struct archive_walk *w, const struct place *at)
{
	static const struct pass tar = {.formats = TAR_PACKED}, any = {.formats = ANY_PACKED};
	const unsigned seen = run_pass(w, at, &tar);

	return seen > 0 || w->over ? seen : run_pass(w, at, &any);
}

/* A disc: also by the trees of names that other systems read. */
static void walk_disc(struct archive_walk *w, const struct place *at)
{
	static const struct pass passes[] = {
	    {.options = "iso9660:!joliet", .again = true},
	    {.options = "iso9660:!joliet,iso9660:!rockridge", .again = true},
	};

	for (size_t i = 0; i < sizeof(passes) / sizeof(passes[0]) && !w->over; i++)
		run_pass(w, at, &passes[i]);
}

static void walk_other(struct archive_walk *w, const struct place *at)
{
	static const struct pass all = {0};
	const unsigned seen =
	    archive_marks_packed(at->kinds) ? walk_packed(w, at) : run_pass(w, at, &all);

	if (mime_kinds_have(at->kinds, MIME_ISO))
		walk_disc(w, at);
	if (archive_marks_sealed(at->p, at->n))
		archive_findings_state(w->found, ARCHIVES_SEALED | ARCHIVES_ENCRYPTED);
	else if (seen == 0 && !w->over && archive_marks_is_archive(at->kinds))
		archive_findings_state(w->found, ARCHIVES_UNREADABLE);
}

static void walk_place(struct archive_walk *w, const struct place *at)
{
	if (mime_kinds_have(at->kinds, MIME_ZIP) || archive_zip_has_end(at->p, at->n))
		walk_zip(w, at);
	else
		walk_other(w, at);
}

void archive_walk(struct archive_walk *w, const unsigned char *p, size_t n)
{
	struct place at = {.p = p, .n = n, .kinds = mime_magic(p, n), .depth = 1};

	if (n == 0 || !in_time(w))
		return;
	if (n >= HEAD_BYTES && mime_magic_is_disc(p + MIME_DISC_AT))
		at.kinds |= UINT64_C(1) << MIME_ISO;
	walk_place(w, &at);
}
