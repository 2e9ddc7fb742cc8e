/* System call filters (seccomp, by libseccomp): an allow-list for a role, installed once and for
 * good. A filter is begun, told what is allowed, and loaded.
 *
 * Sanitizer builds install none, since their runtime needs more: filter_begin() then gives NULL and
 * the rest does nothing, so that the same code is compiled everywhere. */
#ifndef SHM_BASE_FILTER_H
#define SHM_BASE_FILTER_H

#include "shm/base/text.h"

#include <seccomp.h>

/* What a call that isn't allowed meets. */
enum filter_otherwise {
	FILTER_EPERM, /* it fails, and the kernel's audit log has a line: roles that we wrote */
	FILTER_KILL,  /* the process dies: roles that run somebody else's parser */
};

struct filter {
	scmp_filter_ctx ctx;
	bool failed; /* one of the steps did; filter_load() says so */
};

struct filter filter_begin(enum filter_otherwise otherwise);

/* Calls by name, not number: one that this architecture lacks is passed over.  NULL ends the list.
 */
void filter_allow(struct filter *f, const char *const *names);

/* A call whose argument `arg` has `value` in the bits of `mask`. */
void filter_allow_if(struct filter *f, const char *name, unsigned arg, uint64_t mask,
		     uint64_t value);

/* A call that answers an error of its own, so that the caller falls back to another way. */
void filter_answer(struct filter *f, const char *name, int error);

/* For all threads of the process, from now on.  False with a message in err.  Frees the filter. */
bool filter_load(struct filter *f, struct buf *err);

/* What every role of ours needs: memory, descriptors that it has, threads that exist, time. */
extern const char *const filter_basics[];

#endif
