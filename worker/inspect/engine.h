/* The anti-virus engine: loaded and compiled once, in the zygote; its inspectors are forked from it
 * and share its memory.  One a process. */
#ifndef WORKER_INSPECT_ENGINE_H
#define WORKER_INSPECT_ENGINE_H

#include "policy/antivirus.h"
#include "shm/base/arena.h"

struct engine_options {
	const char *database;   /* a directory of signature files */
	uint64_t max_size;      /* bytes of a message; what is larger isn't for this engine */
	uint64_t max_scan_size; /* of it with all that comes out of its archives */
	uint32_t max_files, max_depth;
	uint32_t time_ms; /* it gives up by itself after this */
	/* Called every few milliseconds while it loads, which takes up to minutes. */
	void (*progress)(void *arg);
	void *progress_arg;
};

struct engine_info {
	uint32_t signatures;
	uint32_t version;     /* of the daily database; 0: it has none */
	int64_t built_wall_s; /* when that was made; 0: not known */
};

/* Loads the library and the database, and compiles it.  False with a message: it can't be used. */
bool engine_load(const struct engine_options *o, struct engine_info *info, struct buf *err);

/* Does it find the test file of EICAR, and nothing where there is nothing?  A database that doesn't
 * know that file is none that came whole. */
enum engine_proof { ENGINE_PROVEN, ENGINE_BLIND, ENGINE_SEES_TOO_MUCH, ENGINE_FAILS };
enum engine_proof engine_prove(void);
const char *engine_proof_text(enum engine_proof p); /* for people */

/* Is there one in this process? */
bool engine_is_loaded(void);
/* What it was loaded for: a configuration with a larger size waits for its own engine. */
uint64_t engine_max_size(void);

/* Scans a message of `n` bytes (a header section and a body).  The temporary files of the engine
 * come and go in the working directory.  Names in `a`; code is SCAN_DONE, or SCAN_FAILED with a
 * reason. */
void engine_scan(const char *message, size_t n, struct arena *a, struct scan_result *out);

#endif
