/* What is different in the zygote of the anti-virus inspectors: it loads an engine first, proves
 * it, and its inspectors have rooms to write in. */
#ifndef WORKER_INSPECT_ZYGOTE_SCAN_H
#define WORKER_INSPECT_ZYGOTE_SCAN_H

#include "worker/inspect/engine.h"
#include "worker/inspect/scratch.h"

struct zygote_scan {
	struct engine_options engine; /* `progress` is the zygote's */
	struct scratch_options rooms;
	uint32_t time_ms; /* for one question: the watchdog's */
};

/* Loads the engine as the user of the jail, and enters the jail.  False with a message. */
bool zygote_scan_load(const struct zygote_scan *o, struct engine_info *info, struct buf *err);

/* Bytes of address space that an inspector may have beside `more`: as many as the zygote has now.
 */
uint64_t zygote_scan_memory(uint64_t more);

#endif
