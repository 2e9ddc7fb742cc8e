/* Archives, each in all the ways in which programs read it. */
#include "worker/inspect/archive_marks.h"
#include "worker/inspect/archive_walk_inner.h"
#include "worker/inspect/archive_zip.h"

#include "shm/base/clock.h"

void archive_give_up(struct archive_walk *w, enum archives_limit limit)
{
	w->found->limits |= (unsigned)limit;
	w->over = true;
}

bool archive_in_time(struct archive_walk *w)
{
	const int64_t now_us = clock_mono_us();

	if (w->over || now_us < w->look_mono_us)
		return !w->over;
	const int64_t left_us = w->deadline_cpu_us - clock_cpu_us();

	if (left_us <= 0)
		archive_give_up(w, ARCHIVES_LIMIT_TIME);
	w->look_mono_us = now_us + left_us;
	return !w->over;
}

bool archive_spend(struct archive_walk *w, uint64_t bytes)
{
	if (bytes > w->found->bounds.bytes || w->bytes > w->found->bounds.bytes - bytes)
		archive_give_up(w, ARCHIVES_LIMIT_BYTES);
	else
		w->bytes += bytes;
	return !w->over;
}

/* ---- Zip */

struct zip_names {
	struct archive_walk *w;
	const struct archive_place *at;
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

static struct archive_zip_scan scan_zip(struct archive_walk *w, const struct archive_place *at,
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
		archive_give_up(w, ARCHIVES_LIMIT_OVERLAP);
	if (scan->stopped)
		archive_give_up(w, ARCHIVES_LIMIT_ENTRIES);
}

static void walk_zip(struct archive_walk *w, const struct archive_place *at)
{
	static const struct archive_pass by_directory = {0},
					 by_files = {.formats = ZIP_BY_FILES, .again = true};
	const struct archive_zip_scan scan = scan_zip(w, at, NULL);
	unsigned seen = 0;

	judge_zip(w, &scan);
	if (!w->over)
		seen = archive_pass_run(w, at, &by_directory);
	/* By its two directories programs see different files. */
	if (scan.disagree && !w->over)
		seen += archive_pass_run(w, at, &by_files);
	/* Also when a limit was exceeded: it is quick, and finds all names. */
	scan_zip(w, at, note_zip_name);
	if (seen == 0 && !w->over && !archive_zip_has_end(at->p, at->n))
		archive_findings_state(w->found,
				       scan.headers > 0 ? ARCHIVES_DAMAGED : ARCHIVES_UNREADABLE);
}

/* ---- One archive, in all readings */

/* A compressed file: of a tar, whose files it then has, or of anything. */
static unsigned walk_packed(struct archive_walk *w, const struct archive_place *at)
{
	static const struct archive_pass tar = {.formats = TAR_PACKED},
					 any = {.formats = ANY_PACKED};
	const unsigned seen = archive_pass_run(w, at, &tar);

	return seen > 0 || w->over ? seen : archive_pass_run(w, at, &any);
}

/* A disc: also by the trees of names that other systems read. */
static void walk_disc(struct archive_walk *w, const struct archive_place *at)
{
	static const struct archive_pass passes[] = {
	    {.options = "iso9660:!joliet", .again = true},
	    {.options = "iso9660:!joliet,iso9660:!rockridge", .again = true},
	};

	for (size_t i = 0; i < sizeof(passes) / sizeof(passes[0]) && !w->over; i++)
		archive_pass_run(w, at, &passes[i]);
}

/* How many files it has seen. */
static unsigned walk_other(struct archive_walk *w, const struct archive_place *at)
{
	static const struct archive_pass all = {0};
	const unsigned seen =
	    archive_marks_packed(at->kinds) ? walk_packed(w, at) : archive_pass_run(w, at, &all);

	if (mime_kinds_have(at->kinds, MIME_ISO))
		walk_disc(w, at);
	if (archive_marks_sealed(at->p, at->n))
		archive_findings_state(w->found, ARCHIVES_SEALED | ARCHIVES_ENCRYPTED);
	else if (seen == 0 && !w->over && archive_marks_is_archive(at->kinds))
		archive_findings_state(w->found, ARCHIVES_UNREADABLE);
	return seen;
}

/* It begins with a picture, and a program that unpacks still finds what it is after. */
static void walk_hidden(struct archive_walk *w, const struct archive_place *at)
{
	const size_t skip = archive_marks_hidden(at->p, at->n);
	struct archive_place inner = *at;

	if (skip == at->n)
		return;
	inner.p += skip;
	inner.n -= skip;
	inner.kinds = mime_magic(inner.p, inner.n);
	walk_other(w, &inner);
}

void archive_walk_place(struct archive_walk *w, const struct archive_place *at)
{
	if (mime_kinds_have(at->kinds, MIME_ZIP) || archive_zip_has_end(at->p, at->n))
		walk_zip(w, at);
	else if (walk_other(w, at) == 0 && !w->over && !archive_marks_is_archive(at->kinds))
		walk_hidden(w, at);
}

void archive_walk(struct archive_walk *w, const unsigned char *p, size_t n)
{
	struct archive_place at = {.p = p, .n = n, .kinds = mime_magic(p, n), .depth = 1};

	if (n == 0 || !archive_in_time(w))
		return;
	if (n >= ARCHIVE_HEAD_BYTES && mime_magic_is_disc(p + MIME_DISC_AT))
		at.kinds |= UINT64_C(1) << MIME_ISO;
	archive_walk_place(w, &at);
}
