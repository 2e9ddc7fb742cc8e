/* What an archive's first bytes and its name say of it, beside its magic number. */
#ifndef WORKER_INSPECT_ARCHIVE_MARKS_H
#define WORKER_INSPECT_ARCHIVE_MARKS_H

#include "policy/message/mime.h"

static inline bool mime_kinds_have(uint64_t kinds, enum mime_kind k)
{
	return kinds >> k & 1;
}

/* One of them is a kind of archive. */
bool archive_marks_is_archive(uint64_t kinds);
/* One of them is a compressed file, of anything. */
bool archive_marks_packed(uint64_t kinds);
/* A file that is to be looked into: by its kinds, or, where these need not show, by its name. */
bool archive_marks_nested(uint64_t kinds, struct text name);
/* Where a rar, 7z or cab begins behind something else: programs find it there.  n: nowhere. */
size_t archive_marks_hidden(const unsigned char *p, size_t n);
/* A rar whose names are encrypted: libarchive says no more of it than that it can't read it. */
bool archive_marks_sealed(const unsigned char *p, size_t n);

#endif
