/* Files that mail programs find in a message and the anti-virus engine doesn't: the content of
 * signed S/MIME, and what stands in a text by yEnc. */
#ifndef WORKER_INSPECT_HIDDEN_H
#define WORKER_INSPECT_HIDDEN_H

#include "policy/antivirus.h"
#include "shm/base/arena.h"

/* Finds them in the n bytes of a message, has each scanned, and adds what matched to *out, which
 * holds what the message itself has given; names in `a`.  What can't be scanned makes it
 * SCAN_FAILED, what exceeds a limit is a match of that kind. */
void hidden_scan(const char *message, size_t n, uint64_t max_size, struct arena *a,
		 struct scan_result *out);

#endif
