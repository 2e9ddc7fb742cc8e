/* A zip, looked through for every header that any program might read.
 *
 * A zip says its files' names twice, before each file and in the directory at its end, which is
 * found from the end, by offsets that may point anywhere.  Programs differ in what they read where
 * the two disagree, where several directories stand in one file, or where it has a comment,
 * something before it or behind it.  This scan follows no offset at all: it takes every header of
 * either kind, wherever it stands, so what one of them reads is among what it finds. */
#ifndef WORKER_INSPECT_ARCHIVE_ZIP_H
#define WORKER_INSPECT_ARCHIVE_ZIP_H

#include "shm/base/siphash.h"
#include "shm/base/text.h"

struct archive_zip_name {
	struct text name; /* raw bytes; never empty */
	bool encrypted;
};

struct archive_zip_scan {
	/* Called for each name, if there is a function: also for the second one of a header that
	 * has two (the "Unicode path" field), and for what stands before a NUL.  Folders are left
	 * out. */
	void (*found)(void *arg, const struct archive_zip_name *name);
	void *arg;
	const struct siphash_key *key;
	size_t headers_max;
	/* What it says at its end: */
	size_t headers;
	bool stopped;  /* at headers_max */
	bool disagree; /* the names before the files and those of the directory are not the same */
	bool overlap;  /* by a directory, files share their bytes: no program writes that */
	bool sealed;   /* the directory is encrypted */
};

/* Reads all of p once. */
void archive_zip_scan(struct archive_zip_scan *s, const unsigned char *p, size_t n);

/* Is a directory's end where programs look for it, behind whatever? */
bool archive_zip_has_end(const unsigned char *p, size_t n);

#endif
