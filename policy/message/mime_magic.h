/* What the first bytes of a file say that it is. */
#ifndef POLICY_MESSAGE_MIME_MAGIC_H
#define POLICY_MESSAGE_MIME_MAGIC_H

#include "policy/message/mime.h"

/* So many are enough for all but images of discs. */
enum { MIME_HEAD = 272 };

/* Bits 1 << enum mime_kind, of its first n bytes; 0: nothing known. */
uint64_t mime_magic(const unsigned char *head, size_t n);

/* An image of a disc says so here, in five bytes. */
enum { MIME_DISC_AT = 32769, MIME_DISC_BYTES = 5 };
bool mime_magic_is_disc(const unsigned char mark[MIME_DISC_BYTES]);

#endif
