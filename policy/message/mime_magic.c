/* A table of magic numbers: programs, archives, and what may hold either. */
#include "policy/message/mime_magic.h"

#include "shm/base/little_endian.h"

struct magic {
	enum mime_kind kind;
	unsigned short at;
	struct text bytes;
};

static const struct magic table[] = {
    {MIME_ELF, 0,
     LIT("\x7f"
	 "ELF")},
    {MIME_MACH_O, 0, LIT("\xfe\xed\xfa\xce")},
    {MIME_MACH_O, 0, LIT("\xfe\xed\xfa\xcf")},
    {MIME_MACH_O, 0, LIT("\xce\xfa\xed\xfe")},
    {MIME_MACH_O, 0, LIT("\xcf\xfa\xed\xfe")},
    {MIME_LNK, 0, LIT("L\0\0\0\x01\x14\x02\0\0\0\0\0\xc0\0\0\0\0\0\0F")},
    {MIME_ZIP, 0, LIT("PK\x03\x04")},
    {MIME_ZIP, 0, LIT("PK\x05\x06")}, /* empty */
    {MIME_ZIP, 0, LIT("PK\x07\x08")}, /* split */
    {MIME_ZIP, 0, LIT("PK00PK\x03\x04")},
    {MIME_7Z, 0, LIT("7z\xbc\xaf\x27\x1c")},
    {MIME_RAR, 0, LIT("Rar!\x1a\x07")},
    {MIME_RAR, 0, LIT("RE~^")},
    {MIME_TAR, 257, LIT("ustar")},
    {MIME_GZIP, 0, LIT("\x1f\x8b\x08")},
    {MIME_BZIP2, 0, LIT("BZh")},
    {MIME_XZ, 0,
     LIT("\xfd"
	 "7zXZ\0")},
    {MIME_ZSTD, 0, LIT("\x28\xb5\x2f\xfd")},
    {MIME_LZIP, 0, LIT("LZIP")},
    {MIME_LZ4, 0, LIT("\x04\x22\x4d\x18")},
    {MIME_CAB, 0, LIT("MSCF\0\0\0\0")},
    {MIME_CAB, 0, LIT("ISc(")},
    {MIME_LHA, 2, LIT("-lh")},
    {MIME_LHA, 2, LIT("-lz")},
    {MIME_ACE, 7, LIT("**ACE**")},
    {MIME_CPIO, 0, LIT("07070")},
    {MIME_AR, 0, LIT("!<arch>\n")},
    {MIME_XAR, 0, LIT("xar!\0")},
    {MIME_WIM, 0, LIT("MSWIM\0\0\0")},
    {MIME_VHD, 0, LIT("conectix")},
    {MIME_VHDX, 0, LIT("vhdxfile")},
    {MIME_OLE, 0, LIT("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")},
    {MIME_CHM, 0, LIT("ITSF\x03\0\0\0")},
    {MIME_PDF, 0, LIT("%PDF-")},
    {MIME_RTF, 0, LIT("{\\rtf")},
    {MIME_TNEF, 0, LIT("\x78\x9f\x3e\x22")},
};

static bool stands_at(const unsigned char *head, size_t n, size_t at, struct text bytes)
{
	return n >= at + bytes.n && memcmp(head + at, bytes.p, bytes.n) == 0;
}

/* ---- Two bytes say little
 *
 * One in 65,536 encrypted or compressed files begins with them by chance, so what stands behind
 * them must be what a reader of that kind wants. */

/* Where Windows finds its own header, which it wants on a multiple of four; further on than any
 * mail is long it doesn't stand.  Of a file that goes on behind these bytes, it may stand there. */
static bool has_pe_header(const unsigned char *head, size_t n)
{
	enum { LFANEW = 60, FURTHEST = 64 << 20 };

	if (n < LFANEW + 4)
		return false;
	const size_t at = le32(head + LFANEW);

	if (at < 4 || at % 4 != 0 || at >= FURTHEST)
		return false;
	return at + 4 <= n ? memcmp(head + at, "PE\0", 4) == 0 : n >= MIME_HEAD;
}

/* Less than 512 bytes on the last page, 2 MB at most, and a header that is no longer. */
static bool has_dos_header(const unsigned char *head, size_t n)
{
	enum { LAST_PAGE = 2, PAGES = 4, PARAGRAPHS = 8, HEADER = 28 };

	return n >= HEADER && le16(head + LAST_PAGE) < 512 && le16(head + PAGES) > 0 &&
	       le16(head + PAGES) < 4096 && le16(head + PARAGRAPHS) > 1 &&
	       le16(head + PARAGRAPHS) <= le16(head + PAGES) * 32;
}

