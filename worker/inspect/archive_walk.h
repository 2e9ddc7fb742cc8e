/* Archives by libarchive, and archives in them, in an inspector. */
#ifndef WORKER_INSPECT_ARCHIVE_WALK_H
#define WORKER_INSPECT_ARCHIVE_WALK_H

#include "worker/inspect/archive_findings.h"

struct archive_walk {
	struct archive_findings *found;
	/* The limit is one of the CPU: that the machine is slow or stands still says nothing of the
	 * archive.  Its clock takes a system call, and never runs faster than the other one. */
	int64_t deadline_cpu_us, look_mono_us;
	size_t memory_left; /* for archives that are taken out of others */
	uint64_t bytes;     /* of contents so far */
	bool over;          /* a limit was exceeded: nothing more is read */
};

/* Lists what is in `n` bytes, the content of the part at hand, in all readings; which state the
 * part has is noted.  Whatever it is: what is no archive has none. */
void archive_walk(struct archive_walk *w, const unsigned char *p, size_t n);

#endif
