/* libclamav, loaded when somebody wants it: the other processes don't carry its twenty libraries,
 * and a machine without it runs everything else.  Only the zygote of the anti-virus inspectors
 * calls this. */
#ifndef WORKER_INSPECT_CLAM_LIBRARY_H
#define WORKER_INSPECT_CLAM_LIBRARY_H

#include "shm/base/text.h"

#include <clamav.h>

#define CLAM_FUNCTIONS(F)                                                                          \
	F(cl_init)                                                                                 \
	F(cl_strerror)                                                                             \
	F(cl_set_clcb_msg)                                                                         \
	F(cl_engine_new)                                                                           \
	F(cl_engine_set_num)                                                                       \
	F(cl_engine_get_num)                                                                       \
	F(cl_engine_set_str)                                                                       \
	F(cl_engine_set_clcb_sigload)                                                              \
	F(cl_engine_set_clcb_engine_compile_progress)                                              \
	F(cl_engine_set_clcb_virus_found)                                                          \
	F(cl_load)                                                                                 \
	F(cl_engine_compile)                                                                       \
	F(cl_fmap_open_memory)                                                                     \
	F(cl_fmap_close)                                                                           \
	F(cl_scanmap_callback)

/* A member a function, of its own name and type. */
struct clam {
#define CLAM_MEMBER(name) __typeof__(name) *name;
	CLAM_FUNCTIONS(CLAM_MEMBER)
#undef CLAM_MEMBER
};

/* False with a message: there is no libclamav of the version that we were built for. */
bool clam_library_load(struct clam *out, struct buf *err);

#endif
