/* What is in the archives of a message: names, kinds and what could not be read, as an inspector
 * found it (worker/inspect/archive.h), for the checks. */
#ifndef POLICY_ARCHIVES_H
#define POLICY_ARCHIVES_H

#include "shm/base/text.h"

/* A part of the message (policy/message/mime.h): where it stands, and how it is encoded. */
struct archives_part {
	int inside; /* -1: the message; else a part before this one, in whose decoded body it stands
		     */
	uint64_t offset, length;
	unsigned char encodings; /* bits 1 << enum mime_encoding: it is read by each */
	bool asked; /* is it an archive?  Else it is here only because another is inside */
};

/* The most of them that one question may have; more are ARCHIVES_LIMIT_PARTS without asking. */
enum { ARCHIVES_PARTS_MAX = 8192 };

/* By its name (UTF-8, in any reading) an archive whose first bytes need not show it: a zip, a
 * rar, a 7z and a cab may have anything before them, lzma alone has no magic number. */
bool archives_named(struct text name);

struct archives_bounds {
	unsigned depth;   /* archives in each other; 1: none in another one */
	unsigned entries; /* files in all archives of the message */
	uint64_t bytes;   /* of all their contents, as they are or claim to be */
	uint32_t time_ms; /* for all of them */
};

struct archives_request {
	const struct archives_part *parts;
	size_t count;
	struct archives_bounds bounds;
};

/* Bits of `limits`: what the inspector gave up at.  What it had found until then is here. */
enum archives_limit {
	ARCHIVES_LIMIT_DEPTH = 1 << 0, /* what is deeper is not looked into; the rest is */
	ARCHIVES_LIMIT_ENTRIES = 1 << 1,
	ARCHIVES_LIMIT_BYTES = 1 << 2,
	ARCHIVES_LIMIT_TIME = 1 << 3,
	ARCHIVES_LIMIT_NAMES = 1 << 4, /* more names, all different, than an answer holds */
	ARCHIVES_LIMIT_NAME_BYTES = 1 << 5,
	ARCHIVES_LIMIT_OVERLAP = 1 << 6, /* a zip whose files share their bytes */
	ARCHIVES_LIMIT_MEMORY = 1 << 7,
	ARCHIVES_LIMIT_PARTS = 1 << 8,
};
/* For people: "archives are nested too deep"; the first of the bits. */
const char *archives_limit_text(unsigned limits);

/* Bits of a part's state. */
enum archives_state {
	ARCHIVES_READ = 1 << 0,       /* it is an archive, or holds one */
	ARCHIVES_ENCRYPTED = 1 << 1,  /* a file in it is */
	ARCHIVES_SEALED = 1 << 2,     /* the names of its files are encrypted, too */
	ARCHIVES_DAMAGED = 1 << 3,    /* it could not be read to its end */
	ARCHIVES_UNREADABLE = 1 << 4, /* an archive (or one in it) of a kind that can't be read */
};

/* A file in an archive. */
struct archives_file {
	unsigned part; /* index into the request's parts */
	bool encrypted;
	bool packed;    /* the one content of a compressed file: no name unless the file tells it */
	uint64_t kinds; /* bits 1 << enum mime_kind, of its first bytes; 0: nothing known */
	/* UTF-8, archives and folders above it separated by '/'; its own name may hold anything
	 * else, a backslash, say. */
	struct text path;
};

/* The longest path: of a longer one the end. */
enum { ARCHIVES_PATH_MAX = 1024 };

/* The rest of a path: the name of the file itself. */
struct text archives_file_name(const struct archives_file *f);

struct archives_facts {
	bool answered;      /* an inspector has looked */
	struct text reason; /* why none has */
	unsigned limits;
	unsigned states;                  /* of all parts together */
	const unsigned char *part_states; /* one a part of the request */
	const struct archives_file *files;
	size_t count;
	/* Files that are not among them, since one that has the same two last extensions, and the
	 * same kinds, is. */
	size_t alike;
};

#endif
