/* Certificates in want of somebody: about to expire, or older than the file that they came from.
 *
 * An alarm stands in the log (again each day), in a metric, and in the segment for gatepost status.
 */
#ifndef MASTER_CERTIFICATE_WATCH_H
#define MASTER_CERTIFICATE_WATCH_H

#include <stdint.h>

struct master;
struct watched_pair;

struct certificate_watch {
	struct watched_pair *pairs; /* of the configuration in force, in its order */
	unsigned generation;        /* whose they are */
	int64_t next_look_mono_us;
};

/* Once a second; looks at the files now and then, and at once after a reload. */
void certificates_tick(struct master *m);

#endif
