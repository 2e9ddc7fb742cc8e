/* Memory that lives as long as a session or a transaction and is freed in one go.
 *
 * Allocation never returns NULL.  When memory runs out, the arena calls `no_memory`, which must not
 * return: a session's jumps to the place that answers 421 and ends it (what a session holds stands
 * in its struct, never only in a local variable, so nothing leaks); without one the process aborts.
 */
#ifndef SHM_BASE_ARENA_H
#define SHM_BASE_ARENA_H

#include "shm/base/text.h"

#include <stdarg.h>

struct arena_chunk;

struct arena {
	struct arena_chunk *head;
	size_t used; /* bytes handed out, for limits and the log */
	void (*no_memory)(void *arg);
	void *no_memory_arg;
};

/* Empty; allocates nothing until the first use. */
void arena_init(struct arena *a, void (*no_memory)(void *arg), void *arg);

/* For whoever gets no memory elsewhere (from a library, say) on the arena's behalf. */
_Noreturn void arena_no_memory(struct arena *a);

/* Zeroed, aligned for any type. */
void *arena_alloc(struct arena *a, size_t size);

/* Copies, NUL-terminated one past the end so that t.p may be used as a C string. */
struct text arena_text(struct arena *a, struct text t);
struct text arena_printf(struct arena *a, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
struct text arena_vprintf(struct arena *a, const char *fmt, va_list ap);

/* Frees all that was allocated; the arena is empty and usable. */
void arena_reset(struct arena *a);

#define arena_new(a, type) ((type *)arena_alloc((a), sizeof(type)))

#endif
