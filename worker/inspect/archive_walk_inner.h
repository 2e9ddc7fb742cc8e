/* What the files that list archives share (archive_walk.c, archive_pass.c, archive_file.c); nobody
 * else includes it. */
#ifndef WORKER_INSPECT_ARCHIVE_WALK_INNER_H
#define WORKER_INSPECT_ARCHIVE_WALK_INNER_H

#include "policy/message/mime_magic.h"
#include "worker/inspect/archive_walk.h"

struct archive;
struct archive_entry;

enum {
	/* What libarchive is given at once: between two of them the time is looked at. */
	ARCHIVE_STEP_BYTES = 64 * 1024,
	/* Of each file: enough to know a disc by. */
	ARCHIVE_HEAD_BYTES = MIME_DISC_AT + MIME_DISC_BYTES,
};

/* An archive, and where it is. */
struct archive_place {
	const unsigned char *p;
	size_t n;
	uint64_t kinds;
	struct text path; /* empty: the part itself */
	unsigned depth;   /* 1: the part itself */
};

/* --- archive_walk.c */
/* A limit was exceeded: nothing is read any more. */
void archive_give_up(struct archive_walk *w, enum archives_limit limit);
/* False: nothing is to be read any more. */
bool archive_in_time(struct archive_walk *w);
/* Bytes that files come to; false as above. */
bool archive_spend(struct archive_walk *w, uint64_t bytes);
/* In all readings. */
void archive_walk_place(struct archive_walk *w, const struct archive_place *at);

/* --- archive_pass.c */
/* What a pass reads. */
enum archive_formats {
	FORMATS_ALL,
	ZIP_BY_FILES, /* by the headers before them, not by the directory */
	TAR_PACKED,   /* what is read as a stream when it is unpacked */
	ANY_PACKED,   /* a compressed file, of whatever it is */
};
struct archive_pass {
	enum archive_formats formats;
	const char *options; /* of libarchive; NULL: none */
	bool again;          /* what files claim to be has been counted by an earlier pass */
};
/* Reads an archive by libarchive; how many files it has seen. */
unsigned archive_pass_run(struct archive_walk *w, const struct archive_place *at,
			  const struct archive_pass *pass);

/* --- archive_file.c */
struct archive_file {
	struct archive *a;
	struct archive_entry *e;
	const struct archive_place *in;
	struct text name;
	unsigned char *head; /* ARCHIVE_HEAD_BYTES, of the pass */
	size_t head_n;
	bool encrypted, broken, packed;
	bool again; /* of the pass */
};
/* The file that libarchive has come to: tells it, and looks into it if it is an archive. */
void archive_file_look(struct archive_walk *w, struct archive_file *f);

#endif
