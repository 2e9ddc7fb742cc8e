/* The words for what the MIME parser finds. */
#include "policy/message/mime.h"

#include <assert.h>

const char *mime_encoding_name(enum mime_encoding e)
{
	static const char *const names[MIME_ENCODINGS] = {
	    [MIME_IDENTITY] = "identity",
	    [MIME_BASE64] = "base64",
	    [MIME_QUOTED_PRINTABLE] = "quoted-printable",
	    [MIME_UU] = "uuencode",
	    [MIME_YENC] = "yenc",
	    [MIME_CMS] = "signed",
	};

	assert((unsigned)e < MIME_ENCODINGS);
	return names[e];
}

const char *mime_kind_name(enum mime_kind k)
{
	static const char *const names[MIME_KINDS] = {
	    [MIME_UNKNOWN] = "unknown",
	    [MIME_PE] = "pe",
	    [MIME_ELF] = "elf",
	    [MIME_MACH_O] = "mach-o",
	    [MIME_SCRIPT] = "script",
	    [MIME_LNK] = "lnk",
	    [MIME_JAVA_CLASS] = "java-class",
	    [MIME_ZIP] = "zip",
	    [MIME_7Z] = "7z",
	    [MIME_RAR] = "rar",
	    [MIME_TAR] = "tar",
	    [MIME_GZIP] = "gzip",
	    [MIME_BZIP2] = "bzip2",
	    [MIME_XZ] = "xz",
	    [MIME_ZSTD] = "zstd",
	    [MIME_LZIP] = "lzip",
	    [MIME_LZ4] = "lz4",
	    [MIME_COMPRESS] = "compress",
	    [MIME_CAB] = "cab",
	    [MIME_ARJ] = "arj",
	    [MIME_LHA] = "lha",
	    [MIME_ACE] = "ace",
	    [MIME_CPIO] = "cpio",
	    [MIME_AR] = "ar",
	    [MIME_XAR] = "xar",
	    [MIME_WIM] = "wim",
	    [MIME_ISO] = "iso",
	    [MIME_VHD] = "vhd",
	    [MIME_VHDX] = "vhdx",
	    [MIME_OLE] = "ole",
	    [MIME_CHM] = "chm",
	    [MIME_PDF] = "pdf",
	    [MIME_RTF] = "rtf",
	    [MIME_TNEF] = "tnef",
	};

	assert((unsigned)k < MIME_KINDS);
	return names[k];
}

bool mime_kind_is_program(enum mime_kind k)
{
	return k >= MIME_PE && k <= MIME_JAVA_CLASS;
}

bool mime_kind_is_archive(enum mime_kind k)
{
	return k >= MIME_ZIP && k <= MIME_VHDX;
}

static enum mime_kind first_kind(uint64_t kinds, bool (*is)(enum mime_kind k))
{
	for (unsigned k = 0; k < MIME_KINDS; k++) {
		if (kinds >> k & 1 && is((enum mime_kind)k))
			return (enum mime_kind)k;
	}
	return MIME_UNKNOWN;
}

enum mime_kind mime_part_program(const struct mime_part *p)
{
	return first_kind(p->kinds, mime_kind_is_program);
}

enum mime_kind mime_part_archive(const struct mime_part *p)
{
	return first_kind(p->kinds, mime_kind_is_archive);
}

static const char *text_of_bit(unsigned bits, const char *const texts[], size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (bits >> i & 1)
			return texts[i];
	}
	return "";
}

const char *mime_limit_text(unsigned limits)
{
	static const char *const texts[] = {
	    "parts are nested too deep",         "there are too many parts",
	    "there are too many names of files", "a name of a file is too long",
	    "it can be read in too many ways",   "a winmail.dat can't be read",
	};

	return text_of_bit(limits, texts, sizeof(texts) / sizeof(texts[0]));
}

const char *mime_opaque_text(unsigned opaque)
{
	static const char *const texts[] = {
	    "encrypted",
	    "inside of a signature (S/MIME) that can't be read",
	    "a piece of another message (message/partial)",
	    "a reference to content elsewhere (message/external-body)",
	    "a winmail.dat that can't be read through",
	    "a file in BinHex",
	};

	return text_of_bit(opaque, texts, sizeof(texts) / sizeof(texts[0]));
}
