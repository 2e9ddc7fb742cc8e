/* One pass of libarchive over an archive. */
#include "worker/inspect/archive_walk_inner.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdlib.h>

/* Bytes that libarchive reads. */
struct source {
	struct archive_walk *w;
	const unsigned char *p;
	size_t n, at;
};

static la_ssize_t source_read(struct archive *a, void *arg, const void **p)
{
	struct source *s = arg;
	const size_t n = s->n - s->at < ARCHIVE_STEP_BYTES ? s->n - s->at : ARCHIVE_STEP_BYTES;

	if (!archive_in_time(s->w)) {
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
static void allow_formats(struct archive *a, enum archive_formats formats)
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

static struct archive *open_archive(struct source *s, const struct archive_pass *pass)
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

/* ---- From file to file */

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
	} while (r == ARCHIVE_RETRY && archive_in_time(w));
	if (r == ARCHIVE_EOF || w->over || !archive_in_time(w))
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

static struct text name_of(struct archive_entry *e)
{
	const char *name = archive_entry_pathname_utf8(e);

	return text_of(name ? name : archive_entry_pathname(e));
}

/* "photo.zip" for "photo.zip.gz": a compressed file need not say its content's name. */
static struct text unpacked_name(const struct archive_place *at)
{
	const struct archives_file f = {.path = at->path};
	const struct text name = archives_file_name(&f);
	size_t n = name.n;

	while (n > 0 && name.p[n - 1] != '.')
		n--;
	return n > 1 ? text_make(name.p, n - 1) : LIT("");
}

static void judge_file(struct archive_walk *w, struct archive *a, struct archive_entry *e,
		       const struct archive_place *at, const struct archive_pass *pass,
		       unsigned char *head)
{
	struct archive_file f = {
	    .a = a,
	    .e = e,
	    .in = at,
	    .head = head,
	    .name = name_of(e),
	    .encrypted = archive_entry_is_data_encrypted(e),
	    .again = pass->again,
	};

	if (archive_entry_filetype(e) == AE_IFDIR)
		return;
	if (is_raw(a)) {
		f.packed = true;
		if (text_eq(f.name, LIT("data")))
			f.name = unpacked_name(at);
	}
	archive_file_look(w, &f);
}

unsigned archive_pass_run(struct archive_walk *w, const struct archive_place *at,
			  const struct archive_pass *pass)
{
	struct source s = {.w = w, .p = at->p, .n = at->n};
	struct archive_entry *e;
	unsigned char *head = malloc(ARCHIVE_HEAD_BYTES);
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
