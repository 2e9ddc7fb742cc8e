/* Loading libclamav. */
#include "worker/inspect/clam_library.h"

#include <dlfcn.h>

/* Of LIBCLAMAV_VERSION_NUM's interface: the compiler saw its header. */
#define LIBRARY "libclamav.so.12"

bool clam_library_load(struct clam *out, struct buf *err)
{
	void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);

	if (!library) {
		buf_printf(err, "cannot load the anti-virus engine: %s", dlerror());
		return false;
	}
	/* POSIX lets an object pointer stand for a function's here. */
#define CLAM_FIND(name)                                                                            \
	*(void **)&out->name = dlsym(library, #name);                                              \
	if (!out->name) {                                                                          \
		buf_printf(err, "the anti-virus engine lacks %s", #name);                          \
		return false;                                                                      \
	}
	CLAM_FUNCTIONS(CLAM_FIND)
#undef CLAM_FIND
	return true;
}
