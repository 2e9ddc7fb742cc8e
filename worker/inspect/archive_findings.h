/* What an inspector finds in archives, as it is written into the answer. */
#ifndef WORKER_INSPECT_ARCHIVE_FINDINGS_H
#define WORKER_INSPECT_ARCHIVE_FINDINGS_H

#include "policy/archives.h"
#include "shm/base/siphash.h"

enum {
	/* Bytes of files in an answer, which has room for the states of all parts besides. */
	ARCHIVE_FILES_BYTES = 52 * 1024,
	/* From here on a file that is like one before it is only counted. */
	ARCHIVE_FILES_THRIFTY = 24 * 1024,
	/* A longer name of a file is a limit. */
	ARCHIVE_NAME_MAX = 1020,
};

/* A set of hashes; the key is of this process, so that nobody can make two names alike. */
struct archive_seen {
	uint64_t *slots; /* 0: free */
	size_t used, capacity;
};

struct archive_findings {
	struct archives_bounds bounds;
	struct buf files; /* in the form of the answer */
	unsigned limits;
	unsigned char *states;
	size_t parts;
	size_t entries; /* counted against the bound */
	size_t alike;
	unsigned part; /* the one at hand */
	struct siphash_key key;
	struct archive_seen seen;
};

struct archive_found {
	struct text folder; /* path of the archive that it is in; empty: it is in the part itself */
	struct text name;   /* as it stands there, raw bytes */
	uint64_t kinds;
	bool encrypted;
	bool packed;
	bool only_name; /* its content was not looked at: is left out if it is known by that name */
};

/* A fresh one, over memory of the caller's: room for ARCHIVE_FILES_BYTES, and a byte a part. */
void archive_findings_begin(struct archive_findings *f, const struct archives_bounds *bounds,
			    char *room, unsigned char *states, size_t parts);
void archive_findings_end(struct archive_findings *f);

/* Counts a file; false: there were as many as there may be, which is noted. */
bool archive_findings_count(struct archive_findings *f);
/* Notes a file of the part at hand.  False: it was known already, or there is no room. */
bool archive_findings_add(struct archive_findings *f, const struct archive_found *found);
/* States of the part at hand (enum archives_state). */
void archive_findings_state(struct archive_findings *f, unsigned state);

/* `folder`/`name` as valid UTF-8 of at most ARCHIVES_PATH_MAX bytes, its end if it is longer. */
struct text archive_path(struct text folder, struct text name, char room[ARCHIVES_PATH_MAX]);

#endif