static bool is_program(const unsigned char *head, size_t n)
{
	return (stands_at(head, n, 0, LIT("MZ")) || stands_at(head, n, 0, LIT("ZM"))) &&
	       (has_pe_header(head, n) || has_dos_header(head, n));
}

/* Codes of 9 to 16 bits, and no bit set that has no meaning. */
static bool is_compress(const unsigned char *head, size_t n)
{
	return stands_at(head, n, 0, LIT("\x1f\x9d")) && n > 2 && (head[2] & 0x60) == 0 &&
	       (head[2] & 0x1f) >= 9 && (head[2] & 0x1f) <= 16;
}

/* A header of 2,600 bytes at most, whose fixed part is at least 30; and it is the archive's. */
static bool is_arj(const unsigned char *head, size_t n)
{
	return stands_at(head, n, 0, LIT("\x60\xea")) && n > 10 && le16(head + 2) <= 2600 &&
	       head[4] >= 30 && head[4] <= le16(head + 2) && head[10] == 2;
}

/* The first file's name ends with a NUL. */
static bool is_binary_cpio(const unsigned char *head, size_t n)
{
	enum { NAME_SIZE = 20, NAME = 26 };

	if (!stands_at(head, n, 0, LIT("\xc7\x71")) || n < NAME)
		return false;
	const size_t end = NAME + le16(head + NAME_SIZE);

	return end > NAME && (end > n ? end <= NAME + 4096 : head[end - 1] == '\0');
}

/* "#!/bin/sh", "#! /usr/bin/env python3" */
static bool is_script(const unsigned char *head, size_t n)
{
	size_t i = 2;

	if (!stands_at(head, n, 0, LIT("#!")))
		return false;
	while (i < n && (head[i] == ' ' || head[i] == '\t'))
		i++;
	return i < n && head[i] == '/';
}

/* Fat Mach-O and Java classes begin alike; behind it stands a small count or a version from 45 on.
 */
static uint64_t cafe_babe(const unsigned char *head, size_t n)
{
	if (!stands_at(head, n, 0, LIT("\xca\xfe\xba\xbe")) || n < 8)
		return 0;
	if (head[4] == 0 && head[5] == 0 && head[6] == 0 && head[7] < 45)
		return UINT64_C(1) << MIME_MACH_O;
	return UINT64_C(1) << MIME_JAVA_CLASS;
}

/* Old tar has no magic: the sum of its header's bytes stands in octal at 148, taken with blanks
 * there. */
static bool is_old_tar(const unsigned char *head, size_t n)
{
	enum { SUM_AT = 148, SUM_BYTES = 8 };
	unsigned said = 0;
	bool any = false;

	if (n < MIME_HEAD || head[0] == '\0')
		return false;
	for (size_t i = SUM_AT; i < SUM_AT + SUM_BYTES && head[i] != '\0'; i++) {
		if (head[i] == ' ')
			continue;
		if (head[i] < '0' || head[i] > '7')
			return false;
		said = said << 3 | (unsigned)(head[i] - '0');
		any = true;
	}
	if (!any)
		return false;
	/* Old headers end at 257, and the rest of their block is zero. */
	unsigned sum = 0;
	for (size_t i = 0; i < n; i++)
		sum += i >= SUM_AT && i < SUM_AT + SUM_BYTES ? ' ' : head[i];
	return sum == said;
}

/* What takes more than a comparison. */
static const struct {
	enum mime_kind kind;
	bool (*is)(const unsigned char *head, size_t n);
} looks[] = {
    {MIME_PE, is_program},       {MIME_COMPRESS, is_compress}, {MIME_ARJ, is_arj},
    {MIME_CPIO, is_binary_cpio}, {MIME_SCRIPT, is_script},     {MIME_TAR, is_old_tar},
};

uint64_t mime_magic(const unsigned char *head, size_t n)
{
	uint64_t kinds = cafe_babe(head, n);

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (stands_at(head, n, table[i].at, table[i].bytes))
			kinds |= UINT64_C(1) << table[i].kind;
	}
	for (size_t i = 0; i < sizeof(looks) / sizeof(looks[0]); i++) {
		if (looks[i].is(head, n))
			kinds |= UINT64_C(1) << looks[i].kind;
	}
	return kinds;
}

bool mime_magic_is_disc(const unsigned char mark[MIME_DISC_BYTES])
{
	return memcmp(mark, "CD001", 5) == 0 || memcmp(mark, "BEA01", 5) == 0 ||
	       memcmp(mark, "NSR02", 5) == 0 || memcmp(mark, "NSR03", 5) == 0;
}
