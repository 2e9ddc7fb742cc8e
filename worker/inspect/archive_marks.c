/* Small facts about archives. */
#include "worker/inspect/archive_marks.h"

#include "policy/archives.h"

static const uint64_t compressed = UINT64_C(1) << MIME_GZIP | UINT64_C(1) << MIME_BZIP2 |
				   UINT64_C(1) << MIME_XZ | UINT64_C(1) << MIME_ZSTD |
				   UINT64_C(1) << MIME_LZIP | UINT64_C(1) << MIME_LZ4 |
				   UINT64_C(1) << MIME_COMPRESS;

bool archive_marks_is_archive(uint64_t kinds)
{
	for (unsigned k = 0; k < MIME_KINDS; k++) {
		if (mime_kinds_have(kinds, (enum mime_kind)k) &&
		    mime_kind_is_archive((enum mime_kind)k))
			return true;
	}
	return false;
}

bool archive_marks_packed(uint64_t kinds)
{
	return (kinds & compressed) != 0;
}

bool archive_marks_nested(uint64_t kinds, struct text name)
{
	return archive_marks_is_archive(kinds) || archives_named(name);
}

size_t archive_marks_hidden(const unsigned char *p, size_t n)
{
	static const struct text marks[] = {
	    LIT("Rar!\x1a\x07\0"),
	    LIT("Rar!\x1a\x07\x01\0"),
	    LIT("7z\xbc\xaf\x27\x1c"),
	    LIT("MSCF\0\0\0\0"),
	};
	/* So far they look: what unpacks itself has a program before it. */
	enum { FAR = 4 << 20 };
	size_t first = n;

	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
		const unsigned char *at =
		    memmem(p, first < FAR ? first : FAR, marks[i].p, marks[i].n);

		if (at)
			first = (size_t)(at - p);
	}
	return first;
}

/* A number of rar 5: seven bits a byte, the last without the eighth. */
static size_t skip_number(const unsigned char *p, size_t n, size_t at)
{
	while (at < n && p[at] & 0x80)
		at++;
	return at + 1;
}

bool archive_marks_sealed(const unsigned char *p, size_t n)
{
	static const struct text old = LIT("Rar!\x1a\x07\0"), five = LIT("Rar!\x1a\x07\x01\0");
	enum { SUM_BYTES = 4, ENCRYPTION = 4, MAIN_HEAD = 0x73, HEADS_ENCRYPTED = 0x80 };

	if (n > five.n + SUM_BYTES && memcmp(p, five.p, five.n) == 0) {
		/* sum, size, type */
		const size_t type = skip_number(p, n, five.n + SUM_BYTES);

		return type < n && p[type] == ENCRYPTION;
	}
	/* sum (2), type (1), flags (2) */
	if (n > old.n + 5 && memcmp(p, old.p, old.n) == 0)
		return p[old.n + 2] == MAIN_HEAD && p[old.n + 3] & HEADS_ENCRYPTED;
	return false;
}
