/* Bytes in the charsets of mail to UTF-8. */
#ifndef POLICY_MESSAGE_CHARSET_H
#define POLICY_MESSAGE_CHARSET_H

#include "shm/base/text.h"

/* Opens every converter; see rfc2047_open. */
void charset_open_all(void);

/* Appends t, whose charset has that name (any case), to out as valid UTF-8.  Of an unknown charset,
 * and where bytes are no characters of theirs, valid UTF-8 stays and other bytes count as ISO
 * 8859-1.  What does not fit is cut between two characters. */
void charset_to_utf8(struct text charset, struct text t, struct buf *out);

#endif
