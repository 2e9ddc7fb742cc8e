/* What AddressSanitizer and valgrind must be told about stacks; nothing in a plain build without
 * them. */
#ifndef WORKER_IO_SANITIZE_H
#define WORKER_IO_SANITIZE_H

#include <stddef.h>

/* For functions that leave a stack in the middle: they have no marks of their own that would be
 * left behind. */
#define SWITCHES_STACKS __attribute__((noinline, no_sanitize_address))

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>

/* `save` is NULL when the stack that we leave is never returned to. */
static inline void fiber_switch_begin(void **save, const void *low, size_t bytes)
{
	__sanitizer_start_switch_fiber(save, low, bytes);
}
/* On the new stack; tells the bounds of the one we came from. */
static inline void fiber_switch_end(void *saved, const void **from_low, size_t *from_bytes)
{
	__sanitizer_finish_switch_fiber(saved, from_low, from_bytes);
}
/* A stack used before carries the marks of frames that were never left. */
static inline void stack_unpoison(void *low, size_t bytes)
{
	ASAN_UNPOISON_MEMORY_REGION(low, bytes);
}
#else
static inline void fiber_switch_begin(void **save, const void *low, size_t bytes)
{
	(void)save, (void)low, (void)bytes;
}
static inline void fiber_switch_end(void *saved, const void **from_low, size_t *from_bytes)
{
	(void)saved, (void)from_low, (void)from_bytes;
}
static inline void stack_unpoison(void *low, size_t bytes)
{
	(void)low, (void)bytes;
}
#endif

#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
static inline unsigned stack_tell(char *low, size_t bytes)
{
	return VALGRIND_STACK_REGISTER(low, low + bytes);
}
static inline void stack_forget(unsigned id)
{
	VALGRIND_STACK_DEREGISTER(id);
}
#else
static inline unsigned stack_tell(char *low, size_t bytes)
{
	(void)low, (void)bytes;
	return 0;
}
static inline void stack_forget(unsigned id)
{
	(void)id;
}
#endif

#endif
