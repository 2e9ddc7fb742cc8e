/* What a message carries, as every mail program might see it (RFC 2045-2047, 2183, 2231, and what
 * programs make of mail that keeps to none of them).
 *
 * A push parser: bytes go in as they arrive, cut anywhere; out come the parts, with the names of
 * files, the encodings, and where each stands in the message.  It keeps no content.  Where a
 * message can be read in two ways both are followed, so parts may overlap, a part may have several
 * names, types and encodings, and whoever judges takes the most dangerous.  What is followed:
 *
 *   - every boundary that any Content-Type of an entity names, in any reading of its value; lines
 *     that only begin with one; boundaries that have been closed already; multiparts without one
 *   - multipart and message entities that are encoded in base64 or quoted-printable, and the
 * content of signed S/MIME
 *   - fields given twice, folded anywhere, with blanks before the colon
 *   - files in any text, by uuencode or yEnc; the files in winmail.dat (TNEF)
 *   - files that are messages, by their names; names in the fields of other makers
 *
 * Memory and work are bounded whatever comes: limits are on depth, parts, names and the bytes of a
 * name.  What exceeds them is noted in `limits`, and the parser then reads no further: such a
 * message could not be inspected. */
#ifndef POLICY_MESSAGE_MIME_H
#define POLICY_MESSAGE_MIME_H

#include "shm/base/arena.h"
#include "shm/base/text.h"

/* How a part's body is written. */
enum mime_encoding {
	MIME_IDENTITY, /* 7bit, 8bit, binary, none, or one that nobody knows */
	MIME_BASE64,
	MIME_QUOTED_PRINTABLE,
	MIME_UU, /* offset is that of the line after "begin" */
	MIME_YENC,
	MIME_CMS, /* signed S/MIME: the part is the content, inside of what is signed */
	MIME_ENCODINGS
};
const char *mime_encoding_name(enum mime_encoding e); /* "base64" */

/* What the first decoded bytes say that it is, whatever its name. */
enum mime_kind {
	MIME_UNKNOWN,
	/* programs */
	MIME_PE, /* MZ: Windows, DOS */
	MIME_ELF,
	MIME_MACH_O,
	MIME_SCRIPT, /* a shebang */
	MIME_LNK,
	MIME_JAVA_CLASS,
	/* archives, and images of file systems */
	MIME_ZIP,
	MIME_7Z,
	MIME_RAR,
	MIME_TAR,
	MIME_GZIP,
	MIME_BZIP2,
	MIME_XZ,
	MIME_ZSTD,
	MIME_LZIP,
	MIME_LZ4,
	MIME_COMPRESS,
	MIME_CAB,
	MIME_ARJ,
	MIME_LHA,
	MIME_ACE,
	MIME_CPIO,
	MIME_AR,
	MIME_XAR,
	MIME_WIM,
	MIME_ISO, /* ISO 9660 or UDF: known once 32 KiB have come */
	MIME_VHD,
	MIME_VHDX,
	/* others that a judge may want to tell apart */
	MIME_OLE, /* old Office documents, .msi, .msg */
	MIME_CHM,
	MIME_PDF,
	MIME_RTF,
	MIME_TNEF,
	MIME_KINDS
};
const char *mime_kind_name(enum mime_kind k); /* "pe", "zip" */
bool mime_kind_is_program(enum mime_kind k);
bool mime_kind_is_archive(enum mime_kind k);

/* One reading of something; a list. */
struct mime_text {
	struct text t;
	const struct mime_text *next;
};

struct mime_part {
	/* Where its body stands: -1: in the message as it was spooled; else in the decoded body of
	 * parts[inside] (a container that is itself encoded, a winmail.dat).  Without the empty
	 * line before it and the line end before the delimiter after it. */
	int inside;
	uint64_t offset, length;
	unsigned depth;          /* 0: the message itself */
	unsigned char encodings; /* bits 1 << enum mime_encoding: all that the fields claim */
	bool container; /* multipart or message in some reading: its parts are listed too */
	uint64_t kinds; /* bits 1 << enum mime_kind, by all its encodings; 0: nothing known */
	const struct mime_text *names; /* UTF-8, as decoded: not cleaned; no two the same */
	const struct mime_text *types; /* "application/zip", lower case; none: text/plain */
};

static inline bool mime_part_is(const struct mime_part *p, enum mime_kind k)
{
	return p->kinds >> k & 1;
}
/* Some kind of it is one, and which (MIME_UNKNOWN: none). */
enum mime_kind mime_part_program(const struct mime_part *p);
enum mime_kind mime_part_archive(const struct mime_part *p);

/* Bits of `limits`: what the parser gave up at. */
enum mime_limit {
	MIME_LIMIT_DEPTH = 1 << 0,
	MIME_LIMIT_PARTS = 1 << 1,
	MIME_LIMIT_NAMES = 1 << 2,      /* names of files, all readings */
	MIME_LIMIT_NAME_BYTES = 1 << 3, /* a name, or a field that may hold one */
	MIME_LIMIT_READINGS = 1 << 4,   /* boundaries, or parts that overlap */
};
/* "nested too deep", "too many parts": the first of the bits. */
const char *mime_limit_text(unsigned limits);

/* Bits of `opaque`: what no filter can look into.  No fault of the message. */
enum mime_opaque {
	MIME_OPAQUE_ENCRYPTED = 1 << 0, /* multipart/encrypted, an enveloped S/MIME part */
	MIME_OPAQUE_SIGNED = 1 << 1,    /* signed S/MIME that can't be read through */
	MIME_OPAQUE_PARTIAL = 1 << 2,   /* message/partial: a piece of another message */
	MIME_OPAQUE_EXTERNAL = 1 << 3,  /* message/external-body: elsewhere */
	MIME_OPAQUE_TNEF = 1 << 4,      /* a winmail.dat that can't be read through */
	MIME_OPAQUE_BINHEX = 1 << 5,    /* a file as old Macs encoded it */
};
const char *mime_opaque_text(unsigned opaque);

/* What was found.  Lives in the arena that mime_begin was given. */
struct mime_facts {
	const struct mime_part
	    *parts; /* parts[0] is the message; in the order of their beginnings */
	size_t count;
	size_t name_count;
	unsigned limits; /* enum mime_limit; not 0: the rest was not read */
	unsigned opaque; /* enum mime_opaque */
};

struct mime_bounds {
	unsigned depth, parts, names;
	size_t name_bytes;
};

/* A parser, in the arena, which may call its no_memory.  Nothing has to be freed: an abandoned one
 * goes with the arena. */
struct mime *mime_begin(struct arena *a, const struct mime_bounds *bounds);
/* The next bytes; lines end in CR LF or LF.  Doesn't wait. */
void mime_feed(struct mime *m, const char *p, size_t n);
/* The message has ended; call it once.  Never NULL. */
const struct mime_facts *mime_end(struct mime *m);

#endif
