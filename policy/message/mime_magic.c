/* A table of magic numbers: programs, archives, and what may hold either. */
#include "policy/message/mime_magic.h"

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
    {MIME_GZIP, 0, LIT("\x1f\x8b")},
    {MIME_BZIP2, 0, LIT("BZh")},
    {MIME_XZ, 0,
     LIT("\xfd"
	 "7zXZ\0")},
    {MIME_ZSTD, 0, LIT("\x28\xb5\x2f\xfd")},
    {MIME_LZIP, 0, LIT("LZIP")},
    {MIME_LZ4, 0, LIT("\x04\x22\x4d\x18")},
    {MIME_COMPRESS, 0, LIT("\x1f\x9d")},
    {MIME_CAB, 0, LIT("MSCF\0\0\0\0")},
    {MIME_CAB, 0, LIT("ISc(")},
    {MIME_ARJ, 0, LIT("\x60\xea")},
    {MIME_LHA, 2, LIT("-lh")},
    {MIME_LHA, 2, LIT("-lz")},
    {MIME_ACE, 7, LIT("**ACE**")},
    {MIME_CPIO, 0, LIT("07070")},
    {MIME_CPIO, 0, LIT("\xc7\x71")},
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

/* "MZ" begins many a text, too.  A program's header holds a NUL among its first 64 bytes: the
 * offset at their end is less than 2^24. */
static bool is_mz(const unsigned char *head, size_t n)
{
	if (!stands_at(head, n, 0, LIT("MZ")) && !stands_at(head, n, 0, LIT("ZM")))
		return false;
	return memchr(head, '\0', n < 64 ? n : 64) != NULL;
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

uint64_t mime_magic(const unsigned char *head, size_t n)
{
	uint64_t kinds = cafe_babe(head, n);

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (stands_at(head, n, table[i].at, table[i].bytes))
			kinds |= UINT64_C(1) << table[i].kind;
	}
	if (is_mz(head, n))
		kinds |= UINT64_C(1) << MIME_PE;
	if (is_script(head, n))
		kinds |= UINT64_C(1) << MIME_SCRIPT;
	if (is_old_tar(head, n))
		kinds |= UINT64_C(1) << MIME_TAR;
	return kinds;
}

bool mime_magic_is_disc(const unsigned char mark[MIME_DISC_BYTES])
{
	return memcmp(mark, "CD001", 5) == 0 || memcmp(mark, "BEA01", 5) == 0 ||
	       memcmp(mark, "NSR02", 5) == 0 || memcmp(mark, "NSR03", 5) == 0;
}
